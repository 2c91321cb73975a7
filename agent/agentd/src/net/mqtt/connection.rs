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
        let Self { epoch, wire, engine, mut outbound, .. } = self;
        // First, so that nothing leaves any more, however long the engine's task takes to listen.
        drop(wire);
        // What still waits will never leave.
        outbound.close();
        while let Some(left) = outbound.recv().await {
            if let Outbound::Bytes { deadline: Some(deadline), .. } = left {
                let _ = engine.send(Told::Engine(Input::Expired { send: deadline.send })).await; // as in `tell`
            }
        }
        let _ = engine.send(Told::Engine(Input::Closed { epoch })).await; // as in `tell`
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
            // The place for our word first: while the engine's task is busy, the message grows old.
            let Ok(word) = self.engine.reserve().await else { return Ok(()) }; // the daemon stops: nothing opens any more
            if self.clock.mono() > not_after || *self.reset.borrow() {
                word.send(Told::Engine(Input::Expired { send }));
                return Ok(());
            }
            if host::tcp::unacknowledged_bytes(&self.wire.socket())? == 0 {
                // From here on it may have left, whatever the write says.
                word.send(Told::Engine(Input::Written { send }));
                break;
            }
            drop(word);
            tokio::time::sleep(ACKNOWLEDGED_POLL).await;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use engine::door::SendId;
    use host::clock::Trust;
    use std::net::Ipv4Addr;
    use tokio::net::{TcpListener, TcpStream};
    use values::Mono;

    /// No test lasts this long but a failing one.
    const PATIENCE: Duration = Duration::from_secs(10);

    struct World {
        device: TcpStream,
        line: Line,
        inbox: mpsc::Receiver<Told>,
        clock: Arc<Clock>,
        _data: tempfile::TempDir,
    }

    /// A connection that serves, whose engine has not listened so far: the one place in its queue is taken.
    async fn beside_a_busy_engine() -> World {
        let data = tempfile::tempdir().expect("a temporary folder");
        let clock = Arc::new(Clock::new(data.path(), values::Timestamp(0), Trust::Always));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback");
        let device = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("loopback");
        let (wire, _) = listener.accept().await.expect("loopback");
        host::tcp::prepare_for_commands(&wire).expect("options that every Linux has");
        let (engine, inbox) = mpsc::channel(1);
        engine.try_send(Told::Engine(Input::TimerFired)).expect("the one place");
        let (to_connection, outbound) = mpsc::channel(OUTBOUND_MAX);
        let (reset_sender, reset) = watch::channel(false);
        let connection = Connection { epoch: Epoch(1), wire, engine, outbound, reset, clock: Arc::clone(&clock) };
        tokio::spawn(connection.serve());
        World { device, line: Line { outbound: to_connection, reset: reset_sender }, inbox, clock, _data: data }
    }

    #[tokio::test]
    async fn a_command_that_grew_old_before_the_engine_listened_never_leaves() {
        let mut world = beside_a_busy_engine().await;
        let not_after = world.clock.mono() + Duration::from_millis(50);
        let deadline = Some(Deadline { send: SendId(7), not_after });
        world.line.outbound.send(Outbound::Bytes { bytes: b"open".to_vec(), deadline }).await.expect("it serves");
        while world.clock.mono() <= not_after + Duration::from_millis(1) {
            tokio::task::yield_now().await;
        }
        assert!(matches!(world.inbox.recv().await, Some(Told::Engine(Input::TimerFired))));
        let told = tokio::time::timeout(PATIENCE, world.inbox.recv()).await.expect("it says what became of it");
        assert!(matches!(told, Some(Told::Engine(Input::Expired { send: SendId(7) }))));
        drop(world.line);
        let mut heard = Vec::new();
        tokio::time::timeout(PATIENCE, world.device.read_to_end(&mut heard))
            .await
            .expect("an end")
            .expect("a soft one");
        assert_eq!(heard, b"");
    }

    #[tokio::test]
    async fn a_command_in_time_leaves_and_is_said_to_have_left() {
        let mut world = beside_a_busy_engine().await;
        let deadline = Some(Deadline { send: SendId(7), not_after: Mono(u64::MAX) });
        world.line.outbound.send(Outbound::Bytes { bytes: b"open".to_vec(), deadline }).await.expect("it serves");
        assert!(matches!(world.inbox.recv().await, Some(Told::Engine(Input::TimerFired))));
        assert!(matches!(world.inbox.recv().await, Some(Told::Engine(Input::Written { send: SendId(7) }))));
        let mut heard = [0; 4];
        world.device.read_exact(&mut heard).await.expect("the command");
        assert_eq!(&heard, b"open");
    }

    #[tokio::test]
    async fn a_reset_waits_for_nobody() {
        let mut world = beside_a_busy_engine().await;
        world.line.reset.send(true).expect("it serves");
        let end = tokio::time::timeout(PATIENCE, world.device.read(&mut [0; 1])).await.expect("at once");
        assert_eq!(end.map_err(|error| error.kind()), Err(io::ErrorKind::ConnectionReset));
        assert!(matches!(world.inbox.recv().await, Some(Told::Engine(Input::TimerFired))));
        assert!(matches!(world.inbox.recv().await, Some(Told::Engine(Input::Closed { epoch: Epoch(1) }))));
    }
}
