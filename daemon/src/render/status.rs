//! How a node is, whom it dials, whom it granted.

use std::fmt::Write as _;
use std::path::Path;

use super::{Cell, Paint, Table, clean, counted, custody, short_device, shown_bytes, shown_time};
use crate::verbs::{FoundedShape, GrantedShape, GrantsShape, JoinedShape, PeerShape, StatusShape, TeamShape};

/// How a node is.
pub fn status(status: &StatusShape, paint: Paint) -> String {
    let mut text = String::new();
    let mut line = |word: &str, says: &str| {
        let _ = writeln!(text, "{}{says}", paint.faint(&format!("{word:<11}")));
    };
    for grant in status.grants.iter().filter(|grant| !grant.in_force.is_empty()) {
        let who = format!("{}, {} of {}", clean(&grant.name), grant.role, grant.in_force.join(", "));
        line("who", &paint.strong(&who));
    }
    line("device", &status.device);
    match &status.survey {
        None => line("survey", "none yet: rukun join CODE or SURVEY-ID, or rukun init SURVEY.toml"),
        Some(survey) => {
            let (name, code) = (survey.name.as_deref(), survey.code.as_deref().unwrap_or_default());
            let name = name.map(|name| format!("{} ({})", clean(name), clean(code)));
            line(
                "survey",
                &name.unwrap_or_else(|| {
                    "its charter has not come yet: connect once to a node that has it".into()
                }),
            );
            if let Some((start, end)) = &survey.period {
                line("", &format!("{} to {}", clean(start), clean(end)));
            }
            line("", &survey.survey);
            if !survey.questionnaire {
                let ask = "its questionnaire has not come yet: connect once to a node that has it";
                line("", &paint.alert(ask));
            }
            match survey.roots.as_slice() {
                [] => {}
                [root] => line("root", root),
                several => {
                    let all = several.join(", ");
                    line("root", &paint.alert(&format!("{} keys at once: {all}", several.len())));
                }
            }
        }
    }
    if status.survey.is_some() && status.grants.iter().all(|grant| grant.in_force.is_empty()) {
        let before = if status.grants.is_empty() { "none yet" } else { "none any more" };
        let ask = if status.revoked.is_empty() {
            format!("{before}: ask the tier above for rukun grant with the device id above")
        } else {
            // No grant reaches a key that was revoked.
            let why = clean(&status.revoked.join("; "));
            format!(
                "revoked ({why}): go on with a new device, or with --dir in another folder (rukun join there)"
            )
        };
        line("grant", &paint.alert(&ask));
    }
    let families = counted(status.records, "family", "families");
    let changes = counted(status.changes, "change", "changes");
    line(
        "holds",
        &format!(
            "{families}, {changes}, {}; {} on disk",
            counted(status.statements, "statement", "statements"),
            shown_bytes(status.disk_bytes)
        ),
    );
    if status.leaving > 0 {
        let leaving = counted(status.leaving, "family is", "families are");
        line(
            "leaving",
            &paint
                .alert(&format!("{leaving} no longer this device's: kept until the district has all of it")),
        );
    }
    if status.renewal_due {
        let says = "what was erased may be in its file still: make room for a second copy, then start anew";
        line("erased", &paint.alert(says));
    }
    for (word, says) in custody::lines(&status.custody, paint) {
        line(word, &says);
    }
    let kinds: Vec<String> = status
        .conflicts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let conflicts = if kinds.is_empty() && status.unread > 0 {
        "none in what was read since it changed  (rukun conflicts reads all)".into()
    } else if kinds.is_empty() {
        paint.good("none")
    } else {
        format!("{}  (rukun conflicts)", paint.alert(&kinds.join(", ")))
    };
    line("conflicts", &conflicts);
    if status.unread > 0 {
        line(
            "",
            &format!("{} not read yet since their last change", counted(status.unread, "family", "families")),
        );
    }
    if status.waiting > 0 {
        let waiting = counted(status.waiting, "change waits", "changes wait");
        line("waiting", &paint.alert(&format!("{waiting} for a grant or a cause")));
    }
    if status.carries > 0 {
        let bundles = counted(status.carries, "bundle", "bundles");
        line("carries", &format!("{bundles} for others  (rukun courier list)"));
    }
    if let Some(traffic) = status.traffic {
        line(
            "traffic",
            &format!(
                "{} sent, {} received since the daemon started",
                shown_bytes(traffic.bytes_sent),
                shown_bytes(traffic.bytes_received)
            ),
        );
    }
    let kept = clean(&status.dials.join(", "));
    let dials = match (status.traffic, kept.as_str()) {
        (None, "") => paint.alert("nobody: no daemon runs here (rukun daemon)"),
        (None, kept) => {
            paint.alert(&format!("nobody: no daemon runs here (rukun daemon) that would dial {kept}"))
        }
        // The daemon tells nobody what its own arguments named.
        (Some(_), "") => {
            "what --peer named, if anything: no address is kept (rukun peer add HOST:PORT)".into()
        }
        (Some(_), kept) => kept.into(),
    };
    line("dials", &dials);
    text.push('\n');
    text.push_str(&peer_table(&status.peers, paint));
    let in_force = status.grants.iter().filter(|grant| !grant.in_force.is_empty());
    let is_superior = { in_force }.any(|grant| grant.role != "enumerator");
    let missing = |officer: &&TeamShape| officer.numbers.iter().any(|one| !one.missing.is_empty());
    let shown: Vec<TeamShape> =
        status.officers.iter().filter(|officer| is_superior || missing(officer)).cloned().collect();
    text.push_str(&custody::officers(&shown, paint));
    text
}

