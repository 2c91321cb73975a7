#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::site_file::run(data));
