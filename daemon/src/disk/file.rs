//! Single files of a data folder: opened, read if they are secret, or written whole or not at all, for
//! their owner alone. What is in them is not looked at here.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rukun_replica::FileBackend;
use rustix::io::Errno;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::fault::DiskError;

/// How long a key file is.
pub(super) const KEY_BYTES: usize = 32;
/// Longer files hold no secret of ours.
const SECRET_BYTES_MAX: u64 = 4096;

/// What redb keeps a file behind.
pub(super) fn backend(file: File, path: &Path) -> Result<FileBackend, DiskError> {
    FileBackend::new(file).map_err(|error| io_error(path, io::Error::other(error)))
}

pub(super) fn open_or_make(path: &Path) -> Result<File, DiskError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(|error| io_error(path, error))
}

pub(super) fn remove_if_there(path: &Path) -> Result<(), DiskError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path, error)),
        _ => Ok(()),
    }
}

/// Writes a file that was not there, for its owner alone: whole or not at all, and it outlives a loss of
/// power.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let folder = folder_of(path);
    let write = || {
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        name(file, path)
    };
    write().map_err(|error| taken_or(path, error))?;
    sync_folder(folder)
}

/// Writes a file in the place of one that is there, for its owner alone: the old or the new is there at
/// every moment.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let folder = folder_of(path);
    let write = || {
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    write().map_err(|error| io_error(path, error))?;
    sync_folder(folder)
}

/// Gives a file that is written its name, unless there is one of that name.
pub(super) fn name(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map(drop).map_err(|error| error.error)
}

pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a file that was opened under this name still has it.
pub(super) fn is_named(file: &File, path: &Path) -> bool {
    let of = |file: io::Result<fs::Metadata>| file.ok().map(|file| (file.dev(), file.ino()));
    of(file.metadata()).is_some_and(|opened| of(fs::metadata(path)) == Some(opened))
}

pub(super) fn sync_folder(path: &Path) -> Result<(), DiskError> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(|error| io_error(path, error))
}

pub(super) fn read_key(path: PathBuf) -> Result<Zeroizing<[u8; KEY_BYTES]>, DiskError> {
    let bytes = read_secret(&path)?;
    let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice());
    key.map(Zeroizing::new).map_err(|_| DiskError::NoKey { path, called: "a key file of 32 bytes" })
}

pub(super) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, DiskError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(DiskError::Missing { path: path.into() });
        }
        Err(error) => return Err(io_error(path, error)),
    };
    let mode = file.metadata().map_err(|error| io_error(path, error))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(DiskError::Exposed { path: path.into(), mode });
    }
    // With room for all of it, so that nothing is left behind in memory when it grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX as usize + 1));
    file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| io_error(path, error))?;
    if bytes.len() as u64 > SECRET_BYTES_MAX {
        return Err(DiskError::NoKey { path: path.into(), called: "a secret of at most 4096 bytes" });
    }
    Ok(bytes)
}

/// What stands in the way of a new file is named as such.
pub(super) fn taken_or(path: &Path, error: io::Error) -> DiskError {
    match error.kind() {
        io::ErrorKind::AlreadyExists => DiskError::Taken { path: path.into() },
        _ => io_error(path, error),
    }
}

pub(super) fn io_error(path: &Path, source: io::Error) -> DiskError {
    DiskError::Io { path: path.into(), source: plain(&source).unwrap_or(source) }
}

/// What the operating system says, without the name of a file that is made in the place of the one that was asked for.
fn plain(error: &io::Error) -> Option<io::Error> {
    use io::ErrorKind as Kind;
    let errno = match error.kind() {
        Kind::NotFound => Errno::NOENT,
        Kind::NotADirectory => Errno::NOTDIR,
        Kind::PermissionDenied => Errno::ACCESS,
        Kind::ReadOnlyFilesystem => Errno::ROFS,
        Kind::StorageFull => Errno::NOSPC,
        Kind::QuotaExceeded => Errno::DQUOT,
        Kind::FileTooLarge => Errno::FBIG,
        _ => return None,
    };
    Some(error.raw_os_error().map_or_else(|| errno.into(), io::Error::from_raw_os_error))
}
