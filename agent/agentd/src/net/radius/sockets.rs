//! The UDP sockets: authentication, accounting, and the one that Disconnect-Requests leave from.

use engine::wifi::{Input, Socket};
use host::udp::Batch;
use proto::radius::PACKET_MAX_BYTES;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

pub(super) struct Sockets {
    auth: UdpSocket,
    acct: UdpSocket,
    dynamic: UdpSocket,
    /// They listen on all of IPv6, and reach IPv4 by mapped addresses.
    is_v6: bool,
    batch: Batch,
    /// Datagrams for which the kernel had no room.
    unsent: u64,
}

impl Sockets {
    pub(super) fn new(auth: UdpSocket, acct: UdpSocket, dynamic: UdpSocket) -> io::Result<Self> {
        for socket in [&auth, &acct, &dynamic] {
            socket.set_nonblocking(true)?;
            if let Err(error) = host::udp::widen_receive_buffer(socket) {
                tracing::debug!(%error, "a socket keeps its receive buffer");
            }
        }
        // One octet more than a packet has, so that what is too long is seen as such.
        let batch = Batch::new(PACKET_MAX_BYTES + 1);
        Ok(Self { is_v6: auth.local_addr()?.is_ipv6(), auth, acct, dynamic, batch, unsent: 0 })
    }

    /// Logins last: there may be any number of them, and the others must find room before them.
    pub(super) const ALL: [Socket; 3] = [Socket::DynamicAuthorization, Socket::Accounting, Socket::Authentication];

    /// What to wait for; the order is that of [`Sockets::ALL`].
    pub(super) fn sources(&self) -> [BorrowedFd<'_>; 3] {
        [self.dynamic.as_fd(), self.acct.as_fd(), self.auth.as_fd()]
    }

    /// None for a connection, which is no socket of ours here.
    const fn of(&self, socket: Socket) -> Option<&UdpSocket> {
        match socket {
            Socket::Authentication => Some(&self.auth),
            Socket::Accounting => Some(&self.acct),
            Socket::DynamicAuthorization => Some(&self.dynamic),
            Socket::RadSec(_) => None,
        }
    }

    /// Takes what has arrived, so that it does not lie in the kernel's small buffer while others are served, until `waiting` has
    /// `waiting_max`. What finds no room stays there, and is lost when that is full too: the access point sends it again.
    pub(super) fn fetch(&mut self, socket: Socket, waiting: &mut VecDeque<Input>, waiting_max: usize) {
        while waiting.len() < waiting_max {
            let received = match socket {
                Socket::Authentication => self.batch.receive(&self.auth),
                Socket::Accounting => self.batch.receive(&self.acct),
                Socket::DynamicAuthorization => self.batch.receive(&self.dynamic),
                Socket::RadSec(_) => return,
            };
            let may_be_more = received.unwrap_or_else(|error| {
                tracing::debug!(%error, ?socket, "a datagram could not be received");
                false
            });
            waiting.extend(self.batch.datagrams().map(|(from, datagram)| {
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                Input::Received { socket, from, datagram: datagram.to_vec() }
            }));
            if !may_be_more {
                return;
            }
        }
    }

    /// A datagram for which the kernel has no room is lost, like one on the wire: whoever waits for it asks again.
    pub(super) fn send(&mut self, socket: Socket, to: SocketAddr, datagram: &[u8]) {
        let to = match to.ip() {
            IpAddr::V4(v4) if self.is_v6 => SocketAddr::new(v4.to_ipv6_mapped().into(), to.port()),
            IpAddr::V4(_) | IpAddr::V6(_) => to,
        };
        let Some(port) = self.of(socket) else { return };
        match port.send_to(datagram, to) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.unsent += 1,
            Err(error) => tracing::warn!(%error, %to, "a RADIUS packet could not be sent"),
        }
    }

    pub(super) const fn unsent(&self) -> u64 {
        self.unsent
    }
}
