//! The attack corpus of the test kit, run against routers with and without holes.

mod handwritten;
mod names;
mod options;
mod proofs;
mod routers;
