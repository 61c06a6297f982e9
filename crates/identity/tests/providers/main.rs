//! Sign-ins against real providers: an issuer that serves HTTP and HTTPS and signs with real keys,
//! and OpenLDAP's slapd.

mod ldap;
mod oidc;
mod signatures;
mod unwell;

use pgwarrant_tests::providers::{certificates, issuer, keys, slapd};
