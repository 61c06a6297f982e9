//! The fuzz targets (tests/fuzz) in a bounded form: everything in their corpus, and mutations of it
//! that are the same in every run. A panic, or a broken invariant of a target, fails the test.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as STANDARD;

#[path = "../fuzz/src/lib.rs"]
mod targets;

/// Mutations a target.
const MUTATIONS: usize = 3_000;

/// One input a line, in base64: what libFuzzer found to reach something that the others do not.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target).with_extension("txt");
    let text = std::fs::read_to_string(&file).expect("a corpus");
    let inputs: Vec<Vec<u8>> = text.lines().map(|line| STANDARD.decode(line).expect("base64")).collect();
    assert!(inputs.len() >= 20, "{} holds {} inputs", file.display(), inputs.len());
    inputs
}

/// xorshift64*: the same numbers on every machine.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit.max(1)
    }
}

/// One of the inputs with a few bytes changed, doubled, left out, or put together with another.
fn mutation(inputs: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = inputs[numbers.below(inputs.len())].clone();
    for _ in 0..1 + numbers.below(4) {
        let at = numbers.below(bytes.len());
        match numbers.below(5) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => {
                let end = at + numbers.below(bytes.len() - at + 1);
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let other = &inputs[numbers.below(inputs.len())];
                let start = numbers.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[start..]);
            }
        }
    }
    bytes
}

fn run(target: &str, check: fn(&[u8])) {
    let inputs = corpus(target);
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let mutations = (0..MUTATIONS).map(|_| mutation(&inputs, &mut numbers));
    for input in inputs.iter().cloned().chain(mutations.collect::<Vec<_>>()) {
        let text = String::from_utf8_lossy(&input).into_owned();
        if std::panic::catch_unwind(|| check(&input)).is_err() {
            panic!("target {target} fails on {text:?} ({input:?})");
        }
    }
}

#[test]
fn frames_from_either_side() {
    run("frame", targets::frame::check);
}

#[test]
fn start_up_packets() {
    run("startup", targets::startup::check);
}

#[test]
fn the_lexer_on_any_text() {
    run("lexer", targets::lexer::check);
}

#[test]
fn the_analysis_and_its_splices_on_any_text() {
    run("splice", targets::splice::check);
}
