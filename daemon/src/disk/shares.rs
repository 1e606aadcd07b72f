//! The root key of a survey becomes three shares, any two of which are the key again (Shamir 1979): no single
//! drawer holds it, and none that burns takes it along. One share alone tells nothing of the key.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use blahaj::{Share, Sharks};
use data_encoding::HEXLOWER;
use rukun_authority::Keypair;
use rukun_change::DeviceKey;
use zeroize::Zeroizing;

use super::fault::DiskError;
use super::file::{io_error, read_secret, replace, sync_folder, write_new};
use super::{Folder, generator, random, read_root_key, write_root_key};

/// How many shares are made of a root key.
const SHARES: usize = 3;
/// How many of them are the key again.
const NEEDED: u8 = 2;

impl Folder {
    /// Writes the shares of the root key into files that are not there yet, in a folder of their own. The key
    /// itself stays where it is.
    ///
    /// # Errors
    /// If the key is missing, or the disk fails.
    pub fn split_root(&self, into: &Path) -> Result<Vec<PathBuf>, DiskError> {
        write_shares(&self.root()?, into, write_new)
    }

    /// Whether there is a key that is to be root after the present one: its making was cut off.
    pub fn has_next_root(&self) -> bool {
        self.next_root_path().exists()
    }

    /// The key that is to be root after the present one, made unless it is there, and its shares, dealt anew
    /// into a folder that may hold no other key's. All are durable.
    ///
    /// # Errors
    /// If other shares are there, or the disk fails.
    pub fn next_root(&self, into: &Path) -> Result<(Keypair, Vec<PathBuf>), DiskError> {
        let path = self.next_root_path();
        let held = if self.has_next_root() { Some(read_root_key(path.clone())?) } else { None };
        for share in (1..=SHARES).map(|at| share_path(into, at)).filter(|share| share.exists()) {
            let of = read_share(&share).map(|(of, _)| of);
            if held.as_ref().is_none_or(|held| of.ok() != Some(held.key())) {
                return Err(DiskError::Taken { path: share });
            }
        }
        let next = if let Some(held) = held {
            held
        } else {
            let next = Keypair::from_seed(&*random()?);
            write_root_key(&path, &next)?;
            next
        };
        let shares = write_shares(&next, into, replace)?;
        Ok((next, shares))
    }

    /// Puts the key that is to be root in the place of the present one.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn put_next_root(&self) -> Result<(), DiskError> {
        let path = self.root_path();
        fs::rename(self.next_root_path(), &path).map_err(|error| io_error(&path, error))?;
        sync_folder(self.path())
    }

    fn next_root_path(&self) -> PathBuf {
        self.path().join("root.key.next")
    }

    /// Makes the root key of its shares, where there is none. Gives the key's public half.
    ///
    /// # Errors
    /// If a file is no share, they are too few or of different keys, or there is a root key already.
    pub fn join_root(&self, paths: &[PathBuf]) -> Result<DeviceKey, DiskError> {
        let mut shares: BTreeMap<u8, Share> = BTreeMap::new();
        let mut root = None;
        for path in paths {
            let (of, share) = read_share(path)?;
            if root.is_some_and(|root| root != of) {
                return Err(DiskError::OtherShares { path: path.clone() });
            }
            root = Some(of);
            shares.insert(share.x.0, share);
        }
        let Some(root) = root.filter(|_| shares.len() >= usize::from(NEEDED)) else {
            return Err(DiskError::FewShares { given: shares.len(), needed: NEEDED.into() });
        };
        let few = |_| DiskError::FewShares { given: shares.len(), needed: NEEDED.into() };
        let seed = Zeroizing::new(Sharks(NEEDED).recover(shares.values()).map_err(few)?);
        let seed = <[u8; 32]>::try_from(seed.as_slice()).map(Zeroizing::new);
        let key = seed.ok().map(|seed| Keypair::from_seed(&seed)).filter(|key| key.key() == root);
        let key = key.ok_or(DiskError::SpoiltShares)?;
        self.make()?;
        self.write_root(&key)?;
        Ok(root)
    }
}

fn share_path(folder: &Path, at: usize) -> PathBuf {
    folder.join(format!("root-share-{at}"))
}

/// Deals three shares of a key: those of two dealings don't go together.
fn write_shares(
    root: &Keypair,
    into: &Path,
    write: fn(&Path, &[u8]) -> Result<(), DiskError>,
) -> Result<Vec<PathBuf>, DiskError> {
    let shares: Vec<Share> = Sharks(NEEDED).dealer_rng(root.seed(), &mut generator()?).take(SHARES).collect();
    let mut paths = Vec::new();
    for (at, share) in (1..).zip(&shares) {
        let hex = Zeroizing::new(HEXLOWER.encode(&Zeroizing::new(Vec::from(share))));
        let text = Zeroizing::new(format!(
            "share {at} of {SHARES} of a rukun root key; any {NEEDED} are the key\nroot {}\nsecret {}\n",
            root.key(),
            *hex
        ));
        let path = share_path(into, at);
        write(&path, text.as_bytes())?;
        paths.push(path);
    }
    Ok(paths)
}

