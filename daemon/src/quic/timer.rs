//! Deadlines of connections become timers of the kernel, each of which wakes the program once. Tokio's own wheel wakes
//! it up to three times on the way to a far one, and once more for each that was put off meanwhile: of a phone at rest
//! that is nearly all. Their socket is one of ours, too; what else connections need of a runtime they get from Tokio.

use std::io;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::socket::Socket;

/// Tokio with timers of the kernel.
#[derive(Debug)]
pub(super) struct KernelTimed;

#[derive(Debug)]
struct Timer(AsyncFd<OwnedFd>);

impl Runtime for KernelTimed {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        match Timer::new(at) {
            Ok(timer) => Box::pin(timer),
            // Where file descriptors run out: a relay of many links.
            Err(_) => TokioRuntime.new_timer(at),
        }
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        TokioRuntime.spawn(future);
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Ok(Arc::new(Socket::new(socket)?))
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}

impl Timer {
    #[expect(
        deprecated,
        reason = "what takes its place is unsafe, for descriptors that are replaced: this one is not"
    )]
    fn new(at: Instant) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let timer = Self(AsyncFd::with_interest(timer, Interest::READABLE)?);
        timer.arm(at);
        Ok(timer)
    }

    fn arm(&self, at: Instant) {
        // Nothing at all would stop it.
        let left = at.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let it_value = Timespec::try_from(left).expect("an idle connection ends before time does");
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &Itimerspec { it_interval, it_value })
            .expect("the timer is one, and its nanoseconds are below a second");
    }
}

impl AsyncTimer for Timer {
    fn reset(self: Pin<&mut Self>, at: Instant) {
        self.arm(at);
    }

    fn poll(self: Pin<&mut Self>, context: &mut Context) -> Poll<()> {
        loop {
            // That can't be asked once Tokio has stopped, and nothing runs then.
            let Ok(mut readiness) = ready!(self.0.poll_read_ready(context)) else { return Poll::Pending };
            let mut fired = [0; 8];
            match readiness.try_io(|timer| Ok(rustix::io::read(timer, &mut fired)?)) {
                Ok(_) => return Poll::Ready(()),
                // It was put off after it had fired.
                Err(_would_block) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn fired(timer: &mut Pin<Box<dyn AsyncTimer>>) -> Instant {
        poll_fn(|context| timer.as_mut().poll(context)).await;
        Instant::now()
    }

    #[tokio::test]
    async fn a_timer_fires_at_its_time_and_not_before_it_however_often_it_was_put_off() {
        let begin = Instant::now();
        let mut timer = KernelTimed.new_timer(begin + Duration::from_millis(20));
        assert!(fired(&mut timer).await >= begin + Duration::from_millis(20));
        timer.as_mut().reset(begin);
        fired(&mut timer).await;
        timer.as_mut().reset(begin);
        tokio::time::sleep(Duration::from_millis(5)).await;
        let later = Instant::now() + Duration::from_millis(50);
        timer.as_mut().reset(later);
        assert!(fired(&mut timer).await >= later, "what had fired is not counted for the new time");
        timer.as_mut().reset(later + Duration::from_hours(1));
        timer.as_mut().reset(later);
        fired(&mut timer).await;
    }
}
