//! Rows with bars, and how times and memory are taken.

use std::{
    env, fs,
    process::Command,
    time::{Duration, Instant},
};

/// What is printed as it is measured.
pub(crate) struct Table {
    /// Small and quick; whether a bar is met says nothing then.
    pub(crate) test: bool,
    missed: usize,
}

impl Table {
    pub(crate) fn new(test: bool) -> Self {
        println!("| what | small | large | ratio | bar | |");
        println!("|---|--:|--:|--:|--:|---|");
        Self { test, missed: 0 }
    }

    pub(crate) fn missed(&self) -> usize {
        self.missed
    }

    /// One of these numbers, the first one in a test.
    pub(crate) fn size(&self, test: usize, real: usize) -> usize {
        if self.test { test } else { real }
    }

    /// Times in ns of the same thing where there are few and where there are many: the lower
    /// quartile of rounds that take turns.
    pub(crate) fn ratio(
        &mut self,
        what: &str,
        bar: Option<f64>,
        mut small: impl FnMut() -> f64,
        mut large: impl FnMut() -> f64,
    ) {
        let (mut few, mut many) = (Vec::new(), Vec::new());
        for _ in 0..self.size(1, 60) {
            few.push(small());
            many.push(large());
        }
        let (few, many) = (quartile(few), quartile(many));
        let ratio = many / few;
        let verdict = self.verdict(bar.is_none_or(|bar| ratio <= bar), bar.is_some());
        let bar = bar.map(|bar| format!("{bar} ×")).unwrap_or_default();
        println!("| {what} | {few:.0} ns | {many:.0} ns | {ratio:.2} × | {bar} | {verdict} |");
    }

    /// A number by itself, and the most that it may be.
    pub(crate) fn value(&mut self, what: &str, value: f64, unit: &str, bar: Option<f64>) {
        let verdict = self.verdict(bar.is_none_or(|bar| value <= bar), bar.is_some());
        let bar = bar.map(|bar| format!("{bar} {unit}")).unwrap_or_default();
        println!("| {what} | | {value:.1} {unit} | | {bar} | {verdict} |");
    }

    fn verdict(&mut self, met: bool, has_bar: bool) -> &'static str {
        match (has_bar && !self.test, met) {
            (false, _) => "",
            (true, true) => "ok",
            (true, false) => {
                self.missed += 1;
                "MISSED"
            }
        }
    }

    /// The memory of so many of these, in bytes each, as a process of its own finds it.
    pub(crate) fn bytes_each(&self, what: &str, count: usize) -> f64 {
        let program = env::current_exe().expect("this program has a path");
        let count = count.to_string();
        let output = Command::new(program).args(["--memory", what, &count]).output();
        let output = output.expect("it starts").stdout;
        String::from_utf8(output).unwrap().trim().parse().expect("a number")
    }
}

/// The resident memory that it takes to make something, in bytes for each of `count`.
pub(crate) fn resident<T>(count: usize, make: impl FnOnce() -> T) -> f64 {
    let before = status("VmRSS");
    let made = make();
    let after = status("VmRSS");
    drop(made);
    (after - before) / count as f64
}

/// A line of the kernel's about this process, in bytes.
pub(crate) fn status(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("a Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a known line");
    let kilobytes: f64 = line.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("kB");
    kilobytes * 1024.0
}

/// Nanoseconds for each of `count`.
pub(crate) fn each(count: usize, work: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_secs_f64() * 1e9 / count as f64
}

/// The time below which this part of a thousand lies, in µs.
pub(crate) fn at(times: &mut [Duration], part: usize) -> f64 {
    times.sort();
    let place = (times.len() * part / 1000).min(times.len() - 1);
    times[place].as_secs_f64() * 1e6
}

fn quartile(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 4]
}

/// Numbers below a limit, the same in each run, in no order.
pub(crate) fn numbers(limit: usize) -> impl Iterator<Item = usize> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::from_fn(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Some(usize::try_from(state >> 33).expect("31 bits") % limit)
    })
}
