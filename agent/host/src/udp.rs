//! UDP sockets (udp(7), socket(7)): what lies in one is taken by one call.

use nix::sys::socket::{setsockopt, sockopt};
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};

/// A thousand small datagrams, as the kernel accounts for them. It grants what `net.core.rmem_max` allows, and doubles that.
const RECEIVE_BUFFER_BYTES: usize = 1_024 * 1_024;
/// Datagrams that one call takes: enough that its cost does not matter in a burst.
const BATCH_MAX: usize = 16;

/// Lets the kernel keep more of what arrives while nobody reads.
///
/// # Errors
/// What setsockopt(2) says.
pub fn widen_receive_buffer(socket: &impl AsFd) -> io::Result<()> {
    setsockopt(socket, sockopt::RcvBuf, &RECEIVE_BUFFER_BYTES)?;
    Ok(())
}

/// Room for the datagrams that one call takes.
#[derive(Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    datagram_max: usize,
    /// Length and sender of each that was taken.
    taken: Vec<(usize, SocketAddr)>,
}

impl Batch {
    /// A datagram that is longer than `datagram_max` octets is cut to them.
    #[must_use]
    pub fn new(datagram_max: usize) -> Self {
        Self { bytes: vec![0; BATCH_MAX * datagram_max], datagram_max, taken: Vec::with_capacity(BATCH_MAX) }
    }

    /// Takes what has arrived, up to its room, and never waits. True when it is full: more may lie there.
    ///
    /// # Errors
    /// What recvmmsg(2) says, but for `WouldBlock`, which is an empty batch.
    pub fn receive(&mut self, socket: &impl AsFd) -> io::Result<bool> {
        self.taken.clear();
        let mut senders = [MaybeUninit::<libc::sockaddr_in6>::zeroed(); BATCH_MAX];
        let mut parts = [MaybeUninit::<libc::iovec>::uninit(); BATCH_MAX];
        let mut headers = [MaybeUninit::<libc::mmsghdr>::zeroed(); BATCH_MAX];
        let rooms = self.bytes.chunks_exact_mut(self.datagram_max);
        for (((header, part), sender), room) in headers.iter_mut().zip(&mut parts).zip(&mut senders).zip(rooms) {
            let part = part.write(libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() });
            // SAFETY: all zeroes are a header that names no address, no parts and no control messages.
            let header = unsafe { &mut header.assume_init_mut().msg_hdr };
            header.msg_name = sender.as_mut_ptr().cast();
            header.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            header.msg_iov = part;
            header.msg_iovlen = 1;
        }
        // SAFETY: the descriptor is open for as long as it is borrowed; each of the BATCH_MAX headers points at one part that
        // points at octets of `bytes` of its own, and at a place for a sender, all of which live until the call is over.
        let result = unsafe {
            libc::recvmmsg(
                socket.as_fd().as_raw_fd(),
                headers.as_mut_ptr().cast(),
                BATCH_MAX as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(result) else {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock { Ok(false) } else { Err(error) };
        };
        for (header, sender) in headers.iter().zip(&senders).take(count) {
            // SAFETY: written above and by the kernel; zeroes where it wrote nothing, and any octets are valid in both.
            let (header, sender) = unsafe { (header.assume_init_ref(), sender.assume_init_ref()) };
            self.taken.push((header.msg_len as usize, address(sender)));
        }
        Ok(count == BATCH_MAX)
    }

    /// Sender and octets of each datagram of the last call, in the order of their arrival.
    pub fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let rooms = self.bytes.chunks_exact(self.datagram_max);
        self.taken.iter().zip(rooms).map(|(&(length, from), room)| (from, room.get(..length).unwrap_or(room)))
    }
}

/// What the kernel wrote: an IPv6 address, or an IPv4 address, which is shorter and has its parts elsewhere.
fn address(sender: &libc::sockaddr_in6) -> SocketAddr {
    if libc::c_int::from(sender.sin6_family) == libc::AF_INET {
        // SAFETY: a sockaddr_in is shorter than a sockaddr_in6 and no more strictly aligned, and any octets are a valid one.
        let sender = unsafe { &*std::ptr::from_ref(sender).cast::<libc::sockaddr_in>() };
        let ip = Ipv4Addr::from(u32::from_be(sender.sin_addr.s_addr));
        return (ip, u16::from_be(sender.sin_port)).into();
    }
    let ip = Ipv6Addr::from(sender.sin6_addr.s6_addr);
    let port = u16::from_be(sender.sin6_port);
    SocketAddrV6::new(ip, port, sender.sin6_flowinfo, sender.sin6_scope_id).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, UdpSocket};

    #[test]
    fn datagrams_come_in_order_with_their_senders_and_lengths() {
        for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let [ours, one, other] = [(); 3].map(|()| UdpSocket::bind((ip, 0)).expect("loopback"));
            let to = ours.local_addr().expect("bound");
            let mut batch = Batch::new(8);
            assert!(!batch.receive(&ours).expect("nothing is no fault"));
            assert_eq!(batch.datagrams().count(), 0);
            one.send_to(b"first", to).expect("loopback");
            other.send_to(b"", to).expect("loopback");
            one.send_to(b"longer than that", to).expect("loopback");
            assert!(!batch.receive(&ours).expect("three"));
            let [one, other] = [one, other].map(|socket| socket.local_addr().expect("bound"));
            let expected: [(SocketAddr, &[u8]); 3] = [(one, b"first"), (other, b""), (one, b"longer t")];
            assert!(batch.datagrams().eq(expected));
        }
    }

    #[test]
    fn more_than_it_has_room_for_comes_with_the_next_call() {
        let ours = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        let theirs = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        let to = ours.local_addr().expect("bound");
        for n in 0..=BATCH_MAX {
            theirs.send_to(&n.to_be_bytes(), to).expect("loopback");
        }
        let mut batch = Batch::new(16);
        assert!(batch.receive(&ours).expect("many"));
        assert_eq!(batch.datagrams().count(), BATCH_MAX);
        assert!(!batch.receive(&ours).expect("the last"));
        assert!(batch.datagrams().map(|(_, octets)| octets).eq([BATCH_MAX.to_be_bytes().as_slice()]));
    }
}
