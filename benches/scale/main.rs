//! What things cost at size, as ratios to what they cost when there are few:
//! `cargo bench --bench scale --features redis,remote`. It fails if a bar is missed. With
//! `REDIS_SERVER`, the path of a redis-server or valkey-server, the copy of the shared
//! denylist and the shared store of proofs are measured too. Words select parts: `-- denylist keys`.

mod denylist;
mod follower;
mod issuers;
mod keys;
mod proofs;
mod sessions;
mod streams;
mod table;

#[allow(dead_code, reason = "a part of it is for tests")]
#[path = "../../tests/it/redis/server.rs"]
mod server;

use std::{env, process};

use table::Table;

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let test = words.iter().any(|word| word == "--test");
    if let Some(at) = words.iter().position(|word| word == "--memory") {
        // Called by `table::bytes_each`: a process of its own has no memory of others.
        return memory(&words[at + 1], words[at + 2].parse().expect("a number"));
    }
    let only: Vec<_> = words.iter().filter(|word| !word.starts_with("--")).collect();
    let mut table = Table::new(test);
    type Part = (&'static str, fn(&mut Table));
    let parts: [Part; 7] = [
        // First, since its memory is that of this process.
        ("follower", follower::measure),
        ("denylist", denylist::measure),
        ("issuers", issuers::measure),
        ("keys", keys::measure),
        ("sessions", sessions::measure),
        ("proofs", proofs::measure),
        ("streams", streams::measure),
    ];
    for (name, measure) in parts {
        if only.is_empty() || only.iter().any(|word| *word == name) {
            measure(&mut table);
        }
    }
    if table.missed() > 0 {
        println!("{} bars were missed", table.missed());
        process::exit(1);
    }
}

fn memory(what: &str, count: usize) {
    let bytes = match what {
        "denylist" => denylist::memory(count),
        "issuers" => issuers::memory(count),
        "proofs" => proofs::memory(count, false),
        "proofs-of-keys" => proofs::memory(count, true),
        "sessions" => sessions::memory(count),
        "streams" => streams::memory(count),
        other => panic!("`{other}` has no memory"),
    };
    println!("{bytes}");
}
