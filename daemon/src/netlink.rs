//! What Linux says of its links, addresses and routes becomes the word that a network came. What changed is not read:
//! who has no link tries, and finds out. Where the system does not say it, as on Android, the host app does.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{sleep, timeout};

use crate::network::Network;

/// Links, addresses and routes of both families: `RTMGRP_*` in `linux/rtnetlink.h`.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;
/// A network comes in many messages: interface, addresses, routes. It is there when no more follow within this.
const SETTLED_AFTER: Duration = Duration::from_millis(500);
/// What goes on for ever is no arrival: after this it counts as one.
const SETTLED_MAX: Duration = Duration::from_secs(2);
/// How soon what is said after it counts again: an attempt over a slow network takes as long.
const AGAIN_AFTER: Duration = Duration::from_secs(4);

/// Tells of each change of the system's networks, once, until the task is ended.
pub async fn watch(network: Network) {
    if let Err(error) = watch_socket(&network).await {
        tracing::debug!("changes of the network are not told by the system: {error}");
    }
}

async fn watch_socket(network: &Network) -> io::Result<()> {
    let socket = open()?;
    loop {
        heard(&socket).await?;
        let _ = timeout(SETTLED_MAX, settled(&socket)).await;
        tracing::debug!("the network changed");
        network.changed();
        sleep(AGAIN_AFTER).await;
    }
}

#[expect(
    deprecated,
    reason = "what takes its place is unsafe to call; an OwnedFd stays the same until it is dropped"
)]
fn open() -> io::Result<AsyncFd<OwnedFd>> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
    AsyncFd::with_interest(socket, Interest::READABLE)
}

/// Waits until the system says something.
async fn heard(socket: &AsyncFd<OwnedFd>) -> io::Result<()> {
    let mut beginning = [0; 16];
    let take = |socket: &OwnedFd| Ok(recv(socket, &mut beginning, RecvFlags::empty())?);
    match socket.async_io(Interest::READABLE, take).await {
        // More was said than there is room for.
        Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => Ok(()),
        heard => heard.map(drop),
    }
}

/// Waits until it says no more.
async fn settled(socket: &AsyncFd<OwnedFd>) -> io::Result<()> {
    loop {
        match timeout(SETTLED_AFTER, heard(socket)).await {
            Ok(more) => more?,
            Err(_) => return Ok(()),
        }
    }
}
