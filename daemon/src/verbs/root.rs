//! The verb by which another key becomes the survey's root. No daemon answers it: it needs both keys.

use rukun_authority::Keypair;
use rukun_change::DeviceKey;
use rukun_replica::{ActionError, Replica, RootFollowed};

use super::error::VerbError;
use super::shape::RootFollowedShape;

/// Asks whether this key is a root of the survey now.
///
/// # Errors
/// If it is none.
pub fn check_root(replica: &Replica, root: &DeviceKey) -> Result<(), VerbError> {
    let trust = replica.trust().ok_or(ActionError::NoCharter)?;
    match trust.root_seat(root) {
        Some(_) => Ok(()),
        None => Err(no_root(root, &trust.roots().iter().map(DeviceKey::to_string).collect::<Vec<_>>())),
    }
}

/// That a key is not among the roots in force, and what to do about it.
pub fn no_root(root: &DeviceKey, in_force: &[String]) -> VerbError {
    let message = format!("root.key is {root}, which is not the root in force ({})", in_force.join(", "));
    let remedy = "that root key was followed by another, or is another survey's: remove root.key, and put the key \
                  together from the newer shares: rukun root join SHARE SHARE";
    VerbError::new(message, remedy).with_status(403)
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
