//! Addresses to dial: what is typed becomes one that the node keeps.

use rukun_replica::Replica;

use super::error::VerbError;

/// Adds to those that are dialled. Gives all of them.
pub(super) fn add_addresses(replica: &mut Replica, new: Vec<String>) -> Result<Vec<String>, VerbError> {
    let mut addresses = replica.addresses()?;
    for address in new {
        check_address(&address)?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    replica.set_addresses(&addresses)?;
    Ok(addresses)
}

/// A host and a port; whether anybody answers there is found out by dialling.
pub(crate) fn check_address(address: &str) -> Result<(), VerbError> {
    let port =
        address.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(port)) if port > 0 => Ok(()),
        _ => {
            let remedy = "write it like 192.168.1.10:7811 or kantor.example.id:7811";
            Err(VerbError::new(format!("{address:?} is no HOST:PORT"), remedy))
        }
    }
}
