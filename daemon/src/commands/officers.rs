//! Inviting officers, each with a code that is made here, printed on a card and kept nowhere; listing
//! them, and taking invitations back.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use data_encoding::HEXLOWER;
use rukun_replica::Code;
use zeroize::Zeroizing;

use super::SOME_REFUSED;
use super::output::{Output, say_aside};
use crate::args::{Import, Officers};
use crate::cards::{Card, Sheet, page};
use crate::clock;
use crate::disk::{Folder, random, replace, write_new};
use crate::node::Node;
use crate::officers::{self, Report};
use crate::render;
use crate::verbs::{
    CheckedShape, InvitedRow, InvitedShape, NewOfficer, OfficerRow, OfficerShape, OfficersShape, Request,
    VerbError, check_address,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

pub(super) fn officers(
    verb: Option<Officers>,
    folder: &Folder,
    output: Output,
) -> Result<ExitCode, VerbError> {
    match verb {
        None => {
            let officers: OfficersShape = Node::open(folder)?.ask(Request::Officers)?;
            output.show(&officers, render::officers)?;
        }
        Some(Officers::Withdraw { who }) => {
            let withdrawn: OfficerShape = Node::open(folder)?.ask(Request::OfficersWithdraw { who })?;
            output.show(&withdrawn, render::withdrawn)?;
        }
        Some(Officers::Import(import)) => return invite(&import, folder, output),
    }
    Ok(ExitCode::SUCCESS)
}

fn invite(import: &Import, folder: &Folder, output: Output) -> Result<ExitCode, VerbError> {
    let mut node = Node::open(folder)?;
    let relay = relay(import, folder)?;
    let (rows, mut bad) = officers::read(&import.file)?;
    let count = rows.len() + bad.len();
    let checked: CheckedShape = node.ask(Request::OfficersCheck { rows: rows.clone() })?;
    bad.extend(checked.bad);
    let mut report = Report { rows: count, invited: Vec::new(), there: checked.there, bad, page: None };
    let expires_ms = end_of_day(clock::now().wall_ms + i64::from(import.expires) * DAY_MS);
    let sheet = Sheet { survey: &checked.survey, relay: &relay, expires_ms };
    let new = rows.into_iter().filter(|row| checked.new.contains(&row.line));
    let new =
        new.map(|row| Ok((row, Code::from_random(&*random()?)))).collect::<Result<Vec<_>, VerbError>>()?;
    if !new.is_empty() {
        // The cards first: a code that is invited and printed nowhere would be lost.
        let path = print(&free_path(import)?, sheet, &new)?;
        let invited = ask_for(&mut node, &new, expires_ms).map_err(|error| after(error, &path))?;
        settle(&path, sheet, &new, &invited.made)?;
        report.page = (!invited.made.is_empty()).then_some(path);
        (report.invited, report.there) = (invited.made, [report.there, invited.there].concat());
        report.bad.extend(invited.bad);
    }
    report.bad.sort_by_key(|row| row.line);
    if !output.is_json() {
        report.bad.iter().for_each(|row| say_aside(&render::bad_row(row)));
    }
    output.show(&report, render::invited)?;
    Ok(if report.bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(SOME_REFUSED) })
}

fn ask_for(node: &mut Node, new: &[(OfficerRow, Code)], expires_ms: i64) -> Result<InvitedShape, VerbError> {
    let officers = new.iter().map(|(row, code)| NewOfficer {
        row: row.clone(),
        invitation: code.invitation().to_string(),
        proof_key: HEXLOWER.encode(code.proof_key().as_bytes()),
    });
    node.ask(Request::OfficersInvite { officers: officers.collect(), expires_ms })
}

/// What to say of an error, and what becomes of the page: it stays unless the node surely refused. An answer may have
/// been lost after the officers were invited, and their codes stand nowhere else.
fn after(error: VerbError, page: &Path) -> VerbError {
    if (400..500).contains(&error.status) {
        let _ = std::fs::remove_file(page);
        return error;
    }
    let before = if error.remedy.is_empty() { String::new() } else { format!("{}; then ", error.remedy) };
    let remedy = format!(
        "{before}see by `rukun officers` whether they are invited all the same: their codes are in {page} and nowhere \
         else, so print it if they are; remove it if none of them is, and import the file again",
        page = page.display()
    );
    VerbError { remedy, ..error }
}

