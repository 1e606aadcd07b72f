//! The command line, as clap reads it. What each verb does is elsewhere; this is what it is called,
//! what it takes, and an example of it.

mod erasure;
mod hand_over;
mod loss;
mod root;
mod sls;

pub use erasure::Erasure;
pub use hand_over::HandOver;
pub use loss::{Loss, Settled};
pub use root::Root;
pub use sls::Sls;
mod bundle;
mod courier;
mod evidence;
mod officers;

pub use bundle::Bundle;
pub use courier::Courier;
pub use evidence::{EvidenceVerb, Verify};

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{ArgGroup, Args, Parser, Subcommand};
use rukun_authority::Role;
use rukun_change::{DeviceKey, Ink, Region};
use rukun_document::ConflictKind;

pub use officers::{Import, Join, JoinBy, JoinFrom, Officers};
mod backup;
mod daemon;
mod network;
pub use backup::{Backup, Key};
pub use daemon::Daemon;
pub use network::{NetworkVerb, Told};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  not done: the message says why and what to do next
  2  the command line is wrong
  3  import, officers import, bundle import: some of it is bad, what is good went in
  4  demo: something differs that should be equal
  74 daemon: the disk failed; a restart recovers what was acknowledged

The data folder is --dir DIR, or $RUKUN_DIR, or ~/.local/share/rukun.
Ink is shown in its colour where the terminal has colours; NO_COLOR turns that off.

Example:
  rukun demo";

/// Household registration that travels: signed, merged, inspectable.
#[derive(Debug, Parser)]
#[command(name = "rukun", version, after_help = EXIT_CODES, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// The data folder
    #[arg(long, global = true, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// A file whose first line is the store's passphrase; or $RUKUN_PASSPHRASE_FILE
    #[arg(long, global = true, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Found a survey from a TOML file; this device becomes its district office
    #[command(after_help = "\
Example:
  rukun init mesuji.toml

where mesuji.toml says:
  name = \"Regsosek 2022 Kabupaten Mesuji\"
  code = \"regsosek22-1811\"
  questionnaire = \"regsosek-k\"     # built in; or the path of a CSV file

  [period]
  start = 2022-10-15
  end = 2022-11-14

  [office]
  name = \"BPS Kabupaten Mesuji\"
  region = \"1811\"

The root key is left in the data folder as root.key. Keep a copy of it off this machine.")]
    Init(Init),
    /// Take part in a survey
    #[command(after_help = "\
Example:
  rukun join 7Q2XC-0M4KA-B9D1H-XW3Z4-58NHE --relay kantor.example.id:7811
  rukun join SURVEY-ID --peer 192.168.1.10:7811

A code is on the card that the office gave you; it works once, and brings the role with it. Without a
card: the survey's id is what rukun init and rukun grant print, and the tier above grants the role.
Start rukun daemon afterwards.")]
    Join(Join),
    /// Who was invited and what became of it; import, withdraw
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "\
Example:
  rukun officers
  rukun officers import officers.csv --relay kantor.example.id:7811"
    )]
    Officers {
        /// Invite, or take back
        #[command(subcommand)]
        verb: Option<Officers>,
    },
    /// Run this node: dial, listen, sync, until stopped
    #[command(after_help = "\
Example:
  rukun daemon --listen 0.0.0.0:7811 --peer kantor.example.id:7811")]
    Daemon(Daemon),
    /// Show this device's id, to be granted a role
    #[command(after_help = "\
Example:
  rukun id
  rukun id --qr

Without a network: whoever grants the role scans the QR code, and types rukun grant with what it says.")]
    Id {
        /// As a QR code too
        #[arg(long)]
        qr: bool,
    },
    /// Let a device act in a role in some regions
    #[command(after_help = "\
Example:
  rukun grant DEVICE-ID --role enumerator --region 18110100050003 --name 'Siti Aminah'

