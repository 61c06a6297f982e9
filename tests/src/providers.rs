//! Identity providers: an issuer that serves HTTP and HTTPS and signs with real keys, and OpenLDAP's
//! slapd.

pub mod certificates;
pub mod issuer;
pub mod keys;
pub mod slapd;
