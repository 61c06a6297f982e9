//! How a client chooses between the ways to sign in that are open to it.

use std::str::FromStr;

/// The value of the start-up setting `pgwarrant.sign_in`, given as
/// `options='-c pgwarrant.sign_in=oauth'`: the server speaks first, so the choice has to come with
/// the start-up packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// [`super::Ask::Token`]
    Oauth,
    /// [`super::Ask::Password`]
    Password,
    /// [`super::Ask::Scram`]
    Scram,
}

/// A value that names no way to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pgwarrant.sign_in must be oauth, password or scram")]
pub struct NotAChoice;

impl FromStr for Choice {
    type Err = NotAChoice;

    fn from_str(text: &str) -> Result<Self, NotAChoice> {
        match text {
            "oauth" => Ok(Self::Oauth),
            "password" => Ok(Self::Password),
            "scram" => Ok(Self::Scram),
            _ => Err(NotAChoice),
        }
    }
}
