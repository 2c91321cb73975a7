//! Any bytes at the MQTT port: a session never panics, ends at most once, says nothing after its end, and how the bytes were
//! cut makes no difference. The first byte of the input chooses whether the client is let in at once, and the cut.

use proto::mqtt::{Event, Rights, Session};
use values::Mono;

/// What came out of a session.
#[derive(Debug, PartialEq)]
struct Seen {
    events: Vec<Event>,
    written: Vec<Vec<u8>>,
}

pub fn run(data: &[u8]) {
    let Some((&head, stream)) = data.split_first() else { return };
    // What may wait for the verdict is bounded, and how much waits depends on the cut.
    let stream = &stream[..stream.len().min(proto::mqtt::PACKET_MAX_BYTES)];
    let whole = follow(stream, stream.len().max(1), head & 1 == 0);
    let cut = follow(stream, usize::from(head >> 1).max(1), head & 1 == 0);
    assert_eq!(whole, cut);
    let overs = whole.events.iter().filter(|event| matches!(event, Event::Over(_))).count();
    assert_eq!(overs, 1);
    assert!(matches!(whole.events.last(), Some(Event::Over(_))));
}

fn follow(stream: &[u8], size: usize, let_in: bool) -> Seen {
    let now = Mono(0);
    let mut session = Session::new(now);
    let mut seen = Seen { events: Vec::new(), written: Vec::new() };
    for part in stream.chunks(size) {
        session.handle_bytes(part, now);
        while let Some(event) = session.poll_event() {
            if let_in && let Event::Connect(evidence) = &event {
                session.accept(Rights::shelly_gen2(&evidence.client_id), now);
            }
            seen.events.push(event);
        }
        seen.written.extend(std::iter::from_fn(|| session.poll_bytes()));
    }
    session.handle_timeout(Mono(u64::MAX));
    session.handle_closed();
    seen.events.extend(std::iter::from_fn(|| session.poll_event()));
    seen.written.extend(std::iter::from_fn(|| session.poll_bytes()));
    seen
}
