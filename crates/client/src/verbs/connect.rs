//! `pgwarrant connect`: psql, as the user that is signed in.
//!
//! An issuer's token is good on the wire as it is, and psql gets it as its password, in its
//! environment, which only its user can read: an argument could be seen by everybody, a file would
//! have to be removed. One of pgwarrant's own tokens is not: what reads data is the password, which
//! psql asks for itself.

use std::net::IpAddr;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::Value;

use crate::args::ConnectFlags;
use crate::failure::{Failure, Status};
use crate::output::text;
use crate::signed_in::Place;

/// Makes the proxy ask for a token in the place of a password.
const AS_PASSWORD: &str = "-c pgwarrant.sign_in=password";

pub async fn prepare(place: &Place, connect: &ConnectFlags) -> Result<Box<Command>, Failure> {
    let token = place.token().await?;
    let who = place.server()?.bearer(&token)?.get("/v1/whoami").await?;
    let host = connect.host.clone().unwrap_or_else(|| host_of(&place.origin).to_owned());
    let mut psql = Command::new("psql");
    psql.env("PGHOST", &host)
        .env("PGPORT", connect.port.to_string())
        .env("PGUSER", text(&who, "user"))
        .env("PGDATABASE", database(&who, connect.database.as_deref())?)
        // They would lead elsewhere.
        .env_remove("PGHOSTADDR")
        .env_remove("PGSERVICE");
    let is_token = text(&who, "via") == "bearer";
    if is_token {
        let options = std::env::var("PGOPTIONS").unwrap_or_default();
        psql.env("PGPASSWORD", token).env("PGOPTIONS", format!("{options} {AS_PASSWORD}").trim());
    }
    if !is_here(&host) {
        // A token that is shown to somebody else is theirs, whatever PGSSLMODE says.
        if is_token || std::env::var_os("PGSSLMODE").is_none() {
            psql.env("PGSSLMODE", "verify-full");
        }
        if let Some(ca) = place.ca.as_ref().filter(|_| std::env::var_os("PGSSLROOTCERT").is_none()) {
            psql.env("PGSSLROOTCERT", ca);
        }
    }
    psql.args(&connect.arguments);
    Ok(Box::new(psql))
}

/// Goes on as that program; comes back only where there is none.
pub fn become_program(mut program: Command) -> Failure {
    let error = program.exec();
    Failure::unusable(format!("psql cannot be run: {error}"))
        .hint("Install PostgreSQL's client programs, and see that psql is in PATH.")
}

fn database<'a>(who: &'a Value, given: Option<&'a str>) -> Result<&'a str, Failure> {
    let all = who.get("databases").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let all: Vec<&str> = all.collect();
    let hint = match all.as_slice() {
        [] => "You may connect to none; have a [[database.role]] for you in pgwarrant's configuration."
            .to_owned(),
        some => format!("You may connect to {}.", some.join(", ")),
    };
    match (given, all.as_slice()) {
        (Some(given), all) if all.contains(&given) => Ok(given),
        (Some(given), _) => Err(Failure::new(
            Status::Refused,
            format!("there is no database \"{given}\" that you may connect to"),
        )
        .hint(hint)),
        (None, [only]) => Ok(only),
        (None, _) => Err(Failure::unusable("which database?").hint(hint)),
    }
}

/// Of an origin.
fn host_of(origin: &str) -> &str {
    let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.trim_start_matches('[').trim_end_matches(']')
}

/// On this machine: a socket's directory, or a loopback address.
fn is_here(host: &str) -> bool {
    host.starts_with('/') || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_origin_is_without_its_port() {
        for (origin, host, here) in [
            ("https://pgwarrant.example.com", "pgwarrant.example.com", false),
            ("https://pgwarrant.example.com:8443", "pgwarrant.example.com", false),
            ("http://127.0.0.1:6480", "127.0.0.1", true),
            ("http://[::1]:6480", "::1", true),
            ("https://[2001:db8::1]", "2001:db8::1", false),
        ] {
            assert_eq!((host_of(origin), is_here(host_of(origin))), (host, here));
        }
        assert!(is_here("/run/pgwarrant") && !is_here("localhost.example"));
    }
}
