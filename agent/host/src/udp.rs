//! UDP sockets (udp(7), socket(7)).

use nix::sys::socket::{setsockopt, sockopt};
use std::io;
use std::os::fd::AsFd;

/// A thousand small datagrams, as the kernel accounts for them. It grants what `net.core.rmem_max` allows, and doubles that.
const RECEIVE_BUFFER_BYTES: usize = 1_024 * 1_024;

/// Lets the kernel keep more of what arrives while nobody reads.
///
/// # Errors
/// What setsockopt(2) says.
pub fn widen_receive_buffer(socket: &impl AsFd) -> io::Result<()> {
    setsockopt(socket, sockopt::RcvBuf, &RECEIVE_BUFFER_BYTES)?;
    Ok(())
}
