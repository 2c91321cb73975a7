//! TCP sockets by what they carry (tcp(7), socket(7)).
//!
//! Door commands: nothing may lie in them for long and come out late.
//! A write to a socket succeeds when the kernel has the bytes, not when the device has them. On a stalled Wi-Fi link they lie
//! there until it recovers. So the kernel gives up early, keeps little, says what it still holds, and forgets it at once when
//! the socket is closed, by us or by a kill.

use nix::sys::socket::{setsockopt, sockopt};
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Unacknowledged bytes end the connection after this (RFC 5482): a relay on good Wi-Fi acknowledges in milliseconds, a bad
/// second is forgiven, and nothing lies there for longer.
const USER_TIMEOUT_MS: u32 = 4_000;
/// The kernel doubles it: room for a command, a few answers and a TLS handshake's certificates.
const SEND_BUFFER_BYTES: usize = 8 * 1_024;
/// A device that says nothing for this long is asked whether it is there; MQTT's own keep-alive may be longer or off.
const KEEP_ALIVE_IDLE_SECONDS: u32 = 30;
const KEEP_ALIVE_INTERVAL_SECONDS: u32 = 5;
const KEEP_ALIVE_PROBES: u32 = 3;

/// Makes a socket fit for door commands. From now on closing it, and the death of the process, discards what was not sent and
/// tells the device by RST; who wants a soft end shuts the writing side down first and waits for the device's own end.
///
/// # Errors
/// What setsockopt(2) says.
pub fn prepare_for_commands(socket: &impl AsFd) -> io::Result<()> {
    setsockopt(socket, sockopt::TcpNoDelay, &true)?;
    setsockopt(socket, sockopt::TcpUserTimeout, &USER_TIMEOUT_MS)?;
    setsockopt(socket, sockopt::SndBuf, &SEND_BUFFER_BYTES)?;
    setsockopt(socket, sockopt::KeepAlive, &true)?;
    setsockopt(socket, sockopt::TcpKeepIdle, &KEEP_ALIVE_IDLE_SECONDS)?;
    setsockopt(socket, sockopt::TcpKeepInterval, &KEEP_ALIVE_INTERVAL_SECONDS)?;
    setsockopt(socket, sockopt::TcpKeepCount, &KEEP_ALIVE_PROBES)?;
    setsockopt(socket, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
    Ok(())
}

/// An access point's end of a connection that is gone (a power cut) is noticed within this when it is silent...
const SILENT_IDLE_SECONDS: u32 = 60;
const SILENT_INTERVAL_SECONDS: u32 = 10;
const SILENT_PROBES: u32 = 3;
/// ...and within this when there is something to tell it.
const PACKETS_USER_TIMEOUT_MS: u32 = 30_000;

/// What the kernel holds for a peer that does not read; it doubles it. Some hundred answers.
const PACKETS_SEND_BUFFER_BYTES: usize = 64 * 1_024;

/// Makes a socket fit for packets that are answered one by one over a connection that stays: each leaves at once, and a peer
/// that is gone without a word is noticed.
///
/// # Errors
/// What setsockopt(2) says.
pub fn prepare_for_packets(socket: &impl AsFd) -> io::Result<()> {
    setsockopt(socket, sockopt::TcpNoDelay, &true)?;
    setsockopt(socket, sockopt::TcpUserTimeout, &PACKETS_USER_TIMEOUT_MS)?;
    setsockopt(socket, sockopt::SndBuf, &PACKETS_SEND_BUFFER_BYTES)?;
    setsockopt(socket, sockopt::KeepAlive, &true)?;
    setsockopt(socket, sockopt::TcpKeepIdle, &SILENT_IDLE_SECONDS)?;
    setsockopt(socket, sockopt::TcpKeepInterval, &SILENT_INTERVAL_SECONDS)?;
    setsockopt(socket, sockopt::TcpKeepCount, &SILENT_PROBES)?;
    Ok(())
}

/// Bytes that were written and that the device has not acknowledged (SIOCOUTQ).
///
/// # Errors
/// What ioctl(2) says.
pub fn unacknowledged_bytes(socket: &impl AsFd) -> io::Result<u32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open for as long as it is borrowed, and SIOCOUTQ (which is TIOCOUTQ) writes one int to the
    // place that we own and point at.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(u32::try_from(bytes).unwrap_or(0)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        let ours = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
        let (theirs, _) = listener.accept().expect("loopback");
        (ours, theirs)
    }

    #[test]
    fn closing_resets_and_what_was_taken_is_not_held() {
        let (mut ours, mut theirs) = pair();
        prepare_for_commands(&ours).expect("options that every Linux has");
        ours.write_all(b"x").expect("room");
        let mut byte = [0];
        theirs.read_exact(&mut byte).expect("one byte");
        // The acknowledgement may take its 40 ms.
        let began = std::time::Instant::now();
        while unacknowledged_bytes(&ours).expect("an open socket") > 0 && began.elapsed().as_secs() < 2 {
            std::thread::yield_now();
        }
        assert_eq!(unacknowledged_bytes(&ours).expect("an open socket"), 0);
        drop(ours);
        let end = theirs.read(&mut byte).map_err(|error| error.kind());
        assert_eq!(end, Err(io::ErrorKind::ConnectionReset));
    }

    #[test]
    fn what_the_device_does_not_take_is_seen() {
        let (mut ours, _theirs) = pair();
        prepare_for_commands(&ours).expect("options that every Linux has");
        ours.set_nonblocking(true).expect("an open socket");
        let block = [0; 4_096];
        while ours.write(&block).is_ok() {}
        assert!(unacknowledged_bytes(&ours).expect("an open socket") > 0);
    }
}