A district grants coordinators, supervisors and enumerators, each tier those below it. A second
district is granted with the root key, on the machine that has it, while no daemon runs there.
A new grant replaces what this device granted the same device before.")]
    Grant {
        /// The device's id, as rukun id shows it there
        #[arg(value_name = "DEVICE")]
        device: DeviceKey,
        /// district, coordinator (Koseka), supervisor (PML) or enumerator (PPL)
        #[arg(long)]
        role: Role,
        /// A region code of 2, 4, 7, 10, 14 or 16 digits; may be given more than once
        #[arg(long, required = true, value_name = "CODE")]
        region: Vec<Region>,
        /// Whose device it is
        #[arg(long)]
        name: String,
    },
    /// Work that goes to another device
    #[command(flatten)]
    HandOver(HandOver),
    /// A device that was lost or that lied
    #[command(flatten)]
    Loss(Loss),
    /// A record that is to be forgotten
    #[command(flatten)]
    Erasure(Erasure),
    /// Sub-SLS: split, merge, rename, list
    #[command(subcommand)]
    Sls(Sls),
    /// The survey's root key: split, join, succeed
    #[command(subcommand)]
    Root(Root),
    /// Whom this node dials
    #[command(subcommand)]
    Peer(Peer),
    /// Import a prelist: one record a row, in printed ink
    #[command(after_help = "\
Example:
  rukun import prelist.csv

The first line names the columns: region (16 digits) and variables of the family, such as
  region,r106,r108,r110,r111,r112,r114
Bad rows are named by line and column, the good rows go in, and the exit code is 3. A family that
is there already (same KK number, or same building and family number, in its sub-SLS) is not made twice.")]
    Import {
        /// The file, CSV in UTF-8
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
    },
    /// Families: add, set, show, list, gone
    #[command(subcommand)]
    Record(Record),
    /// Who am I, who are my peers, how much is there
    #[command(after_help = "\
Example:
  rukun status")]
    Status,
    /// Every change of a record: when, who, role, device, ink, standing
    #[command(after_help = "\
Example:
  rukun log 1811010005000300-3f2a")]
    Log {
        /// The record, or a unique beginning of its id
        #[arg(value_name = "RECORD")]
        record: String,
    },
    /// Where each answer of a record comes from
    #[command(after_help = "\
Example:
  rukun blame 1811010005000300-3f2a")]
    Blame {
        /// The record, or a unique beginning of its id
        #[arg(value_name = "RECORD")]
        record: String,
    },
    /// Open conflicts; `conflicts show RECORD` lays the candidates side by side
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "\
Example:
  rukun conflicts --region 1811010 --kind field
  rukun conflicts show 1811010005000300-3f2a"
    )]
    Conflicts {
        /// Only in this region
        #[arg(long, value_name = "CODE")]
        region: Option<Region>,
        /// Only of this kind: field, stale, duplicate, rule, presence, set-aside
        #[arg(long)]
        kind: Option<ConflictKind>,
        /// Show one record's
        #[command(subcommand)]
        show: Option<Conflicts>,
    },
    /// Settle a conflict by a signed change
    #[command(group = ArgGroup::new("choice").required(true), after_help = "\
Example:
  rukun resolve 1811010005000300-3f2a r304 --pick 9c01
  rukun resolve 1811010005000300-3f2a m:77d2/r407 --value 41