fn peer_table(peers: &[PeerShape], paint: Paint) -> String {
    if peers.is_empty() {
        return "no peer seen yet\n".into();
    }
    let mut table = Table::with_heading(
        &["PEER", "ROLE", "REGIONS", "DEVICE", "LINK", "LAST CONTACT", "LACKS", "REFUSED"],
        paint,
    );
    for peer in peers {
        let link = match (peer.linked, peer.in_sync) {
            (true, true) => Cell::text("in sync").painted(|word| paint.good(word)),
            (true, false) => Cell::text("syncing"),
            (false, _) => Cell::text("off").painted(|word| paint.faint(word)),
        };
        let count = |count: u64| match count {
            0 => Cell::text("").right(),
            count => Cell::number(count).painted(|count| paint.alert(count)),
        };
        table.row([
            Cell::text(if peer.name.is_empty() { "unknown" } else { &peer.name }),
            Cell::text(peer.role.as_deref().unwrap_or("no role")),
            Cell::text(peer.regions.join(" ")),
            Cell::text(short_device(&peer.device)).painted(|device| paint.faint(device)),
            link,
            Cell::text(peer.last_contact.as_deref().map_or_else(|| "never".into(), shown_time)),
            count(peer.lacks),
            count(peer.refused),
        ]);
    }
    table.lines("")
}

/// A grant just made, and what the other device types next.
pub fn granted(granted: &GrantedShape, listen: Option<&str>, paint: Paint) -> String {
    let (grant, peer) = (&granted.grant, listen.unwrap_or("HOST:PORT"));
    let name = clean(&grant.name);
    let mut text =
        format!("{} may act as {} in {}\n", paint.strong(&name), grant.role, grant.regions.join(", "));
    if !granted.taken.is_empty() {
        let taken = granted.taken.join(", ");
        let _ = writeln!(
            text,
            "  instead of {}: name that too (--region) if it was to stay",
            paint.alert(&taken)
        );
    }
    let join = paint.strong(&format!("rukun join {} --peer {peer}", grant.survey));
    let _ = writeln!(text, "on that device: {join}");
    text
}

/// Who may act where.
pub fn grants(list: &GrantsShape, paint: Paint) -> String {
    if list.grants.is_empty() {
        return "nobody was granted anything there\n".into();
    }
    let mut table = Table::with_heading(&["NAME", "ROLE", "REGIONS", "DEVICE"], paint);
    for grant in &list.grants {
        table.row([
            Cell::text(&grant.name),
            Cell::text(&grant.role),
            Cell::text(grant.in_force.join(" ")),
            Cell::text(&grant.device),
        ]);
    }
    table.lines("")
}

/// A survey just founded, and what to do next.
pub fn founded(founded: &FoundedShape, root: &Path, paint: Paint) -> String {
    format!(
        "survey {}\n  {}\nthis device is its district office in {}; its root key is {}: keep a copy off this machine\n\n\
         next\n  rukun daemon                 sync with other devices\n  \
         rukun grant DEVICE ...       let a device act: its owner tells you what rukun id shows there\n  \
         rukun officers import FILE   invite hundreds by one-time codes, on cards to print\n  \
         rukun join {} --peer HOST:PORT   on each of those devices\n",
        paint.strong(&clean(&founded.name)),
        founded.survey,
        founded.region,
        root.display(),
        founded.survey,
    )
}

/// A survey just joined, and what to do next.
pub fn joined(joined: &JoinedShape, runs: bool, paint: Paint) -> String {
    let mut text =
        format!("in survey {}\nthis device is {}\n\nnext\n", joined.survey, paint.strong(&joined.device));
    if joined.peers.is_empty() {
        text.push_str("  rukun peer add HOST:PORT     a node that takes part already\n");
    }
    if !runs {
        text.push_str("  rukun daemon                 sync\n");
    }
    text.push_str(
        "  rukun status                 shows the role, once the tier above has granted one to this device\n",
    );
    text
}

/// The addresses that are dialled.
pub fn peers(addresses: &[String]) -> String {
    if addresses.is_empty() {
        return "nobody is dialled; rukun peer add HOST:PORT\n".into();
    }
    addresses.iter().map(|address| clean(address) + "\n").collect()
}
