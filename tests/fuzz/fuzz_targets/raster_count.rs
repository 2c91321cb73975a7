#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::raster_count::run(data));
