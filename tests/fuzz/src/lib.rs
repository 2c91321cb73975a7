//! One module a decoder: `run` feeds it bytes and asserts what must hold for any bytes at all. The same code runs under libFuzzer
//! (fuzz_targets/) and over the committed corpora in `make test` (replay.rs).

pub mod mqtt_decode;
pub mod radius_decode;

/// What a target does with bytes.
pub type Run = fn(&[u8]);

/// Every target by its name, which is also the name of its file, of its corpus folder and of its binary.
pub const TARGETS: &[(&str, Run)] = &[("mqtt_decode", mqtt_decode::run), ("radius_decode", radius_decode::run)];
