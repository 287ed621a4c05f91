//! Builds all participants, lets them take turns, and prints what came out as Markdown.

mod chart;
mod options;
mod peer;
mod results;
mod tokens;

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use harness::{Algorithm, Case};

use crate::{
    options::Options,
    peer::{PEERS, Programs, Running},
    results::{Cell, Row},
};

fn main() -> ExitCode {
    match compare() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benches/peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> Result<(), Box<dyn Error>> {
    let options = Options::read(env::args().skip(1))?;
    let programs = Programs::build()?;
    let input = Folder::new()?;

    let mut rows = Vec::new();
    for algorithm in Algorithm::ALL {
        eprintln!("{algorithm}: signing {} tokens", options.pool);
        tokens::make(algorithm, options.pool).write(&input.0)?;
        rows.extend(measure(&programs, &input.0, algorithm, &options)?);
    }
    // Cases that all algorithms share go last.
    rows.sort_by_key(|row| !row.case.has_signature());

    print!("{}", report(&rows, &options)?);
    if let Some(path) = &options.out {
        fs::write(path, results::csv(&rows))?;
    }
    if let Some(path) = &options.chart {
        chart::draw(path, &rows, &chart::WHOLE)?;
    }
    if let Some(path) = &options.small {
        chart::draw(path, &rows, &chart::SMALL)?;
    }
    Ok(())
}

/// All cases of one algorithm.
fn measure(
    programs: &Programs,
    input: &Path,
    algorithm: Algorithm,
    options: &Options,
) -> Result<Vec<Row>, Box<dyn Error>> {
    // What has no signature is measured once, with the one algorithm that all have.
    let measured = |case: &Case| case.has_signature() || algorithm == Algorithm::RS256;
    let mut rows: Vec<_> = Case::ALL
        .into_iter()
        .filter(measured)
        .map(|case| Row { algorithm, case, cells: Vec::new() })
        .collect();

    let mut running = Vec::new();
    for peer in &PEERS {
        let mut counting = programs.counting(peer, input, algorithm)?;
        for row in &mut rows {
            let cell = counting.as_mut().map(|program| first_look(program, peer.name, row.case));
            row.cells.push(cell.transpose()?);
        }
        running.push(programs.timed(peer, input, algorithm)?);
    }

    for round in 0..options.rounds {
        eprintln!("{algorithm}: round {} of {}", round + 1, options.rounds);
        for row in &mut rows {
            for turn in 0..PEERS.len() {
                // Each round begins with another, so that nobody always comes after the
                // same neighbour.
                let turn = (turn + round) % PEERS.len();
                let (Some(program), Some(cell)) = (&mut running[turn], &mut row.cells[turn]) else {
                    continue;
                };
                let (bare, guarded) = program.time(row.case, options.milliseconds)?;
                cell.bare.push(bare);
                cell.guarded.push(guarded);
            }
        }
    }
    Ok(rows)
}

/// Whether a participant lets in and keeps out whom it should, before anything is
/// measured, and what it allocates for that.
fn first_look(program: &mut Running, name: &str, case: Case) -> Result<Cell, Box<dyn Error>> {
    let status = program.status(case)?;
    // Another refusal than 401 is a refusal still, and stands in the table.
    if (status == 200) != (case.status() == 200) {
        return Err(format!("{name} answers {status} to: {case}").into());
    }
    let (bare, guarded) = program.allocations(case)?;
    Ok(Cell { status, allocations: guarded - bare, ..Cell::default() })
}

fn report(rows: &[Row], options: &Options) -> Result<String, Box<dyn Error>> {
    let versions: Result<Vec<_>, _> = PEERS.iter().map(peer::version).collect();
    Ok(format!(
        "µs per request over the bare router, least / median of {} rounds of {} ms \
         (least ÷ that of this crate); {} different tokens\n\n{}\n\
         allocations per request over the bare router\n\n{}\n{}; {}, {}\n",
        options.rounds,
        options.milliseconds,
        options.pool,
        results::times(rows),
        results::allocations(rows),
        versions?.join(", "),
        compiler()?,
        processor(),
    ))
}

fn compiler() -> Result<String, Box<dyn Error>> {
    let output = Command::new("rustc").arg("--version").output()?;
    let version = String::from_utf8(output.stdout)?;
    Ok(version.split(' ').take(2).collect::<Vec<_>>().join(" "))
}

fn processor() -> String {
    let known = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = known.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or("unknown processor", |(_, name)| name).to_owned()
}

/// A folder that goes with its owner: keys and tokens are of no use after a run.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Box<dyn Error>> {
        let path = peer::folder()?.join("peers-input");
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is overwritten by the next run.
        let _ = fs::remove_dir_all(&self.0);
    }
}