/// Where devices find this node: what is said, or where its daemon listens, if that says it.
fn relay(import: &Import, folder: &Folder) -> Result<String, VerbError> {
    if let Some(relay) = &import.relay {
        check_address(relay)?;
        return Ok(relay.clone());
    }
    // An address that says nothing to another device is on no card unless somebody says so.
    let is_said = |quic: &SocketAddr| !quic.ip().is_unspecified() && !quic.ip().is_loopback();
    let listens = folder.note()?.map(|note| note.quic).filter(is_said);
    listens.map(|quic| quic.to_string()).ok_or_else(|| {
        let remedy = "say it: --relay HOST:PORT, the address and port at which they reach this node's daemon";
        VerbError::new("the cards must say where the officers' devices find this node", remedy)
    })
}

/// Writes the cards where nothing is yet, for this user alone.
fn print(path: &Path, sheet: Sheet<'_>, new: &[(OfficerRow, Code)]) -> Result<PathBuf, VerbError> {
    write_new(path, cards(sheet, new)?.as_bytes())?;
    Ok(path.into())
}

/// Leaves on the page only those who were invited: all of them, unless somebody else invited the same
/// people meanwhile.
fn settle(
    path: &Path,
    sheet: Sheet<'_>,
    new: &[(OfficerRow, Code)],
    made: &[InvitedRow],
) -> Result<(), VerbError> {
    if made.len() == new.len() {
        return Ok(());
    }
    let is_made = |(row, _): &&(OfficerRow, Code)| made.iter().any(|made| made.line == row.line);
    let new: Vec<_> = new.iter().filter(is_made).cloned().collect();
    if new.is_empty() {
        let removed = std::fs::remove_file(path);
        return removed.map_err(|error| VerbError::new(error, format!("remove {}", path.display())));
    }
    Ok(replace(path, cards(sheet, &new)?.as_bytes())?)
}

fn cards(sheet: Sheet<'_>, new: &[(OfficerRow, Code)]) -> Result<Zeroizing<String>, VerbError> {
    let card = |(row, code): &(OfficerRow, Code)| {
        let role = row.role.trim().parse().map_err(|error| VerbError::new(error, ""))?;
        Ok(Card { name: row.name.clone(), role, regions: row.regions.clone(), code: code.clone() })
    };
    let cards = new.iter().map(card).collect::<Result<Vec<_>, VerbError>>()?;
    let remedy = "give a shorter address with --relay";
    page(sheet, &cards).map_err(|error| VerbError::new(format!("the cards can't be made: {error}"), remedy))
}

/// The path that is said, or the first beside the file at which there is nothing yet: a page that is there
/// may hold the only copy of codes that are in use.
fn free_path(import: &Import) -> Result<PathBuf, VerbError> {
    if let Some(page) = &import.page {
        if page.exists() {
            let message = format!("{} is there already, and may hold codes that are in use", page.display());
            return Err(VerbError::new(message, "name another file with --page"));
        }
        return Ok(page.clone());
    }
    let stem = import.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let numbered = |number: u32| match number {
        1 => import.file.with_extension("html"),
        number => import.file.with_file_name(format!("{stem}-{number}.html")),
    };
    Ok((1..=u32::MAX).map(numbered).find(|path| !path.exists()).expect("there are free numbers"))
}

/// The end of a day, so that a card may name the day.
fn end_of_day(at_ms: i64) -> i64 {
    (at_ms.div_euclid(DAY_MS) + 1) * DAY_MS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientError;

    #[test]
    fn the_only_copy_of_the_codes_is_kept_unless_the_node_surely_refused() {
        let parent = tempfile::tempdir().unwrap();
        let page = parent.path().join("officers.html");
        std::fs::write(&page, "codes").unwrap();
        let stopped = VerbError::new("the node has stopped", "").with_status(503);
        for unsure in
            [ClientError::Answer.into(), ClientError::Http(ureq::Error::ConnectionFailed).into(), stopped]
        {
            let said = after(unsure, &page);
            assert!(page.exists(), "{said}");
            let named = said.remedy.contains(&page.display().to_string());
            assert!(named && said.remedy.contains("`rukun officers`"), "{said}");
        }
        let refused = VerbError::new("this device may not grant that", "ask who may").with_status(403);
        assert_eq!(after(refused.clone(), &page), refused);
        assert!(!page.exists(), "nobody was invited with it");
    }
}
