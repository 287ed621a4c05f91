//! A server for one test, in a folder of its own.

use std::{
    env, fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

pub(super) struct Server {
    process: Option<Child>,
    port: u16,
    folder: PathBuf,
    /// What it is started with beside what all are.
    arguments: Vec<String>,
    /// Whether its clock says what it is [told](Self::set_time).
    is_timeless: bool,
}

impl Server {
    /// One that has in its file what it acknowledges, so that nothing is lost when it is killed. It
    /// does not wait for the disk: one that is busy with other tests may take longer than a command
    /// is waited for.
    pub(super) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with these arguments, in which `FOLDER` is its folder.
    pub(super) fn start_with(arguments: &[&str]) -> Self {
        Self::launch(arguments, "", false)
    }

    /// One whose clock says what it is [told](Self::set_time).
    pub(super) fn start_timeless() -> Self {
        Self::launch(&[], "", true)
    }

    /// A Sentinel that watches the primary at this port.
    pub(super) fn start_sentinel(primary: u16) -> Self {
        let watched = format!("sentinel monitor main 127.0.0.1 {primary} 1\n");
        Self::launch(&["FOLDER/file", "--sentinel"], &watched, false)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    fn launch(arguments: &[&str], file: &str, is_timeless: bool) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("redis-test-{}-{count}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("file"), file).unwrap();
        let named = |argument: &&str| argument.replace("FOLDER", folder.to_str().unwrap());
        let arguments = arguments.iter().map(named).collect();
        let mut server = Self { process: None, port: 0, folder, arguments, is_timeless };
        if is_timeless {
            server.set_time(1_800_000_000);
            server.make_clock();
        }
        // Another one may take the port that was free.
        for _ in 0..5 {
            server.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if server.run() {
                return server;
            }
        }
        panic!("the server does not start")
    }

    /// Stops its clock at this second.
    pub(super) fn set_time(&self, seconds: u64) {
        static WRITING: Mutex<()> = Mutex::new(());
        let _writing = WRITING.lock().unwrap();
        // As a whole: it reads the file while this is written.
        let (new, file) = (self.folder.join("time.new"), self.folder.join("time"));
        fs::write(&new, seconds.to_string()).unwrap();
        fs::rename(new, file).unwrap();
    }

    fn make_clock(&self) {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/redis/clock.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(self.folder.join("clock.so")).arg(source);
        assert!(compiler.status().unwrap().success());
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

    /// Makes the denylist of this prefix one that has been there for long. A new one is not
    /// ready before machines that know of revocations have had the time to write them back.
    pub(super) fn establish(&self, prefix: &str) {
        let key = |name: &str| format!("{{{prefix}:deny}}:{name}");
        self.ask::<i64>(&["SETNX", &key("count"), "0"]);
        self.ask::<i64>(&["SETNX", &key("since"), "1"]);
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Whether it came to serve.
    fn run(&mut self) -> bool {
        let binary = env::var_os("REDIS_SERVER").expect("REDIS_SERVER is the path of a server");
        let port = self.port.to_string();
        let mut command = Command::new(binary);
        if self.is_timeless {
            command.env("LD_PRELOAD", self.folder.join("clock.so"));
            command.env("TEST_CLOCK", self.folder.join("time"));
        }
        let mut process = command
            .args(&self.arguments)
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"])
            .args(["--appendonly", "yes", "--appendfsync", "no"])
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
