//! The participants: how they are built, started and asked.

use std::{
    env,
    error::Error,
    fs,
    io::{BufRead, BufReader, Lines, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use harness::{Algorithm, Case};

pub(crate) struct Peer {
    /// What readers call it.
    pub(crate) name: &'static str,
    /// The package in this workspace, and its program.
    package: &'static str,
    /// The package that is measured.
    measured: &'static str,
}

/// In the order of the table. All else is compared with the first.
pub(crate) const PEERS: [Peer; 8] = [
    Peer { name: "this crate", package: "peer-ours", measured: "tower-jwt-auth" },
    Peer { name: "by hand", package: "peer-hand-written", measured: "jsonwebtoken" },
    Peer { name: "jwt-authorizer", package: "peer-jwt-authorizer", measured: "jwt-authorizer" },
    Peer { name: "axum-jwt-auth", package: "peer-axum-jwt-auth", measured: "axum-jwt-auth" },
    Peer {
        name: "tower-oauth2-resource-server",
        package: "peer-tower-oauth2-resource-server",
        measured: "tower-oauth2-resource-server",
    },
    Peer { name: "axum-jwks", package: "peer-axum-jwks", measured: "axum-jwks" },
    Peer {
        name: "oauth-resource-server",
        package: "peer-oauth-resource-server",
        measured: "oauth-resource-server",
    },
    Peer {
        name: "huskarl-resource-server",
        package: "peer-huskarl-resource-server",
        measured: "huskarl-resource-server",
    },
];

/// Where the programs are: two of each participant.
pub(crate) struct Programs {
    timed: PathBuf,
    counting: PathBuf,
}

impl Programs {
    /// Builds each participant by itself. In one build, the features of all their
    /// dependencies would be put together, and one would pay for what another turned on.
    pub(crate) fn build() -> Result<Self, Box<dyn Error>> {
        let timed = folder()?;
        let counting = timed.join("counting");
        fs::create_dir_all(&counting)?;
        for Peer { package, .. } in PEERS {
            eprintln!("building {package}");
            // Cargo gives both builds one name, so the first is put away.
            cargo(["build", "--quiet", "--release", "--features", "count", "--package", package])?;
            fs::copy(timed.join(package), counting.join(package))?;
            cargo(["build", "--quiet", "--release", "--package", package])?;
        }
        Ok(Self { timed, counting })
    }

    /// Starts the program that is timed, unless it does not have this algorithm.
    pub(crate) fn timed(
        &self,
        peer: &Peer,
        input: &Path,
        algorithm: Algorithm,
    ) -> Result<Option<Running>, Box<dyn Error>> {
        Running::start(&self.timed.join(peer.package), input, algorithm)
    }

    /// Starts the program that counts allocations.
    pub(crate) fn counting(
        &self,
        peer: &Peer,
        input: &Path,
        algorithm: Algorithm,
    ) -> Result<Option<Running>, Box<dyn Error>> {
        Running::start(&self.counting.join(peer.package), input, algorithm)
    }
}

/// A participant at work. It ends when this is dropped, and also when this program is
/// killed: then its input ends.
pub(crate) struct Running {
    name: String,
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(
        program: &Path,
        input: &Path,
        algorithm: Algorithm,
    ) -> Result<Option<Self>, Box<dyn Error>> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut child = Command::new(program)
            .arg(input)
            .arg(algorithm.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        let commands = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut running = Self { name, child, commands, answers };
        match running.answer()?.as_str() {
            "ready" => Ok(Some(running)),
            "unsupported" => Ok(None),
            other => Err(format!("{} says {other:?}", running.name).into()),
        }
    }

    pub(crate) fn status(&mut self, case: Case) -> Result<u16, Box<dyn Error>> {
        Ok(self.ask(&format!("status {}", case.word()))?.parse()?)
    }

    /// Nanoseconds per request, without authentication and with it.
    pub(crate) fn time(
        &mut self,
        case: Case,
        milliseconds: u64,
    ) -> Result<(f64, f64), Box<dyn Error>> {
        pair(&self.ask(&format!("time {} {milliseconds}", case.word()))?)
    }

    /// Allocations per request, without authentication and with it.
    pub(crate) fn allocations(&mut self, case: Case) -> Result<(f64, f64), Box<dyn Error>> {
        pair(&self.ask(&format!("allocations {}", case.word()))?)
    }

    fn ask(&mut self, command: &str) -> Result<String, Box<dyn Error>> {
        writeln!(self.commands, "{command}").map_err(|error| format!("{}: {error}", self.name))?;
        self.answer()
    }

    fn answer(&mut self) -> Result<String, Box<dyn Error>> {
        let line = self.answers.next().ok_or_else(|| format!("{} has ended", self.name))?;
        Ok(line?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It fails if the program has ended already, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `name version` of what is measured.
pub(crate) fn version(peer: &Peer) -> Result<String, Box<dyn Error>> {
    let tree = cargo(["tree", "--depth", "1", "--prefix", "none", "--package", peer.package])?;
    let found = tree.lines().find_map(|line| {
        let mut words = line.split(' ');
        let is_it = words.next() == Some(peer.measured);
        words.next().filter(|_| is_it).map(|version| version.trim_start_matches('v').to_owned())
    });
    let version =
        found.ok_or_else(|| format!("{} does not use {}", peer.package, peer.measured))?;
    Ok(format!("{} {version}", peer.measured))
}

/// The folder of programs: this one's own.
pub(crate) fn folder() -> Result<PathBuf, Box<dyn Error>> {
    let program = env::current_exe()?;
    Ok(program.parent().ok_or("a program without a folder")?.to_owned())
}

/// Cargo in this workspace, with the target folder in which this program lies.
fn cargo<const N: usize>(arguments: [&str; N]) -> Result<String, Box<dyn Error>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?;
    let folder = folder()?;
    let output = Command::new("cargo")
        .args(arguments)
        .current_dir(workspace)
        .env("CARGO_TARGET_DIR", folder.parent().ok_or("no target folder")?)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("`cargo {}` failed", arguments.join(" ")).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn pair(line: &str) -> Result<(f64, f64), Box<dyn Error>> {
    let (one, other) = line.split_once(' ').ok_or_else(|| format!("{line:?} is no pair"))?;
    Ok((one.parse()?, other.parse()?))
}
