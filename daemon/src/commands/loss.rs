//! Losing a device: a revocation is asked for once more before it is made, since nothing takes it back.

use rukun_replica::reason_line;

use super::output::{Output, confirm};
use super::root::asked_for;
use crate::args::{Loss, Settled};
use crate::disk::Folder;
use crate::node::Node;
use crate::render;
use crate::verbs::{self, HeldShape, LossShape, Request, SetAsideShape, SettledShape, VerbError};

pub(super) fn loss(verb: Loss, folder: &Folder, output: Output) -> Result<(), VerbError> {
    match verb {
        Loss::Revoke { device, reason, yes, root } => {
            let loss = revoke(folder, &device, reason, yes, root)?;
            output.show(&loss, render::revoked)?;
        }
        Loss::SetAside { region } => {
            let region = region.map(|region| region.to_string());
            let aside: SetAsideShape = Node::open(folder)?.ask(Request::SetAside { region })?;
            output.show(&aside, render::set_aside)?;
        }
        Loss::Uphold(settled) => settle(folder, settled, true, output)?,
        Loss::Dismiss(settled) => settle(folder, settled, false, output)?,
        Loss::Held { device, csv } => {
            if csv && output.is_json() {
                return Err(VerbError::new("--csv and --json are two forms of one list", "give one of them"));
            }
            let held: HeldShape = Node::open(folder)?.ask(Request::Held { device })?;
            if csv {
                output.show(&held, |held, _| render::held_csv(held))?;
            } else {
                output.show(&held, render::held)?;
            }
        }
    }
    Ok(())
}

fn revoke(
    folder: &Folder,
    device: &str,
    reason: String,
    yes: bool,
    root: bool,
) -> Result<LossShape, VerbError> {
    reason_line(&reason)?;
    let mut node = Node::open(folder)?;
    let root = if root { Some(asked_for(folder)?) } else { None };
    let loss: LossShape = match &root {
        Some(root) => node.with_root(|replica| {
            verbs::check_root(replica, &root.key())?;
            verbs::losing(replica, Some(root), device)
        })?,
        None => node.ask(Request::Losing { device: device.into() })?,
    };
    if !yes {
        confirm(&render::losing(&loss), "Revoke it?", "a revocation", "revoked")?;
    }
    match &root {
        Some(root) => node.with_root(|replica| verbs::revoke(replica, Some(root), &loss.device, &reason)),
        None => node.ask(Request::Revoke { device: loss.device, reason }),
    }
}

fn settle(folder: &Folder, settled: Settled, upheld: bool, output: Output) -> Result<(), VerbError> {
    let Settled { changes, device, region } = settled;
    let region = region.map(|region| region.to_string());
    let request = Request::Settle { changes, device, region, upheld };
    let settled: SettledShape = Node::open(folder)?.ask(request)?;
    output.show(&settled, |settled, _| render::settled(settled))?;
    Ok(())
}
