//! The program around a replica: sockets, threads, clocks, entropy and files. A replica decides,
//! and all of the world it knows comes and goes through here.

pub mod clock;
pub mod quic;
pub mod tls;
