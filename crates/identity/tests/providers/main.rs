//! Sign-ins against real providers: an issuer that serves HTTP and HTTPS and signs with real keys,
//! and OpenLDAP's slapd.

mod certificates;
mod issuer;
mod keys;
mod ldap;
mod oidc;
mod signatures;
mod slapd;
mod unwell;
