//! One table of ratios: this crate beside `jsonwebtoken::decode`, for the same
//! facts of the same tokens, in the same run. The two take turns round by round,
//! so that what the machine does beside them hits both.

mod shared;

use std::time::{Duration, Instant};

use shared::{Case, cases};

fn main() {
    // `cargo bench -- --test` and `cargo test --benches` only try it out.
    let test = std::env::args().any(|argument| argument == "--test");
    let (rounds, time) = if test { (1, 0) } else { (200, 1_000) };

    println!("times in µs, the lowest tenth of {rounds} rounds; ratio to `decode`");
    println!("| algorithm | decode | verify | ratio | layer − bare | ratio | bar |");
    println!("|---|---|---|---|---|---|---|");
    for mut case in cases() {
        let each = Duration::from_micros(time);
        let mut times = [const { Vec::new() }; 4];
        for _ in 0..rounds {
            times[0].push(round(each, &mut case, |case| case.decode()));
            times[1].push(round(each, &mut case, |case| case.verify()));
            times[2].push(round(each, &mut case, Case::layer));
            times[3].push(round(each, &mut case, Case::bare));
        }
        let [decode, verify, layer, bare] = times.map(lowest_tenth);
        let bar = match case.name {
            "HS256" => "0.60",
            "RS256" => "0.82",
            "ES256" => "0.95",
            "EdDSA" => "0.96",
            _ => "",
        };
        println!(
            "| {} | {decode:.2} | {verify:.2} | {:.3} | {:.2} | {:.3} | {bar} |",
            case.name,
            verify / decode,
            layer - bare,
            (layer - bare) / decode,
        );
    }
}

/// Microseconds per call, over about `time`.
fn round(time: Duration, case: &mut Case, call: impl Fn(&mut Case)) -> f64 {
    let start = Instant::now();
    let mut calls = 0_u32;
    loop {
        for _ in 0..20 {
            call(case);
        }
        calls += 20;
        let passed = start.elapsed();
        if passed >= time {
            return passed.as_secs_f64() * 1e6 / f64::from(calls);
        }
    }
}

fn lowest_tenth(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 10]
}
