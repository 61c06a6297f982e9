//! What must hold for any bytes: one module a target, each with one function `check` that panics
//! where it does not. libFuzzer calls it with bytes of its own making (`make fuzz`); the tests of
//! the workspace call it with the corpus that is checked in.

pub mod frame;
pub mod lexer;
pub mod splice;
pub mod startup;
