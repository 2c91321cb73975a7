//! One module a decoder: `run` feeds it bytes and asserts what must hold for any bytes at all. The same code runs under libFuzzer
//! (fuzz_targets/) and over the committed corpora in `make test` (replay.rs).

pub mod eap_decode;
pub mod eap_reassembly;
pub mod mqtt_decode;
pub mod radius_decode;
pub mod site_file;

/// What a target does with bytes.
pub type Run = fn(&[u8]);

/// Every target by its name, which is also the name of its file, of its corpus folder and of its binary.
pub const TARGETS: &[(&str, Run)] = &[
    ("eap_decode", eap_decode::run),
    ("eap_reassembly", eap_reassembly::run),
    ("mqtt_decode", mqtt_decode::run),
    ("radius_decode", radius_decode::run),
    ("site_file", site_file::run),
];
