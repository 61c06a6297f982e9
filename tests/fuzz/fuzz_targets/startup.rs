#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pgwarrant_fuzz::startup::check(data));
