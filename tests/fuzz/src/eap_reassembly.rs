//! Fragments of a hostile device, one after the other: putting them together never panics, never holds more than 64 KiB, gives
//! a message only when it has the announced length, and keeps nothing after an error. The input is cut into fragments by a
//! length octet before each.

use proto::eap::{FRAGMENT_MIN_BYTES, MESSAGE_MAX_BYTES, Outgoing, Reassembly, TlsData};

pub fn run(data: &[u8]) {
    follow(data);
    come_back(data);
}

fn follow(mut data: &[u8]) {
    let mut reassembly = Reassembly::Empty;
    // What the fragments since the last whole message or error add up to, and the length that the first announced.
    let (mut held, mut announced): (Vec<u8>, Option<u32>) = (Vec::new(), None);
    while let Some((&length, rest)) = data.split_first() {
        let (fragment, rest) = rest.split_at(rest.len().min(usize::from(length)));
        data = rest;
        let Ok(fragment) = TlsData::decode(fragment) else { continue };
        if !reassembly.is_partial() {
            held.clear();
            announced = fragment.message_length;
        }
        held.extend_from_slice(fragment.data);
        match reassembly.push(&fragment) {
            Ok(Some(message)) => {
                assert_eq!(message, held);
                assert!(message.len() <= MESSAGE_MAX_BYTES);
                assert!(announced.is_none_or(|length| length as usize == message.len()));
                assert!(!reassembly.is_partial() && !fragment.more);
            }
            Ok(None) => assert!(reassembly.is_partial() && fragment.more && held.len() < MESSAGE_MAX_BYTES),
            Err(_) => assert!(!reassembly.is_partial()),
        }
    }
}

/// What we cut ourselves is whole again on the other side.
fn come_back(data: &[u8]) {
    let Some((&size, message)) = data.split_first().filter(|(_, message)| message.len() <= MESSAGE_MAX_BYTES) else {
        return;
    };
    let mut outgoing = Outgoing::new(message.to_vec(), FRAGMENT_MIN_BYTES + usize::from(size));
    let mut reassembly = Reassembly::Empty;
    let mut whole = None;
    while let Some(fragment) = outgoing.next_fragment() {
        assert!(whole.is_none());
        let fragment = TlsData::decode(&fragment).expect("our own fragment");
        whole = reassembly.push(&fragment).expect("our own fragment");
    }
    assert_eq!(whole.unwrap_or_default(), message);
}
