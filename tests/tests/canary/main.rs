//! Proves, on a database in which every protected cell holds a value that occurs nowhere else: no
//! attack of the corpus makes one of them come out in any form, and what is harmless runs as past
//! the proxy. The corpus is in tests/data/canary; `entries` says how it is written.

mod attacks;
mod bench;
mod entries;
mod harmless;
mod mutations;
mod play;
mod search;
