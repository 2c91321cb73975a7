#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::find_key_decode::run(data));
