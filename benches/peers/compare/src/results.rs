use std::fmt::Write;

use harness::{Algorithm, Case};

use crate::peer::PEERS;

/// One line of the table.
pub(crate) struct Row {
    /// The one that was used. It matters only if the case has a signature.
    pub(crate) algorithm: Algorithm,
    pub(crate) case: Case,
    /// In the order of `PEERS`; `None` if the peer does not have the algorithm.
    pub(crate) cells: Vec<Option<Cell>>,
}

#[derive(Default)]
pub(crate) struct Cell {
    /// Nanoseconds per request, one number a round.
    pub(crate) bare: Vec<f64>,
    pub(crate) guarded: Vec<f64>,
    /// Allocations per request, over those of the bare router.
    pub(crate) allocations: f64,
    pub(crate) status: u16,
}

impl Row {
    pub(crate) fn name(&self) -> String {
        if self.case.has_signature() {
            format!("{}, {}", self.algorithm, self.case)
        } else {
            self.case.to_string()
        }
    }
}

impl Cell {
    /// Microseconds over the bare router, from the best round of each.
    pub(crate) fn least(&self) -> f64 {
        (least(&self.guarded) - least(&self.bare)) / 1e3
    }

    /// Microseconds over the bare router of the same round, in the median of the rounds.
    pub(crate) fn median(&self) -> f64 {
        let over = self.guarded.iter().zip(&self.bare).map(|(guarded, bare)| guarded - bare);
        median(over.collect()) / 1e3
    }
}

/// Times, and their ratio to the first column.
pub(crate) fn times(rows: &[Row]) -> String {
    table(rows, |row, cell| {
        let least = cell.least();
        let mut text = format!("{} / {}", number(least), number(cell.median()));
        if let Some(Some(first)) = row.cells.first()
            && !std::ptr::eq(first, cell)
            && first.least() >= NOISE
            && least >= NOISE
        {
            write!(text, " (×{})", number(least / first.least())).expect("a string takes all");
        }
        if cell.status != row.case.status() {
            write!(text, " → {}", cell.status).expect("a string takes all");
        }
        text
    })
}

pub(crate) fn allocations(rows: &[Row]) -> String {
    table(rows, |_, cell| {
        // Tables of the claims' names and caches grow now and then, which makes halves.
        format!("{:.1}", cell.allocations).trim_end_matches(".0").to_owned()
    })
}

/// Every number, for other programs.
pub(crate) fn csv(rows: &[Row]) -> String {
    let mut text = "algorithm,case,peer,status,allocations,round,bare_ns,guarded_ns\n".to_owned();
    for row in rows {
        for (peer, cell) in PEERS.iter().zip(&row.cells) {
            let Some(cell) = cell else { continue };
            for (round, (bare, guarded)) in cell.bare.iter().zip(&cell.guarded).enumerate() {
                writeln!(
                    text,
                    "{},{},{},{},{},{round},{bare:.1},{guarded:.1}",
                    row.algorithm,
                    row.case.word(),
                    peer.name,
                    cell.status,
                    cell.allocations,
                )
                .expect("a string takes all");
            }
        }
    }
    text
}

/// Three digits, or two decimals.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

fn table(rows: &[Row], cell: impl Fn(&Row, &Cell) -> String) -> String {
    let names: Vec<_> = PEERS.iter().map(|peer| peer.name).collect();
    let mut text = format!("| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for row in rows {
        let cells: Vec<_> = row
            .cells
            .iter()
            .map(|found| found.as_ref().map_or("–".to_owned(), |found| cell(row, found)))
            .collect();
        writeln!(text, "| {} | {} |", row.name(), cells.join(" | ")).expect("a string takes all");
    }
    text
}

fn least(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(f64::INFINITY, f64::min)
}

fn median(mut sorted: Vec<f64>) -> f64 {
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

/// Below it, a difference of two measurements is no number to divide by.
const NOISE: f64 = 0.03;
