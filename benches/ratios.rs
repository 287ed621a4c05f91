//! Tables of ratios: this crate beside `jsonwebtoken::decode`, for the same facts of the
//! same tokens, in the same run. All take turns round by round, so that what the machine
//! does beside them hits each of them.

mod shared;

use std::{
    mem::replace,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use allocation_counter::measure;
use shared::{Bare, Signer, What, request, signers, status, verify};
use tower_jwt_auth::verifier::Cache;

fn main() {
    // `cargo bench -- --test` and `cargo test --benches` only try it out.
    let test = std::env::args().any(|argument| argument == "--test");
    let (rounds, time, pool) = if test { (1, 0, BATCH) } else { (200, 1_000, 8_192) };

    let mut signers = signers();
    // `cargo bench --bench ratios -- RS256 EdDSA` takes these alone.
    let only: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    signers.retain(|signer| only.is_empty() || only.iter().any(|name| name == signer.name));
    println!("times in µs, the lowest tenth of {rounds} rounds; ratios to `decode`");
    println!(
        "| algorithm | case | decode | verify | ratio | layer − bare | ratio | bar | allocations |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for signer in &signers {
        for what in What::ALL {
            // What is wrong with the others does not depend on the algorithm.
            if what.is_good() || what == What::BadSignature || signer.name == "RS256" {
                row(signer, what, rounds, Duration::from_micros(time), pool);
            }
        }
    }
    println!("\nrequests in ns each, one verifier for all threads; the lowest of {rounds} rounds");
    println!("| algorithm | case | 1 thread | 2 threads | throughput |");
    println!("|---|---|---|---|---|");
    for signer in signers.iter().filter(|signer| ["HS256", "RS256"].contains(&signer.name)) {
        let same = signer.tokens(What::Repeated, BATCH);
        let few = signer.tokens(What::Distinct, BATCH);
        let many = signer.tokens(What::Distinct, pool);
        let rounds = rounds.min(10);
        let often = if test { 1 } else { 1_000 };
        threads(signer, "all the same token", &same, often, Cache::default(), rounds);
        threads(signer, "a few of its own", &few, often, Cache::default(), rounds);
        threads(signer, "each once", &many, 1, Cache::default(), rounds);
        threads(signer, "each once, no cache", &many, 1, Cache::off(), rounds);
    }
}

/// A case: what is measured of it takes turns.
fn row(signer: &Signer, what: What, rounds: usize, time: Duration, pool: usize) {
    let count = if what == What::Distinct { pool } else { BATCH };
    let tokens = signer.tokens(what, count);
    let mut times = [const { Vec::new() }; 4];
    let mut lanes = [
        decode(signer, what, &tokens),
        alone(signer, what, &tokens),
        layer(signer, what, &tokens),
        bare(&tokens),
    ];
    for _ in 0..rounds {
        for (lane, times) in lanes.iter_mut().zip(&mut times) {
            times.push(round(time, lane));
        }
    }
    let [decode, verify, layer, bare] = times.map(lowest_tenth);
    let ratio = |time: f64| match what {
        // It is not asked without a token.
        What::Missing => "–".into(),
        _ => format!("{:.3}", time / decode),
    };
    let or_none =
        |time: f64| if what == What::Missing { "–".into() } else { format!("{time:.2}") };
    println!(
        "| {} | {} | {} | {} | {} | {:.2} | {} | {} | {} |",
        signer.name,
        what.name(),
        or_none(decode),
        or_none(verify),
        ratio(verify),
        layer - bare,
        ratio(layer - bare),
        bar(signer.name, what),
        allocations(signer, &tokens),
    );
}

/// What is to be reached.
fn bar(algorithm: &str, what: What) -> &'static str {
    match (what, algorithm) {
        (What::Repeated, "HS256") => "0.3 µs or 0.10",
        (What::Repeated, "RS256") => "0.3 µs or 0.02",
        (What::Distinct, "HS256") => "0.55",
        (What::Distinct, "RS256") => "0.78",
        (What::Distinct, "ES256") => "0.94",
        (What::Distinct, "EdDSA") => "0.95",
        _ => "",
    }
}

/// Does a batch, and gives the time that it took.
type Lane<'a> = Box<dyn FnMut() -> Duration + 'a>;

fn decode<'a>(signer: &'a Signer, what: What, tokens: &'a [Option<String>]) -> Lane<'a> {
    let validation = signer.validation();
    let mut next = 0;
    Box::new(move || {
        let (batch, _) = turn(&mut next, tokens);
        timed(|| {
            for token in batch.iter().flatten() {
                assert_eq!(signer.decode(token, &validation), what.is_good());
            }
        })
    })
}

