//! Granting: a district by the root key, where it is; every other role by this device.

use rukun_authority::Role;
use rukun_replica::NewGrant;

use super::output::Output;
use crate::disk::Folder;
use crate::node::Node;
use crate::render;
use crate::verbs::{self, GrantShape, Request, VerbError};

pub(super) fn grant(folder: &Folder, request: Request, output: Output) -> Result<(), VerbError> {
    let mut node = Node::open(folder)?;
    let granted: GrantShape = match request {
        Request::Grant { device, role: Role::District, regions, name } if folder.root_path().exists() => {
            let root = folder.root()?;
            let new = NewGrant { subject: device, role: Role::District, regions, name };
            node.with_root(|replica| verbs::grant(replica, Some(&root), new))?
        }
        request => node.ask(request)?,
    };
    // A daemon that listens everywhere is found under this machine's name, whatever that is.
    let listens = folder.note()?.map(|note| note.quic);
    let address = listens.map(|quic| {
        if quic.ip().is_unspecified() { format!("HOST:{}", quic.port()) } else { quic.to_string() }
    });
    output.show(&granted, |granted, paint| render::grant(granted, address.as_deref(), paint))?;
    Ok(())
}
