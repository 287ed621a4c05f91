//! A server for one test, in a folder of its own.

use std::{
    env, fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

pub(super) struct Server {
    process: Option<Child>,
    port: u16,
    folder: PathBuf,
}

impl Server {
    /// One that has on its disk what it acknowledges.
    pub(super) fn start() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("redis-test-{}-{count}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut server = Self { process: None, port: 0, folder };
        // Another one may take the port that was free.
        for _ in 0..5 {
            server.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if server.run() {
                return server;
            }
        }
        panic!("the server does not start")
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(super) fn restart(&mut self) {
        assert!(self.run(), "the server does not start again");
    }

    /// As a crash does.
    pub(super) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Loses all that is on the disk, while it is down.
    pub(super) fn wipe(&self) {
        assert!(self.process.is_none());
        fs::remove_dir_all(&self.folder).unwrap();
        fs::create_dir_all(&self.folder).unwrap();
    }

    /// The process stands still: its connections are open, and nobody answers.
    pub(super) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(super) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// What it answers to a command.
    pub(super) fn ask<T: ::redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let client = ::redis::Client::open(self.url()).unwrap();
        let (name, arguments) = command.split_first().unwrap();
        ::redis::cmd(name).arg(arguments).query(&mut client.get_connection().unwrap()).unwrap()
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Whether it came to serve.
    fn run(&mut self) -> bool {
        let binary = env::var_os("REDIS_SERVER").expect("REDIS_SERVER is the path of a server");
        let port = self.port.to_string();
        let mut process = Command::new(binary)
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"])
            .args(["--appendonly", "yes", "--appendfsync", "always"])
            .arg("--dir")
            .arg(&self.folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(10) {
            if process.try_wait().unwrap().is_some() {
                return false;
            }
            if self.answers().is_some() {
                self.process = Some(process);
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        process.kill().unwrap();
        process.wait().unwrap();
        false
    }

    fn answers(&self) -> Option<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.write_all(b"PING\r\n").ok()?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).ok()?;
        (&answer == b"+PONG").then_some(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
