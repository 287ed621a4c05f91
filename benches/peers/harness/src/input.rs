use std::{fmt, fs, io, path::Path, str::FromStr};

use serde::Deserialize;

pub const ISSUER: &str = "https://login.example.com/";
pub const AUDIENCE: &str = "https://api.example.com";
pub const KEY_ID: &str = "2026-11";

/// What every handler takes from a token.
#[derive(Clone, Debug, Deserialize)]
pub struct User {
    pub sub: String,
    pub client_id: String,
    pub scope: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    HS256,
    RS256,
    ES256,
    EdDSA,
}

impl Algorithm {
    pub const ALL: [Self; 4] = [Self::HS256, Self::RS256, Self::ES256, Self::EdDSA];
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.to_string() == name);
        found.ok_or_else(|| format!("no algorithm has the name {name:?}"))
    }
}

/// The key of one algorithm, in each form that a participant may want, and tokens that
/// are signed with it. The same files for all, so nobody has easier tokens.
#[derive(Debug)]
pub struct Input {
    pub algorithm: Algorithm,
    /// The public key, or nothing for HS256.
    pub pem: String,
    /// The secret, or nothing for the others. Letters and digits, for some take nothing
    /// but text.
    pub secret: String,
    /// The same key as a set of one.
    pub key_set: String,
    /// Tokens for the cases by their names; for a pool, several.
    pub good: Vec<String>,
    pub expired: String,
    pub forged: String,
}

impl Input {
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let folder = folder.join(self.algorithm.to_string());
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("key.pem"), &self.pem)?;
        fs::write(folder.join("secret"), &self.secret)?;
        fs::write(folder.join("key-set.json"), &self.key_set)?;
        fs::write(folder.join("good"), self.good.join("\n"))?;
        fs::write(folder.join("expired"), &self.expired)?;
        fs::write(folder.join("forged"), &self.forged)
    }

    pub fn read(folder: &Path, algorithm: Algorithm) -> io::Result<Self> {
        let folder = folder.join(algorithm.to_string());
        Ok(Self {
            algorithm,
            pem: fs::read_to_string(folder.join("key.pem"))?,
            secret: fs::read_to_string(folder.join("secret"))?,
            key_set: fs::read_to_string(folder.join("key-set.json"))?,
            good: fs::read_to_string(folder.join("good"))?.lines().map(str::to_owned).collect(),
            expired: fs::read_to_string(folder.join("expired"))?,
            forged: fs::read_to_string(folder.join("forged"))?,
        })
    }
}
