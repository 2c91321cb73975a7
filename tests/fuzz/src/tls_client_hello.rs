//! Any bytes as a device's first TLS message: reading what was offered never panics, and every answer has words.

use proto::eap::ClientHello;

pub fn run(data: &[u8]) {
    if let Some(hello) = ClientHello::decode(data) {
        assert!(hello.suites.len() <= usize::from(u16::MAX) / 2);
        assert!(hello.outdated_suites().is_none_or(|name| !name.is_empty()));
        assert!(hello.outdated_version().is_none_or(|name| !name.is_empty()));
    }
}
