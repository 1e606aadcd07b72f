//! What a daemon that runs knows of its network, told or asked. No store is opened for it.

use super::output::Output;
use crate::args::Told;
use crate::client::Client;
use crate::disk::Folder;
use crate::node::Node;
use crate::render;
use crate::verbs::{NetworkShape, Request, VerbError, no_daemon};

pub(super) fn network(told: &Told, folder: &Folder, output: Output) -> Result<(), VerbError> {
    let client = Client::find(folder)?.ok_or_else(no_daemon)?;
    let known: NetworkShape = Node::Daemon(client).ask(Request::Network(told.news()))?;
    output.show(&known, render::network)?;
    Ok(())
}
