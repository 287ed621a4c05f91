//! What all participants share: the cases, the keys and tokens to read, and the loop
//! that measures. It knows nothing of JSON Web Tokens, so that it brings no library
//! for them into a participant's build.

mod case;
mod input;
mod participant;
mod stopwatch;

pub use crate::{
    case::Case,
    input::{AUDIENCE, Algorithm, ISSUER, Input, KEY_ID, User},
    participant::run,
};
