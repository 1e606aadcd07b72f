//! Granting: a district by the root key, where it is; every other role by this device. And who was granted what.

use rukun_authority::Role;
use rukun_change::Region;
use rukun_replica::NewGrant;

use super::output::Output;
use crate::disk::Folder;
use crate::node::Node;
use crate::render;
use crate::verbs::{self, GrantShape, GrantedShape, GrantsShape, Request, VerbError};

pub(super) fn grant(folder: &Folder, request: Request, output: Output) -> Result<(), VerbError> {
    let mut node = Node::open(folder)?;
    let granted: GrantedShape = match request {
        Request::Grant { device, role: Role::District, regions, name } if folder.root_path().exists() => {
            let root = folder.root()?;
            let new = NewGrant { subject: device, role: Role::District, regions, name };
            node.with_root(|replica| {
                verbs::check_root(replica, &root.key())?;
                verbs::grant(replica, Some(&root), new)
            })?
        }
        request => node.ask(request)?,
    };
    // A daemon that listens everywhere is found under this machine's name, whatever that is.
    let listens = folder.note()?.map(|note| note.quic);
    let address = listens.map(|quic| {
        if quic.ip().is_unspecified() { format!("HOST:{}", quic.port()) } else { quic.to_string() }
    });
    output.show(&granted, |granted, paint| render::granted(granted, address.as_deref(), paint))?;
    Ok(())
}

/// Lists what is in force, of a region if one is named.
pub(super) fn list(folder: &Folder, region: Option<&Region>, output: Output) -> Result<(), VerbError> {
    let mut list: GrantsShape = Node::open(folder)?.ask(Request::Grants)?;
    let meets = |place: &String| match (region, place.parse::<Region>()) {
        (Some(region), Ok(place)) => region.covers(&place) || place.covers(region),
        _ => region.is_none(),
    };
    list.grants.retain(|grant| grant.in_force.iter().any(meets));
    let rank = |grant: &GrantShape| grant.role.parse().ok().map(|role: Role| role);
    list.grants.sort_by_cached_key(|grant| (rank(grant), grant.in_force.clone(), grant.name.clone()));
    output.show(&list, render::grants)
}
