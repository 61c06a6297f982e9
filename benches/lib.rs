//! Benchmarks; each file beside this one is one, run by `make bench`.
