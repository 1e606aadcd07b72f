//! From the command line to the node and back to the terminal: each verb's arguments become a
//! request, its answer becomes text or JSON, and its failure an exit code with a remedy.

mod backup;
mod bundle;
mod courier;
mod daemon;
mod erasure;
mod evidence;
mod grant;
mod import;
mod init;
mod join;
mod loss;
mod network;
mod officers;
mod output;
mod repair;
mod root;
mod sls;

use std::io::Read;
use std::process::ExitCode;

use serde_json::Value;

use crate::args::{Answers, Cli, Conflicts, EvidenceVerb, HandOver, NetworkVerb, Peer, Record, Verb, Verify};
use crate::demo::{self, Story};
use crate::disk::{Folder, PassphraseFrom};
use crate::node::Node;
use crate::render;
use crate::verbs::{
    AssignedShape, BlameShape, ConflictsShape, Edit, IdShape, LogShape, MovedShape, PeersShape, RecordShape,
    RecordsShape, ReleasedListShape, Request, StatusShape, VerbError, WrittenShape,
};
use output::Output;

/// Exit code: some of a file is bad, what is good went in.
const SOME_REFUSED: u8 = 3;
/// Exit code: the demonstration found a difference where there should be none.
const DIFFERS: u8 = 4;

/// Carries out what the command line says.
pub fn carry_out(cli: Cli) -> ExitCode {
    let output = Output::new(cli.json);
    let done = match &cli.verb {
        Verb::Evidence(EvidenceVerb::Evidence { verify: Some(Verify::Verify { file, survey }), .. }) => {
            evidence::verify(file, survey.as_ref(), output)
        }
        _ => folder(&cli).and_then(|folder| verb(cli.verb, &folder, output)),
    };
    done.unwrap_or_else(|error| {
        output.fail(&error);
        ExitCode::FAILURE
    })
}

fn folder(cli: &Cli) -> Result<Folder, VerbError> {
    let folder = match &cli.dir {
        Some(path) => Folder::at(path),
        None => Folder::usual()?,
    };
    let set = || std::env::var_os("RUKUN_PASSPHRASE_FILE").filter(|value| !value.is_empty());
    Ok(match cli.passphrase_file.clone().or_else(|| set().map(Into::into)) {
        Some(path) => folder.with_passphrase(PassphraseFrom::File(path)),
        None => folder,
    })
}

