use super::*;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Instant;

/// A listener on which these errors (errno) come before the first connection.
struct Failing(RefCell<VecDeque<i32>>);

impl Failing {
    fn with(errors: impl IntoIterator<Item = i32>) -> Self {
        Self(RefCell::new(errors.into_iter().collect()))
    }
}

impl Listener for Failing {
    type Connection = ();

    async fn accept(&self) -> io::Result<()> {
        self.0.borrow_mut().pop_front().map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
    }
}

/// EINTR, ENETDOWN, ENETUNREACH, ECONNABORTED, ECONNRESET, ECONNREFUSED, EHOSTUNREACH on Linux.
const OF_ONE_CONNECTION: [i32; 7] = [4, 100, 101, 103, 104, 111, 113];
/// ENOMEM, ENFILE, EMFILE, ENOBUFS.
const OF_THE_MACHINE: [i32; 4] = [12, 23, 24, 105];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

#[test]
fn a_connection_that_broke_does_not_keep_the_next_one_waiting() {
    const ROUNDS: u32 = 100;
    let errors = std::iter::repeat_n(OF_ONE_CONNECTION, ROUNDS as usize).flatten();
    let began = Instant::now();
    runtime().block_on(accept("a test", &Failing::with(errors)));
    assert!(began.elapsed() < PAUSE * ROUNDS, "no pause a connection");
}

#[test]
fn a_machine_without_descriptors_is_given_time_and_asked_again() {
    for errno in OF_THE_MACHINE {
        let began = Instant::now();
        runtime().block_on(accept("a test", &Failing::with([errno, errno])));
        assert!(began.elapsed() >= PAUSE * 2, "errno {errno}");
    }
}

#[test]
fn a_connection_comes_with_its_address_and_over_a_unix_socket_without() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("loopback");
        let (_, from) = accept("a test", &listener).await;
        assert_eq!(from, client.local_addr().expect("connected"));

        let folder = tempfile::tempdir().expect("a temporary folder");
        let listener = UnixListener::bind(folder.path().join("socket")).expect("our folder");
        let _client = UnixStream::connect(folder.path().join("socket")).await.expect("it listens");
        accept("a test", &listener).await;
    });
}

#[test]
fn places_are_counted_in_all_and_by_address_and_come_back() {
    let peer = |text: &str| Peer::at(text.parse::<IpAddr>().expect("an address"));
    let places = Places::new(2, 3);
    let first = places.take(peer("192.0.2.1")).expect("free");
    let _second = places.take(peer("192.0.2.1")).expect("free");
    assert!(places.take(peer("192.0.2.1")).is_none(), "all that one address may have");
    // A host makes up as many addresses as it likes in its network.
    let third = places.take(peer("2001:db8::1")).expect("free");
    assert!(places.take(peer("192.0.2.2")).is_none(), "all that there are");
    drop(first);
    let fourth = places.take(peer("2001:db8::2")).expect("given back");
    drop(fourth);
    let _fourth = places.take(peer("2001:db8::3")).expect("given back");
    drop(third);
    assert!(places.take(peer("2001:db8::4")).is_some());
    assert_eq!(places.taken.lock().expect("nobody panicked").len(), 2, "an address without a connection is forgotten");
}