fn alone<'a>(signer: &'a Signer, what: What, tokens: &'a [Option<String>]) -> Lane<'a> {
    let mut verifier = signer.verifier(Cache::default());
    let (mut next, mut _former) = (0, None);
    Box::new(move || {
        let (batch, again) = turn(&mut next, tokens);
        if again && what == What::Distinct {
            // The former one stays until this one has its memory: what is measured is not
            // how the system gives and takes it.
            _former = Some(replace(&mut verifier, signer.verifier(Cache::default())));
        }
        timed(|| {
            for token in batch.iter().flatten() {
                assert_eq!(verify(&verifier, token), what.is_good());
            }
        })
    })
}

fn layer<'a>(signer: &'a Signer, what: What, tokens: &'a [Option<String>]) -> Lane<'a> {
    let mut service = signer.layer(Cache::default());
    let expected = if what.is_good() { 200 } else { 401 };
    let (mut next, mut _former) = (0, None);
    Box::new(move || {
        let (batch, again) = turn(&mut next, tokens);
        if again && what == What::Distinct {
            _former = Some(replace(&mut service, signer.layer(Cache::default())));
        }
        let requests: Vec<_> = batch.iter().map(|token| request(token.as_deref())).collect();
        timed(|| {
            for request in requests {
                assert_eq!(status(&mut service, request), expected);
            }
        })
    })
}

fn bare(tokens: &[Option<String>]) -> Lane<'_> {
    let mut next = 0;
    Box::new(move || {
        let (batch, _) = turn(&mut next, tokens);
        let requests: Vec<_> = batch.iter().map(|token| request(token.as_deref())).collect();
        timed(|| {
            for request in requests {
                assert_eq!(status(&mut Bare, request), 200);
            }
        })
    })
}

/// The next batch, and whether it is the first one again.
fn turn<'a>(next: &mut usize, tokens: &'a [Option<String>]) -> (&'a [Option<String>], bool) {
    let start = *next;
    *next = (start + BATCH) % tokens.len();
    (&tokens[start..start + BATCH], start == 0)
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Microseconds per call, over about `time`.
fn round(time: Duration, lane: &mut Lane<'_>) -> f64 {
    let (start, mut spent, mut calls) = (Instant::now(), Duration::ZERO, 0.0);
    loop {
        spent += lane();
        calls += BATCH as f64;
        if start.elapsed() >= time {
            return spent.as_secs_f64() * 1e6 / calls;
        }
    }
}

fn lowest_tenth(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 10]
}

/// How often the layer allocates for a request, in a service that is warm.
fn allocations(signer: &Signer, tokens: &[Option<String>]) -> u64 {
    let mut service = signer.layer(Cache::default());
    let mut least = u64::MAX;
    for token in &tokens[..BATCH] {
        let request = request(token.as_deref());
        let info = measure(|| {
            status(&mut service, request);
        });
        least = least.min(info.count_total);
    }
    least
}

/// One verifier for one thread, and for two of them, each of which has half of the tokens.
fn threads(
    signer: &Signer,
    case: &str,
    tokens: &[Option<String>],
    often: usize,
    cache: Cache,
    rounds: usize,
) {
    let half = tokens.len() / 2;
    let time = |count: usize| {
        let mut least = f64::MAX;
        for _ in 0..rounds {
            let verifier = signer.verifier(cache);
            let barrier = Barrier::new(count);
            let work = |number: usize| {
                let mine = &tokens[number * half..][..half];
                barrier.wait();
                let start = Instant::now();
                for _ in 0..often {
                    assert!(mine.iter().flatten().all(|token| verify(&verifier, token)));
                }
                start.elapsed().as_secs_f64() * 1e9 / (often * half) as f64
            };
            let longest = thread::scope(|scope| {
                let work = &work;
                let threads = (0..count).map(|number| scope.spawn(move || work(number)));
                let threads: Vec<_> = threads.collect();
                let times = threads.into_iter().map(|thread| thread.join().expect("no panic"));
                times.fold(0.0, f64::max)
            });
            least = least.min(longest / count as f64);
        }
        least
    };
    let (one, two) = (time(1), time(2));
    println!("| {} | {case} | {one:.0} | {two:.0} | {:.2} × |", signer.name, one / two);
}

/// Requests are made before the time is taken, so many at once.
const BATCH: usize = 32;
