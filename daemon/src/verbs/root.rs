//! The verb by which another key becomes the survey's root. No daemon answers it: it needs both keys.

use rukun_authority::Keypair;
use rukun_replica::{ActionError, Replica, RootFollowed};

use super::error::VerbError;
use super::shape::RootFollowedShape;

/// Asks whether this key is a root of the survey now.
///
/// # Errors
/// If it is none.
pub fn check_root(replica: &Replica, root: &Keypair) -> Result<(), VerbError> {
    let trust = replica.trust().ok_or(ActionError::NoCharter)?;
    match trust.root_seat(&root.key()) {
        Some(_) => Ok(()),
        None => Err(ActionError::NotTheRoot { device: root.key() }.into()),
    }
}

/// Lets a key be root after the present one.
///
/// # Errors
/// If the present key is no root of this survey.
pub fn succeed_root(
    replica: &mut Replica,
    present: &Keypair,
    successor: &Keypair,
) -> Result<RootFollowedShape, VerbError> {
    let RootFollowed { statement, was, root, kept } = replica.succeed_root(present, successor)?;
    let (statement, was, root) = (statement.to_string(), was.to_string(), root.to_string());
    Ok(RootFollowedShape { statement, was, root, kept, shares: Vec::new() })
}
