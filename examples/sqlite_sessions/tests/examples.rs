//! The server, when clients are slow.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tokio::{io::AsyncWriteExt, time};

use crate::slow_clients::{Process, check_half_open, connection};

/// The server, which may have 200 files open.
fn start() -> Process {
    Process::start(Path::new(env!("CARGO_BIN_EXE_sqlite_sessions")), 200, &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_are_closed_and_the_server_goes_on() {
    let server = start();
    check_half_open(server.address, "/auth/login").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trickle_does_not_keep_a_connection() {
    let server = start();
    let mut stream = connection(server.address, b"GET / HTTP/1.1\r\nx: ").await;
    let begin = Instant::now();
    while stream.write_all(b"x").await.is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(20), "it is open");
        time::sleep(Duration::from_millis(500)).await;
    }
}