Look at the candidates first (rukun conflicts show RECORD): a resolution is refused if they have
changed since.")]
    Resolve {
        /// The record, or a unique beginning of its id
        #[arg(value_name = "RECORD")]
        record: String,
        /// The field: r304, or m:3f2a/r402 of a member
        #[arg(value_name = "FIELD")]
        field: String,
        /// The candidate to choose: its change, at least 4 digits
        #[arg(long, value_name = "CHANGE", group = "choice")]
        pick: Option<String>,
        /// Another value; - reads it from standard input
        #[arg(long, value_name = "VALUE", group = "choice")]
        value: Option<String>,
        /// The ink to write in, if not the usual one of this device's role
        #[arg(long)]
        ink: Option<Ink>,
    },
    /// Evidence of a record
    #[command(flatten)]
    Evidence(EvidenceVerb),
    /// Carry work in a file where there is no link
    #[command(subcommand, after_help = "Example:\n  rukun bundle export --for district budi.bundle")]
    Bundle(Bundle),
    /// Carry others' bundles on this device
    #[command(subcommand, after_help = "Example:\n  rukun courier take budi.bundle")]
    Courier(Courier),
    /// Save what a damaged store still holds into a new one
    #[command(after_help = "\
Example:
  rukun repair

Stop the daemon first. The damaged file is kept as rukun.redb.damaged-1; what could not be saved comes
back from peers. A sound store is left as it is.")]
    Repair,
    /// Copies of the store, and what opens it.
    #[command(flatten)]
    Backup(Backup),
    /// The network
    #[command(flatten)]
    Network(NetworkVerb),
    /// Five nodes on this machine: interviews, corrections, conflicts, one answer
    #[command(after_help = "\
Example:
  rukun demo --keep /tmp/rukun-demo
  rukun demo --lost-phone")]
    Demo {
        /// The other story: a phone is lost, revoked, and its region goes to another
        #[arg(long)]
        lost_phone: bool,
        /// Leave the nodes' data folders here, to look further
        #[arg(long, value_name = "DIR")]
        keep: Option<PathBuf>,
    },
}

/// What `init` takes.
#[derive(Debug, Args)]
pub struct Init {
    /// The survey, in TOML
    #[arg(value_name = "SURVEY.toml")]
    pub survey: PathBuf,
    /// The office's region, instead of the file's
    #[arg(long, value_name = "CODE")]
    pub region: Option<Region>,
    /// The office's name, instead of the file's
    #[arg(long)]
    pub name: Option<String>,
}

/// Whom to dial.
#[derive(Debug, Subcommand)]
pub enum Peer {
    /// Dial this address from now on
    #[command(after_help = "\
Example:
  rukun peer add kantor.example.id:7811")]
    Add {
        /// The node's address
        #[arg(value_name = "HOST:PORT")]
        address: String,
    },
    /// Dial this address no longer
    #[command(after_help = "\
Example:
  rukun peer remove kantor.example.id:7811")]
    Remove {
        /// The node's address
        #[arg(value_name = "HOST:PORT")]
        address: String,
    },
    /// The addresses that are dialled
    #[command(after_help = "\
Example:
  rukun peer list")]
    List,
}

