#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::radsec_frames::run(data));