fn read_share(path: &Path) -> Result<(DeviceKey, Share), DiskError> {
    let text = read_secret(path)?;
    let text = Zeroizing::new(String::from_utf8_lossy(&text).into_owned());
    let line = |word: &str| text.lines().find_map(|line| line.strip_prefix(word)).map(str::trim);
    let root = line("root ").and_then(|key| key.parse().ok());
    let bytes = line("secret ").and_then(|hex| HEXLOWER.decode(hex.as_bytes()).ok()).map(Zeroizing::new);
    let share = bytes.and_then(|bytes| Share::try_from(bytes.as_slice()).ok());
    root.zip(share).ok_or(DiskError::NoKey { path: path.into(), called: "a share of a root key" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split() -> (tempfile::TempDir, Keypair, Vec<PathBuf>) {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::at(parent.path().join("office"));
        drop(folder.create_store().unwrap());
        let root = Keypair::from_seed(&[7; 32]);
        folder.write_root(&root).unwrap();
        let shares = folder.split_root(parent.path()).unwrap();
        (parent, root, shares)
    }

    #[test]
    fn any_two_of_three_shares_are_the_root_key_and_one_is_not() {
        let (parent, root, shares) = split();
        assert_eq!(shares.len(), 3);
        for (at, pair) in [[0, 1], [0, 2], [2, 1]].into_iter().enumerate() {
            let folder = Folder::at(parent.path().join(format!("elsewhere-{at}")));
            let pair = pair.map(|at| shares[at].clone());
            assert_eq!(folder.join_root(&pair).unwrap(), root.key());
            assert_eq!(folder.root().unwrap().seed(), root.seed());
            let again = folder.join_root(&pair);
            assert!(matches!(again, Err(DiskError::Taken { .. })), "{again:?}");
        }
        let folder = Folder::at(parent.path().join("alone"));
        for few in [&shares[..1], &[shares[0].clone(), shares[0].clone()]] {
            let few = folder.join_root(few);
            assert!(matches!(few, Err(DiskError::FewShares { given: 1, needed: 2 })), "{few:?}");
        }
    }

    #[test]
    fn a_next_root_that_was_cut_off_is_gone_on_with_and_its_shares_go_together() {
        let (parent, root, old_shares) = split();
        let folder = Folder::at(parent.path().join("office"));
        let into = parent.path().join("usb");
        let taken = folder.next_root(parent.path());
        assert!(matches!(taken, Err(DiskError::Taken { .. })), "the old key's shares lie there: {taken:?}");
        assert!(!folder.has_next_root(), "and nothing was made");
        let nowhere = folder.next_root(&into);
        assert!(matches!(nowhere, Err(DiskError::Io { .. })), "{nowhere:?}");
        fs::create_dir(&into).unwrap();
        let (next, shares) = folder.next_root(&into).unwrap();
        // As if power had gone while a share was written.
        fs::remove_file(&shares[2]).unwrap();
        let (again, shares) = folder.next_root(&into).unwrap();
        assert_eq!((again.seed(), folder.root().unwrap().seed()), (next.seed(), root.seed()));
        for pair in [[0, 1], [0, 2], [1, 2]] {
            let elsewhere = Folder::at(parent.path().join(format!("elsewhere-{pair:?}")));
            assert_eq!(elsewhere.join_root(&pair.map(|at| shares[at].clone())).unwrap(), next.key());
        }
        folder.put_next_root().unwrap();
        assert_eq!((folder.root().unwrap().seed(), folder.has_next_root()), (next.seed(), false));
        assert!(old_shares.iter().all(|share| share.exists()), "no share of the old key is touched");
    }

    #[test]
    fn shares_of_two_keys_and_shares_that_were_changed_make_none() {
        let (parent, _, shares) = split();
        let (_other, _, others) = split();
        let folder = Folder::at(parent.path().join("elsewhere"));
        let text = fs::read_to_string(&shares[1]).unwrap();
        let of_other = fs::read_to_string(&others[1]).unwrap();
        fs::write(&shares[1], of_other).unwrap();
        // Both keys are of one seed here, and still no share of one goes with one of the other.
        let mixed = folder.join_root(&shares[..2]);
        assert!(matches!(mixed, Err(DiskError::SpoiltShares)), "{mixed:?}");
        let (before, last) = text.trim_end().split_at(text.trim_end().len() - 1);
        fs::write(&shares[1], format!("{before}{}\n", if last == "0" { "1" } else { "0" })).unwrap();
        let spoilt = folder.join_root(&shares[..2]);
        assert!(matches!(spoilt, Err(DiskError::SpoiltShares)), "{spoilt:?}");
        fs::write(&shares[1], "nothing of the kind\n").unwrap();
        assert!(matches!(folder.join_root(&shares[..2]), Err(DiskError::NoKey { .. })));
        assert!(!folder.root_path().exists());
    }
}
