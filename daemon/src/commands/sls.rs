//! Sub-SLS that are split, merged or renamed: what is typed becomes one request for all three.

use rukun_change::SubSls;

use super::output::Output;
use crate::args::Sls;
use crate::disk::Folder;
use crate::node::Node;
use crate::render;
use crate::verbs::{Drawing, RedrawnListShape, RedrawnShape, Request, VerbError};

pub(super) fn sls(verb: Sls, folder: &Folder, output: Output) -> Result<(), VerbError> {
    let request = match verb {
        Sls::Split { from, into, name } => Request::SlsRedraw { from: vec![from], to: named(into, name)? },
        Sls::Merge { from, into, name } => {
            Request::SlsRedraw { from, to: vec![Drawing { code: into, name: name.unwrap_or_default() }] }
        }
        Sls::Rename { code, name } => {
            Request::SlsRedraw { from: vec![code], to: vec![Drawing { code, name }] }
        }
        Sls::List => {
            let list: RedrawnListShape = Node::open(folder)?.ask(Request::SlsList)?;
            output.show(&list, render::redrawn_list)?;
            return Ok(());
        }
    };
    let redrawn: RedrawnShape = Node::open(folder)?.ask(request)?;
    output.show(&redrawn, render::redrawn)?;
    Ok(())
}

/// Each code with its name: there are as many, or none.
fn named(codes: Vec<SubSls>, names: Vec<String>) -> Result<Vec<Drawing>, VerbError> {
    if !names.is_empty() && names.len() != codes.len() {
        let message = format!("{} --into and {} --name were given", codes.len(), names.len());
        return Err(VerbError::new(message, "name none of them, or each, in the order of --into"));
    }
    let names = names.into_iter().chain(std::iter::repeat(String::new()));
    Ok(codes.into_iter().zip(names).map(|(code, name)| Drawing { code, name }).collect())
}
