//! Joining: by a code, which enrols this device at a relay, or by the survey's id alone.

use super::output::Output;
use super::read_line_for;
use crate::args::{Join, JoinBy, JoinFrom};
use crate::disk::Folder;
use crate::enrol;
use crate::node::Node;
use crate::render;
use crate::verbs::{JoinedShape, Request, VerbError, check_address};

pub(super) fn join(join: Join, folder: &Folder, output: Output) -> Result<(), VerbError> {
    let by = match join.what {
        JoinFrom::Command(by) => by,
        JoinFrom::StandardInput => read_line_for("-")?.parse().map_err(|error: String| {
            VerbError::new(error, "give standard input the code or the survey's id, and nothing else")
        })?,
    };
    match (by, join.relay) {
        (JoinBy::Survey(survey), None) => {
            join.peer.iter().try_for_each(|peer| check_address(peer))?;
            let mut node = Node::open_or_make(folder)?;
            let joined: JoinedShape = node.ask(Request::Join { survey, peers: join.peer })?;
            output.show(&joined, |joined, paint| {
                render::joined(joined, matches!(node, Node::Daemon(_)), paint)
            })?;
        }
        (JoinBy::Code(code), Some(relay)) => {
            check_address(&relay)?;
            let enrolled = enrol::join(folder, &code, &relay)?;
            output.show(&enrolled, render::enrolled)?;
        }
        (JoinBy::Code(_), None) => {
            let remedy = "add --relay HOST:PORT, as it stands on the card";
            return Err(VerbError::new("a code is used at the relay that made it", remedy));
        }
        (JoinBy::Survey(_), Some(_)) => {
            let remedy = "with a survey's id, name a node to dial: --peer HOST:PORT";
            return Err(VerbError::new("a relay enrols who has a code, and this is a survey's id", remedy));
        }
    }
    Ok(())
}
