//! A server as a process of its own, and clients that are slow or send half a request.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

/// A server, until it is dropped. It may have so many files open.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    pub(crate) fn start(program: &Path, files: u32, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("ulimit -n {files}; exec \"$0\""), program.to_str().unwrap()]);
        command.env_clear().env("BIND", "127.0.0.1:0").envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (mut line, mut out) = (String::new(), BufReader::new(child.stdout.take().unwrap()));
        out.read_line(&mut line).unwrap();
        // It may go on to print.
        std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        let url = line.strip_prefix("listening on http://").and_then(|rest| rest.split(',').next());
        let address =
            url.unwrap_or_else(|| panic!("{}: {line}", program.display())).parse().unwrap();
        Self { child, address }
    }

    /// The most memory that it has had so far, in KiB.
    pub(crate) fn peak(&self) -> u64 {
        peak(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// A connection on which this was sent.
pub(crate) async fn connection(to: SocketAddr, sent: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(sent).await.unwrap();
    stream
}

/// What the server says until it closes the connection, and how long that took.
pub(crate) async fn closed(mut stream: TcpStream, within: Duration) -> (String, Duration) {
    let (begin, mut text) = (Instant::now(), Vec::new());
    let read = time::timeout(within, stream.read_to_end(&mut text)).await;
    assert!(read.is_ok(), "it is open after {within:?}: {:?}", String::from_utf8_lossy(&text));
    (String::from_utf8_lossy(&text).into_owned(), begin.elapsed())
}

/// The server may have 200 files open, and closes what more connections than that leave half
/// open. The path is that of a public page, or of one that reads a body.
pub(crate) async fn check_half_open(address: SocketAddr, path: &str) {
    // A whole request, and then nothing.
    let get = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let idle = connection(address, get.as_bytes()).await;
    let post = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: 99\r\n\r\n{{"
    );
    let body = connection(address, post.as_bytes()).await;
    // More than the server may have files open.
    let mut half = Vec::new();
    for at in 0..300 {
        let sent: &[u8] = match at % 3 {
            0 => b"",
            1 => b"GET / HTTP/1.1\r\nhost: loc",
            _ => b"PRI * HTTP/2.0\r\n\r\nSM",
        };
        half.push(connection(address, sent).await);
    }
    let limit = Duration::from_secs(25);
    let (answer, _) = closed(idle, limit).await;
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    let (answer, _) = closed(body, limit).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    if path == "/auth/login" {
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    let again = connection(address, get.as_bytes()).await;
    let (answer, _) = closed(again, limit).await;
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    for stream in half {
        closed(stream, limit).await;
    }
}
