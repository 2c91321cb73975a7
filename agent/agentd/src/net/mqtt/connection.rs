//! One connection of a device: bytes both ways, in a task of its own. It decides nothing and knows no packet.
//!
//! A message with a deadline is handed over only when it is not yet late, when everything before it has gone through TLS, and
//! when the device has acknowledged all that the kernel held: then it is `Written`, else `Expired`, and never both. A reset
//! does not wait for anything.

use engine::door::{Deadline, Epoch, Input};
use host::Clock;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};

/// Bytes read at once; the largest packet fits.
const READ_BYTES: usize = 8 * 1024;
/// Messages that may wait for a connection: more than an engine says in one breath to 16 joined grants.
pub const OUTBOUND_MAX: usize = 64;
/// A write that takes longer has met a link that stalled.
const WRITE_MAX: Duration = Duration::from_secs(1);
/// How long a device may take to end its side after ours.
const GOODBYE_MAX: Duration = Duration::from_secs(1);
/// How often the kernel is asked whether the device has acknowledged everything.
const ACKNOWLEDGED_POLL: Duration = Duration::from_millis(2);

/// What the engine's task tells a connection.
pub enum Outbound {
    Bytes {
        bytes: Vec<u8>,
        deadline: Option<Deadline>,
    },
    /// End once everything before has left.
    Close,
}

/// The engine's end of a connection.
pub struct Line {
    pub outbound: mpsc::Sender<Outbound>,
    /// True ends it at once.
    pub reset: watch::Sender<bool>,
}

/// What a connection tells the engine's task.
pub enum Told {
    Opened { epoch: Epoch, peer: std::net::IpAddr, line: Line },
    Engine(Input),
}

/// A stream whose kernel socket can be asked.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    fn socket(&self) -> BorrowedFd<'_>;
}

impl Wire for tokio::net::TcpStream {
    fn socket(&self) -> BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(self)
    }
}

impl Wire for tokio_rustls::server::TlsStream<tokio::net::TcpStream> {
    fn socket(&self) -> BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(self.get_ref().0)
    }
}

/// A connection and its ways to the engine's task.
pub struct Connection<W> {
    pub epoch: Epoch,
    pub wire: W,
    pub engine: mpsc::Sender<Told>,
    pub outbound: mpsc::Receiver<Outbound>,
    pub reset: watch::Receiver<bool>,
    pub clock: Arc<Clock>,
}

/// Why a connection ends.
enum End {
    /// The device, the network or a reset.
    Gone,
    Close,
}

impl<W: Wire> Connection<W> {
    /// Serves until the end, and says it.
    pub async fn serve(mut self) {
        let end = self.exchange().await;
        if let Ok(End::Close) = end {
            self.say_goodbye().await;
        }
        // What still waits will never leave.
        self.outbound.close();
        while let Some(left) = self.outbound.recv().await {
            if let Outbound::Bytes { deadline: Some(deadline), .. } = left {
                self.tell(Input::Expired { send: deadline.send }).await;
            }
        }
        let epoch = self.epoch;
        self.tell(Input::Closed { epoch }).await;
    }

    async fn exchange(&mut self) -> io::Result<End> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            tokio::select! {
                biased;
                () = told_to_reset(&mut self.reset) => return Ok(End::Gone),
                outbound = self.outbound.recv() => match outbound {
                    Some(Outbound::Bytes { bytes, deadline: None }) => self.write(&bytes).await?,
                    Some(Outbound::Bytes { bytes, deadline: Some(deadline) }) => self.hand_over(&bytes, deadline).await?,
                    Some(Outbound::Close) => return Ok(End::Close),
                    // The daemon stops.
                    None => return Ok(End::Close),
                },
                read = self.wire.read(&mut buffer) => match read? {
                    0 => return Ok(End::Gone),
                    length => {
                        let (epoch, bytes) = (self.epoch, buffer[..length].to_vec());
                        self.tell(Input::Received { epoch, bytes }).await;
                    }
                },
            }
        }
    }

    async fn hand_over(&mut self, bytes: &[u8], deadline: Deadline) -> io::Result<()> {
        let Deadline { send, not_after } = deadline;
        loop {
            if self.clock.mono() > not_after || *self.reset.borrow() {
                self.tell(Input::Expired { send }).await;
                return Ok(());
            }
            if host::tcp::unacknowledged_bytes(&self.wire.socket())? == 0 {
                break;
            }
            tokio::time::sleep(ACKNOWLEDGED_POLL).await;
        }
        // From here on it may have left, whatever the write says.
        self.tell(Input::Written { send }).await;
        self.write(bytes).await
    }

    /// Through TLS and into the kernel, or not at all any more.
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = async {
            self.wire.write_all(bytes).await?;
            self.wire.flush().await
        };
        tokio::select! {
            biased;
            () = told_to_reset(&mut self.reset) => Err(io::ErrorKind::ConnectionReset.into()),
            written = tokio::time::timeout(WRITE_MAX, written) => written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
        }
    }

    /// Ends our side and waits for the device's: dropping the socket before would discard what is on its way.
    async fn say_goodbye(&mut self) {
        let goodbye = async {
            self.wire.shutdown().await?;
            let mut rest = [0; 256];
            while self.wire.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        };
        let _ = tokio::time::timeout(GOODBYE_MAX, goodbye).await; // a device that lingers is reset
    }

    async fn tell(&self, input: Input) {
        let _ = self.engine.send(Told::Engine(input)).await; // the engine's task has ended: so does this one
    }
}

/// Returns when the engine wants an end at once. That it let go of the connection is no such wish: what was sent before still
/// leaves.
async fn told_to_reset(reset: &mut watch::Receiver<bool>) {
    if reset.wait_for(|&reset| reset).await.is_err() {
        std::future::pending::<()>().await;
    }
}
