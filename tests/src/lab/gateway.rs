//! A carrier's gateway: what a phone sends over UDP goes on under an address and a port of the carrier's, and what comes
//! there goes to the phone. At a rebinding both change under connections that go on, and what is on its way to where the
//! phone was is lost. TCP goes past it.

use std::net::Ipv4Addr;

const UDP: u8 = 17;
/// Where a header of IPv4 has its parts.
const PROTOCOL_AT: usize = 9;
const CHECKSUM_AT: usize = 10;
const SOURCE_AT: usize = 12;
const DESTINATION_AT: usize = 16;
/// Of the carrier's addresses on the lane's network the first; each rebinding takes the next.
const FIRST: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 7, 0, 100), 40_000);

/// An address and a port.
type Place = ([u8; 4], [u8; 2]);

/// What stands between one phone and everybody else.
#[derive(Debug, Default)]
pub struct Gateway {
    /// How often the phone was given a place, which is that of the last.
    given: u8,
    phone: Option<Place>,
}

impl Gateway {
    /// From now on the phone has another place outside.
    pub fn rebind(&mut self) {
        self.given += 1;
    }

    /// A packet from the phone, as it goes on.
    pub fn out(&mut self, mut packet: Vec<u8>) -> Vec<u8> {
        let Some(outside) = self.outside() else { return packet };
        let header = header_bytes(&packet);
        if let Some((address, port)) = place(&packet, SOURCE_AT, header) {
            self.phone = Some((address, port));
            replace(&mut packet, SOURCE_AT, header, header, outside);
        }
        packet
    }

    /// A packet for the phone, as it comes there; nothing if it is for where the phone was.
    pub fn within(&self, mut packet: Vec<u8>) -> Option<Vec<u8>> {
        let (Some(outside), Some(phone)) = (self.outside(), self.phone) else { return Some(packet) };
        let header = header_bytes(&packet);
        match place(&packet, DESTINATION_AT, header + 2) {
            Some(to) if to == outside => replace(&mut packet, DESTINATION_AT, header, header + 2, phone),
            Some(_) => return None,
            None => {}
        }
        Some(packet)
    }

    /// Where the phone seems to be; nothing while there is no gateway.
    fn outside(&self) -> Option<Place> {
        let after_first = self.given.checked_sub(1)?;
        let (address, port) = FIRST;
        let [a, b, c, last] = address.octets();
        Some(([a, b, c, last + after_first], (port + u16::from(after_first)).to_be_bytes()))
    }
}

fn header_bytes(packet: &[u8]) -> usize {
    packet.first().map_or(0, |first| usize::from(first & 0xf) * 4)
}

/// An address and a port of a packet of UDP over IPv4.
fn place(packet: &[u8], address_at: usize, port_at: usize) -> Option<Place> {
    let is_udp = packet.first()? >> 4 == 4 && *packet.get(PROTOCOL_AT)? == UDP;
    let address = packet.get(address_at..)?.first_chunk()?;
    let port = packet.get(port_at..)?.first_chunk()?;
    is_udp.then_some((*address, *port))
}

/// Puts another place there. The checksum of UDP may be left out (RFC 768), that of IPv4 is made anew.
fn replace(packet: &mut [u8], address_at: usize, header: usize, port_at: usize, (address, port): Place) {
    packet[address_at..address_at + 4].copy_from_slice(&address);
    packet[port_at..port_at + 2].copy_from_slice(&port);
    packet[header + 6..header + 8].fill(0);
    packet[CHECKSUM_AT..CHECKSUM_AT + 2].fill(0);
    let sum = checksum(&packet[..header]);
    packet[CHECKSUM_AT..CHECKSUM_AT + 2].copy_from_slice(&sum.to_be_bytes());
}

/// Of a header (RFC 1071).
fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// UDP from 10.7.0.1:7811 to 10.7.0.2:7811, with a checksum of UDP that is not looked at.
    fn packet(from: [u8; 4], from_port: u16, to: [u8; 4], to_port: u16) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 32, 0, 1, 0x40, 0, 64, UDP, 0, 0];
        packet.extend(from.into_iter().chain(to));
        packet.extend(from_port.to_be_bytes().into_iter().chain(to_port.to_be_bytes()));
        packet.extend([0, 12, 0xab, 0xcd, 1, 2, 3, 4]);
        packet
    }

    const PHONE: [u8; 4] = [10, 7, 0, 1];
    const OFFICE: [u8; 4] = [10, 7, 0, 2];

    #[test]
    fn what_is_sent_comes_from_the_carrier_and_what_is_answered_comes_to_the_phone() {
        let mut gateway = Gateway::default();
        let sent = packet(PHONE, 7_811, OFFICE, 7_811);
        assert_eq!(gateway.out(sent.clone()), sent, "there is none yet");
        gateway.rebind();
        let out = gateway.out(sent.clone());
        assert_eq!(place(&out, SOURCE_AT, 20), Some(([10, 7, 0, 100], 40_000_u16.to_be_bytes())));
        assert_eq!((&out[DESTINATION_AT..20], &out[28..]), (&sent[DESTINATION_AT..20], &sent[28..]));
        assert_eq!(checksum(&out[..20]), 0, "a header whose checksum is right sums up to nothing");
        let back = gateway.within(packet(OFFICE, 7_811, [10, 7, 0, 100], 40_000)).unwrap();
        assert_eq!(place(&back, DESTINATION_AT, 22), Some((PHONE, 7_811_u16.to_be_bytes())));
        assert_eq!(checksum(&back[..20]), 0);
    }

    #[test]
    fn after_a_rebinding_nothing_comes_to_where_the_phone_was() {
        let mut gateway = Gateway::default();
        gateway.rebind();
        gateway.out(packet(PHONE, 7_811, OFFICE, 7_811));
        gateway.rebind();
        assert_eq!(gateway.within(packet(OFFICE, 7_811, [10, 7, 0, 100], 40_000)), None);
        assert!(gateway.within(packet(OFFICE, 7_811, [10, 7, 0, 101], 40_001)).is_some());
        let mut tcp = packet(OFFICE, 7_811, PHONE, 7_811);
        tcp[PROTOCOL_AT] = 6;
        assert_eq!(gateway.within(tcp.clone()), Some(tcp), "tcp goes past it");
    }
}