/// What can be done with families.
#[derive(Debug, Subcommand)]
pub enum Record {
    /// Add a family that the prelist lacks
    #[command(after_help = "\
Example:
  rukun record add 1811010005000300 r108='Siti Aminah' r110=12 r111=31
  rukun record add 1811010005000300 --json-patch '{\"r108\": \"Siti\", \"members\": {\"+1\": {\"r402\": \"Siti\"}}}'")]
    Add {
        /// The home, all 16 digits
        #[arg(value_name = "REGION")]
        region: String,
        /// What to write
        #[command(flatten)]
        answers: Answers,
    },
    /// Change answers
    #[command(after_help = "\
Example:
  rukun record set 1811010005000300-3f2a r304=3 r108='Siti Aminah' r301b=
  rukun record set 1811010005000300-3f2a 2/r407=41 +new/r402=Budi
  rukun record set 1811010005000300-3f2a --json-patch - < interview.json

FIELD= clears an answer. A member is named by m: and the beginning of its id, or by its number on
the form (r401); + and any word makes a new one. A shell keeps what is typed and shows it to others
on this machine: NIK and KK numbers go by --json-patch -.")]
    Set {
        /// The record, or a unique beginning of its id
        #[arg(value_name = "RECORD")]
        record: String,
        /// What to write
        #[command(flatten)]
        answers: Answers,
    },
    /// A family as the office reads it
    #[command(after_help = "\
Example:
  rukun record show 1811010005000300-3f2a")]
    Show {
        /// The record, or a unique beginning of its id
        #[arg(value_name = "RECORD")]
        record: String,
    },
    /// Families in a region
    #[command(after_help = "\
Example:
  rukun record list --region 18110100050003")]
    List {
        /// Only in this region
        #[arg(long, value_name = "CODE")]
        region: Option<Region>,
        /// Only after this record
        #[arg(long, value_name = "RECORD")]
        after: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
        limit: usize,
    },
    /// Mark a family or a member gone; nothing is deleted
    #[command(after_help = "\
Example:
  rukun record gone 1811010005000300-3f2a --reason 'moved to Tulang Bawang'
  rukun record gone 1811010005000300-3f2a 2 --reason 'counted twice'")]
    Gone {
        /// The record, or a unique beginning of its id
        #[arg(value_name = "RECORD")]
        record: String,
        /// The member: m: and the beginning of its id, or its number on the form
        #[arg(value_name = "MEMBER")]
        member: Option<String>,
        /// Why
        #[arg(long)]
        reason: String,
        /// The ink to write in, if not the usual one of this device's role
        #[arg(long)]
        ink: Option<Ink>,
    },
}

/// Answers to write.
#[derive(Debug, Args)]
pub struct Answers {
    /// Answers: r304=3, m:3f2a/r402=Siti
    #[arg(value_name = "FIELD=VALUE", required_unless_present = "json_patch")]
    pub set: Vec<String>,
    /// A JSON merge patch (RFC 7386); - reads it from standard input
    #[arg(long, value_name = "JSON")]
    pub json_patch: Option<String>,
    /// The ink to write in, if not the usual one of this device's role
    #[arg(long)]
    pub ink: Option<Ink>,
}

/// What can be shown of conflicts.
#[derive(Debug, Subcommand)]
pub enum Conflicts {
    /// The conflicts of one record, candidates side by side
    #[command(after_help = "\
Example:
  rukun conflicts show 1811010005000300-3f2a")]
    Show {
        /// The record, or a unique beginning of its id
        #[arg(value_name = "RECORD")]
        record: String,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn verbs(command: &clap::Command, path: &str, found: &mut Vec<(String, String)>) {
        for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
            let path = format!("{path} {}", verb.get_name());
            found.push((path.clone(), verb.get_after_help().map(ToString::to_string).unwrap_or_default()));
            verbs(verb, &path, found);
        }
    }

    #[test]
    fn every_verb_has_an_example_in_its_help_that_names_it() {
        Cli::command().debug_assert();
        let mut found = Vec::new();
        verbs(&Cli::command(), "rukun", &mut found);
        assert!(found.len() > 18);
        // A verb that only groups others has theirs.
        let groups = ["rukun peer", "rukun record", "rukun key", "rukun root", "rukun sls"];
        for (path, help) in found.iter().filter(|(path, _)| !groups.contains(&path.as_str())) {
            assert!(help.contains("Example:\n") && help.contains(path.as_str()), "{path}: {help}");
        }
    }

    #[test]
    fn a_slip_in_an_id_is_a_usage_error_that_places_it() {
        let error = Cli::try_parse_from(["rukun", "join", "ABC"]).unwrap_err();
        assert!(error.to_string().contains("survey id"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn a_resolution_takes_one_choice() {
        let parse = |extra: &[&str]| {
            Cli::try_parse_from(["rukun", "resolve", "1811", "r304"].iter().chain(extra)).is_ok()
        };
        assert!(parse(&["--pick", "abcd"]) && parse(&["--value", "3"]));
        assert!(!parse(&[]) && !parse(&["--pick", "abcd", "--value", "3"]));
    }
}
