//! One module a decoder: `run` feeds it bytes and asserts what must hold for any bytes at all. The same code runs under libFuzzer
//! (fuzz_targets/) and over the committed corpora in `make test` (replay.rs).

pub mod dictionaries;
pub mod eap_decode;
pub mod eap_inner;
pub mod eap_reassembly;
pub mod eapol_key_decode;
pub mod find_key_decode;
pub mod ipp_decode;
pub mod mqtt_decode;
pub mod pdf_count;
pub mod radius_decode;
pub mod radsec_frames;
pub mod raster_count;
pub mod site_file;
pub mod tls_client_hello;

/// What a target does with bytes.
pub type Run = fn(&[u8]);

/// Every target by its name, which is also the name of its file, of its corpus folder and of its binary.
pub const TARGETS: &[(&str, Run)] = &[
    ("dictionaries", dictionaries::run),
    ("eap_decode", eap_decode::run),
    ("eap_inner", eap_inner::run),
    ("eap_reassembly", eap_reassembly::run),
    ("eapol_key_decode", eapol_key_decode::run),
    ("find_key_decode", find_key_decode::run),
    ("ipp_decode", ipp_decode::run),
    ("mqtt_decode", mqtt_decode::run),
    ("pdf_count", pdf_count::run),
    ("radius_decode", radius_decode::run),
    ("radsec_frames", radsec_frames::run),
    ("raster_count", raster_count::run),
    ("site_file", site_file::run),
    ("tls_client_hello", tls_client_hello::run),
];
