#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rukun_fuzz::watch("bundle", data));
