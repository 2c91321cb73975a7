//! A thread that waits for sockets and for other threads at once (poll(2), eventfd(2)).
//!
//! For a thread that answers each packet in less time than an async runtime needs to be woken and to look at everything that it
//! might have been woken for.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Rung by any thread to say that something lies in a queue; heard by the one that waits.
///
/// The order that loses nothing: who has something puts it into the queue and then rings; who waits calls [`Bell::heard`] and
/// then empties the queue.
#[derive(Debug)]
pub struct Bell {
    event: EventFd,
    /// It rings already: another ring would cost a call and tell nothing new.
    rings: AtomicBool,
}

impl Bell {
    /// # Errors
    /// What eventfd(2) says.
    pub fn new() -> io::Result<Self> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Self { event, rings: AtomicBool::new(false) })
    }

    pub fn ring(&self) {
        if !self.rings.swap(true, Ordering::SeqCst) {
            // Fails only when the counter is full, and then it is readable all the same.
            let _ = self.event.write(1);
        }
    }

    /// Whether it rings: for a thread that is awake anyway, and cheaper than [`wait_readable`].
    #[must_use]
    pub fn rings(&self) -> bool {
        self.rings.load(Ordering::SeqCst)
    }

    /// From now on it can be rung anew. To be called whenever [`wait_readable`] says that it can be read, too: whoever rings
    /// may have been between its two steps the last time.
    pub fn heard(&self) {
        let _ = self.event.read(); // nothing in it is no fault
        // A swap, not a store: it reads what the last ringer wrote, and so whoever calls this sees what that one put.
        self.rings.swap(false, Ordering::SeqCst);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

/// Waits until one of these can be read, or for as long as said; for ever when nothing is said. True for each that can be read
/// or has failed, which its reader is told.
///
/// # Errors
/// What poll(2) says, but for a signal, after which none can be read.
pub fn wait_readable<const N: usize>(sources: [BorrowedFd<'_>; N], at_most: Option<Duration>) -> io::Result<[bool; N]> {
    let mut polled = sources.map(|source| PollFd::new(source, PollFlags::POLLIN));
    let timeout = match at_most {
        // A part of a millisecond is rounded up: a timer must not find that it is not due yet, and ask again and again.
        Some(wait) => PollTimeout::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(PollTimeout::MAX),
        None => PollTimeout::NONE,
    };
    match poll(&mut polled, timeout) {
        Ok(_) => Ok(polled.map(|source| source.any().unwrap_or(true))),
        Err(Errno::EINTR) => Ok([false; N]),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, UdpSocket};
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn what_can_be_read_is_told_apart() {
        let [one, other] = [(); 2].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback"));
        assert_eq!(wait_readable([one.as_fd(), other.as_fd()], Some(Duration::ZERO)).expect("two sockets"), [false; 2]);
        one.send_to(b"x", other.local_addr().expect("bound")).expect("loopback");
        assert_eq!(wait_readable([one.as_fd(), other.as_fd()], None).expect("two sockets"), [false, true]);
    }

    #[test]
    fn it_rings_once_until_it_was_heard() {
        let bell = Bell::new().expect("a descriptor");
        assert!(!bell.rings());
        bell.ring();
        bell.ring();
        assert!(bell.rings());
        assert_eq!(wait_readable([bell.as_fd()], None).expect("a bell"), [true]);
        bell.heard();
        assert!(!bell.rings());
        assert_eq!(wait_readable([bell.as_fd()], Some(Duration::ZERO)).expect("a bell"), [false]);
    }

    #[test]
    fn nothing_that_was_put_before_a_ring_is_missed() {
        const EACH: usize = 20_000;
        let (bell, put) = (Arc::new(Bell::new().expect("a descriptor")), Arc::new(AtomicUsize::new(0)));
        let ringers: Vec<_> = (0..2)
            .map(|_| {
                let (bell, put) = (Arc::clone(&bell), Arc::clone(&put));
                std::thread::spawn(move || {
                    for _ in 0..EACH {
                        put.fetch_add(1, Ordering::SeqCst);
                        bell.ring();
                    }
                })
            })
            .collect();
        let mut seen = 0;
        while seen < 2 * EACH {
            // Without an end of its own: a ring that got lost leaves this waiting for ever.
            wait_readable([bell.as_fd()], None).expect("a bell");
            bell.heard();
            seen = put.load(Ordering::SeqCst);
        }
        ringers.into_iter().for_each(|ringer| ringer.join().expect("no panic"));
    }
}
