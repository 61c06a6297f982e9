//! Sign-ins against real providers: an issuer that serves HTTP and HTTPS and signs with real keys.

mod certificates;
mod issuer;
mod keys;
mod oidc;
mod signatures;
mod unwell;
