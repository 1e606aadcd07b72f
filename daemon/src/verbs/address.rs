//! Addresses to dial: what is typed becomes one that the node keeps.

use std::net::SocketAddrV6;

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
    let parts = address.rsplit_once(':').filter(|(host, _)| is_host(host));
    match parts.map(|(_, port)| port.parse::<u16>()) {
        Some(Ok(port)) if port > 0 => Ok(()),
        _ => {
            let remedy = "write it like 192.168.1.10:7811, kantor.example.id:7811 or [2001:db8::1]:7811";
            Err(VerbError::new(format!("{address:?} is no HOST:PORT"), remedy))
        }
    }
}

/// An address of IP version 4, one of version 6 in brackets, or a name.
fn is_host(host: &str) -> bool {
    if host.starts_with('[') {
        return format!("{host}:1").parse::<SocketAddrV6>().is_ok();
    }
    let letter = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '_';
    let name = host.strip_suffix('.').unwrap_or(host);
    name.split('.').all(|label| !label.is_empty() && label.chars().all(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port_and_nothing_else() {
        for good in [
            "192.168.1.10:7811",
            "kantor.example.id:7811",
            "[fe80::1]:7811",
            "[fe80::1%3]:7811",
            "kantor_1:1",
            "kantor.:65535",
        ] {
            assert!(check_address(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ":7811",
            "kantor",
            "kantor:",
            "kantor:0",
            "kantor:65536",
            "kantor:port",
            "http://kantor:7811",
            "fe80::1:7811",
            "[fe80::1:7811",
            "[kantor]:7811",
            "kantor..id:7811",
            ".:7811",
            "kantor id:7811",
            "kantor/:7811",
            "user@kantor:7811",
        ] {
            let error = check_address(bad).unwrap_err();
            assert!(error.remedy.contains("7811"), "{bad}");
        }
    }
}