fn verb(verb: Verb, folder: &Folder, output: Output) -> Result<ExitCode, VerbError> {
    match verb {
        Verb::Init(init) => init::init(&init, folder, output)?,
        Verb::Join(join) => join::join(join, folder, output)?,
        Verb::Officers { verb } => return officers::officers(verb, folder, output),
        Verb::Daemon(daemon) => return daemon::daemon(daemon, folder, output),
        Verb::Id { qr } => {
            let id: IdShape = Node::open_or_make(folder)?.ask(Request::Id)?;
            output.show(&id, |id, paint| render::id(id, qr, paint))?;
        }
        Verb::Grant { device, role, region, name } => {
            grant::grant(folder, Request::Grant { device, role, regions: region, name }, output)?;
        }
        Verb::HandOver(HandOver::Assign { region, from, to }) => {
            let assigned: AssignedShape = Node::open(folder)?.ask(Request::Assign { region, from, to })?;
            output.show(&assigned, render::assigned)?;
        }
        Verb::HandOver(HandOver::Grants { region }) => grant::list(folder, region.as_ref(), output)?,
        Verb::HandOver(HandOver::Transfer { record, to }) => {
            let to = to.to_string();
            let moved: MovedShape = Node::open(folder)?.ask(Request::Transfer { record, to })?;
            output.show(&moved, render::moved)?;
        }
        Verb::HandOver(HandOver::Released) => {
            let released: ReleasedListShape = Node::open(folder)?.ask(Request::Released)?;
            output.show(&released, render::released)?;
        }
        Verb::Loss(verb) => loss::loss(verb, folder, output)?,
        Verb::Root(verb) => root::root(verb, folder, output)?,
        Verb::Erasure(verb) => erasure::erasure(verb, folder, output)?,
        Verb::Sls(verb) => sls::sls(verb, folder, output)?,
        Verb::Peer(peer) => {
            let request = match peer {
                Peer::Add { address } => Request::PeerAdd { address },
                Peer::Remove { address } => Request::PeerRemove { address },
                Peer::List => Request::PeerList,
            };
            let peers: PeersShape = Node::open(folder)?.ask(request)?;
            output.show(&peers, |peers, _| render::peers(&peers.peers))?;
        }
        Verb::Import { file } => return import::import(&file, folder, output),
        Verb::Record(verb) => record(verb, folder, output)?,
        Verb::Status => {
            let status: StatusShape = Node::open(folder)?.ask(Request::Status)?;
            output.show(&status, render::status)?;
        }
        Verb::Log { record } => {
            let log: LogShape = Node::open(folder)?.ask(Request::Log { record })?;
            output.show(&log, render::log)?;
        }
        Verb::Blame { record } => {
            let blame: BlameShape = Node::open(folder)?.ask(Request::Blame { record })?;
            output.show(&blame, render::blame)?;
        }
        Verb::Conflicts { show: Some(Conflicts::Show { record }), .. } => {
            let conflicts: ConflictsShape = Node::open(folder)?.ask(Request::ConflictsShow { record })?;
            output.show(&conflicts, render::conflict_details)?;
        }
        Verb::Conflicts { region, kind, show: None } => {
            let (region, kind) = (region.map(|region| region.to_string()), kind.map(|kind| kind.to_string()));
            let conflicts: ConflictsShape = Node::open(folder)?.ask(Request::Conflicts { region, kind })?;
            output.show(&conflicts, render::conflict_list)?;
        }
        Verb::Resolve { record, field, pick, value, ink } => {
            let value = value.map(|value| read_line_for(&value)).transpose()?;
            let ink = ink.map(|ink| ink.to_string());
            let request = Request::Resolve { record, field, pick, value, ink };
            write(folder, request, output)?;
        }
        Verb::Evidence(EvidenceVerb::Evidence { record, out, .. }) => {
            evidence::write(record.unwrap_or_default(), out, folder, output)?;
        }
        Verb::Bundle(verb) => return bundle::carry_out(verb, folder, output),
        Verb::Courier(verb) => courier::carry_out(verb, folder, output)?,
        Verb::Repair => repair::repair(folder, output)?,
        Verb::Backup(verb) => backup::carry_out(verb, folder, output)?,
        Verb::Network(NetworkVerb::Network(told)) => network::network(&told, folder, output)?,
        Verb::Demo { lost_phone, keep } => {
            let story = if lost_phone { Story::LostPhone } else { Story::Day };
            let alike = demo::run(story, keep.as_deref(), output.is_json())?;
            return Ok(if alike { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) });
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn record(verb: Record, folder: &Folder, output: Output) -> Result<(), VerbError> {
    match verb {
        Record::Add { region, answers } => {
            let patch = patch(&answers)?;
            let ink = answers.ink.map(|ink| ink.to_string());
            write(folder, Request::RecordAdd { region, ink, patch, set: answers.set }, output)
        }
        Record::Set { record, answers } => {
            let patch = patch(&answers)?;
            let ink = answers.ink.map(|ink| ink.to_string());
            write(folder, Request::RecordSet(Edit { record, ink, patch, set: answers.set }), output)
        }
        Record::Gone { record, member, reason, ink } => {
            let ink = ink.map(|ink| ink.to_string());
            write(folder, Request::RecordGone { record, member, reason, ink }, output)
        }
        Record::Show { record } => {
            let record: RecordShape = Node::open(folder)?.ask(Request::RecordShow { record })?;
            output.show(&record, render::record)?;
            Ok(())
        }
        Record::List { region, after, limit } => {
            let region = region.map(|region| region.to_string());
            let request = Request::RecordList { region, after, limit: Some(limit) };
            let records: RecordsShape = Node::open(folder)?.ask(request)?;
            output.show(&records, render::record_list)?;
            Ok(())
        }
    }
}

fn write(folder: &Folder, request: Request, output: Output) -> Result<(), VerbError> {
    let written: WrittenShape = Node::open(folder)?.ask(request)?;
    output.show(&written, |written, _| render::written(written))?;
    Ok(())
}

/// The patch on the command line, or on standard input.
fn patch(answers: &Answers) -> Result<Option<Value>, VerbError> {
    let Some(given) = &answers.json_patch else { return Ok(None) };
    let text = if given == "-" { read_all()? } else { given.clone() };
    let remedy = "write it like --json-patch '{\"r304\": 3}', or give a file by --json-patch - < FILE";
    let patch = serde_json::from_str(&text);
    patch.map(Some).map_err(|error| VerbError::new(format!("the patch is no JSON: {error}"), remedy))
}

/// An answer, or the one line of standard input for a dash: what others must not see typed. Nothing there is no
/// answer, and not an empty one, which would take back what stands.
fn read_line_for(given: &str) -> Result<String, VerbError> {
    if given != "-" {
        return Ok(given.into());
    }
    let text = read_all()?;
    match text.trim() {
        line if !line.is_empty() && !line.contains('\n') => Ok(line.into()),
        _ => Err(VerbError::new("standard input is not one line", "give it the answer and nothing else")),
    }
}

fn read_all() -> Result<String, VerbError> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| VerbError::new(format!("standard input can't be read: {error}"), ""))?;
    Ok(text)
}
