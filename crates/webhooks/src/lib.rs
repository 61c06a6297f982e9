//! Webhooks: signatures (Standard Webhooks), both made and checked.

mod sign;

pub use sign::{MAX_SIGNATURES, Refused, Secret, SecretError, sign, verify};
