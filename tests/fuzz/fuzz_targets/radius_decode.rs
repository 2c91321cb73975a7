#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::radius_decode::run(data));
