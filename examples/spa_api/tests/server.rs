//! The API and its page, as a process of its own.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// The API and its page, until it is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) api: String,
    pub(crate) page: String,
    log: Arc<Mutex<String>>,
}

pub(crate) fn command(program: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs([("BIND", "127.0.0.1:0"), ("PAGE_BIND", "127.0.0.1:0")]);
    command.env("NO_COLOR", "1").envs(variables.iter().copied());
    command
}

impl Server {
    pub(crate) fn start(program: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command = command(program, variables);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        let mut url = |prefix, end| {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            let url = line.strip_prefix(prefix).and_then(|rest: &str| rest.split_once(end));
            url.unwrap_or_else(|| panic!("{line:?}")).0.to_owned()
        };
        let (api, page) = (url("listening on ", ", "), url("the page is on ", ": "));
        thread::spawn(move || out.read_to_end(&mut Vec::new()));
        let log = Arc::new(Mutex::new(String::new()));
        let (errors, lines) = (process.stderr.take().unwrap(), Arc::clone(&log));
        thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                *lines.lock().unwrap() += &format!("{line}\n");
            }
        });
        Self { process, api, page, log }
    }

    /// The lines of the log that have this text, once there is one.
    pub(crate) async fn logged(&self, text: &str) -> Vec<String> {
        for _ in 0..100 {
            let log = self.log();
            let lines: Vec<_> =
                log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect();
            if !lines.is_empty() {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it is not in the log: {text}\n{}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
