//! The copy of a denylist in Redis that a process makes when it starts.

use std::{
    env, fs,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{runtime::Builder, time::sleep};
use tower_jwt_auth::{
    RegisteredClaims,
    redis::Redis,
    revocation::{Denylist, MemoryDenylist, Revocation, TokenIds},
};

use crate::{
    server::Server,
    table::{Table, at, status},
};

const ISSUER: &str = "https://login.example.com";

pub(crate) fn measure(table: &mut Table) {
    if env::var_os("REDIS_SERVER").is_none() {
        println!("the copy of the shared denylist is left out: REDIS_SERVER is not set");
        return;
    }
    let count = table.size(2_000, 1_000_000);
    let server = Server::start();
    fill(&server, count);
    // All on one thread: what takes long there, every request waits for.
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ticks = tokio::spawn(tick());
        // What the filling took is given back to the system before.
        let before = status("VmRSS");
        let _ = fs::write("/proc/self/clear_refs", "5");
        let begin = Instant::now();
        let redis = Redis::builder(server.url()).build().await.unwrap();
        let denylist = redis.denylist().max_revocations(2 * count).build().await.unwrap();
        let took = begin.elapsed();
        ticks.abort();
        let mut delays = DELAYS.lock().unwrap().clone();
        let (peak, after) = (status("VmHWM"), status("VmRSS"));
        assert_eq!(denylist.len(), count);
        let claims = claims(count / 2);
        assert!(denylist.is_revoked(TokenIds::new(&claims)).await.unwrap());

        let what = |name: &str| format!("follower: snapshot of {count}, {name}");
        table.value(&what("time"), took.as_secs_f64(), "s", None);
        table.value(&what("memory, each"), (after - before) / count as f64, "bytes", None);
        table.value(
            &what("memory at the most, each"),
            (peak - before) / count as f64,
            "bytes",
            None,
        );
        table.value(&what("delay of a request, p99.9"), at(&mut delays, 999), "µs", None);
        table.value(
            &what("delay of a request, longest"),
            at(&mut delays, 1000),
            "µs",
            Some(25_000.0),
        );
    });
}

static DELAYS: std::sync::Mutex<Vec<Duration>> = std::sync::Mutex::new(Vec::new());

/// Asks another list each millisecond, as a request would, and notes how much later than that
/// it is.
async fn tick() {
    let (list, claims) = (MemoryDenylist::new(), claims(0));
    loop {
        let begin = Instant::now();
        sleep(Duration::from_millis(1)).await;
        assert!(!list.contains(TokenIds::new(&claims)));
        let delay = begin.elapsed().saturating_sub(Duration::from_millis(1));
        DELAYS.lock().unwrap().push(delay);
    }
}

/// As the script of this crate leaves them there.
fn fill(server: &Server, count: usize) {
    // Not a new list, which is not ready before others had the time to write back.
    server.establish("tower-jwt-auth");
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    let numbers: Vec<_> = (0..count).collect();
    for page in numbers.chunks(10_000) {
        let mut pipe = redis::pipe();
        let (mut entries, mut times) = (redis::cmd("HSET"), redis::cmd("ZADD"));
        entries.arg("{tower-jwt-auth:deny}:entries");
        times.arg("{tower-jwt-auth:deny}:times");
        for number in page {
            let one = session(*number);
            let (name, until) = (one.key(), one.keep_until());
            let json = serde_json::to_string(&one).unwrap();
            entries.arg(&name).arg(format!("{until} - {json}"));
            times.arg(until).arg(name);
        }
        pipe.add_command(entries).ignore().add_command(times).ignore();
        pipe.query::<()>(&mut connection).unwrap();
    }
}

fn session(number: usize) -> Revocation {
    let expires_at = now() + 3_600 + i64::try_from(number % 900).unwrap();
    Revocation::session(ISSUER, &format!("session-{number:014}"), expires_at)
}

fn claims(number: usize) -> RegisteredClaims {
    let payload = format!(
        r#"{{"iss":"{ISSUER}","sub":"user-1","jti":"0123456789abcdefghijkl","iat":{},
            "sid":"session-{number:014}"}}"#,
        now()
    );
    serde_json::from_str(&payload).unwrap()
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}
