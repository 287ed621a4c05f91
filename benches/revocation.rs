//! What it costs to ask whether a token is revoked, and how long a logout takes to be
//! known elsewhere: `cargo bench --bench revocation --features redis`. With `REDIS_SERVER`,
//! the path of a redis-server or valkey-server, the list that is shared is measured too.

#[allow(dead_code, reason = "a part of it is for tests")]
#[path = "../tests/it/redis/server.rs"]
mod server;

use std::{
    env,
    hint::black_box,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use server::Server;
use tower_jwt_auth::{
    RegisteredClaims,
    redis::{Redis, RedisDenylist},
    revocation::{Denylist, MemoryDenylist, Revocation, TokenIds},
};

const ISSUER: &str = "https://login.example.com";

fn main() {
    let test = env::args().any(|argument| argument == "--test");
    let (checks, most, logouts) = if test { (100, 1_000, 10) } else { (2_000_000, 100_000, 1_000) };

    println!("a question, with claims that have `jti`, `sid` and `sub`");
    println!("| list | entries | ns |");
    println!("|---|---|---|");
    for entries in [0, 1, 1_000, most] {
        let list = MemoryDenylist::new();
        (0..entries).for_each(|number| list.insert(session(number)).unwrap());
        println!("| memory | {entries} | {:.0} |", ask(&list, checks));
    }
    if env::var_os("REDIS_SERVER").is_none() {
        println!("the shared list is left out: REDIS_SERVER is not set");
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let server = Server::start();
        let (here, there) = (follow(&server).await, follow(&server).await);
        for number in 0..1_000 {
            here.revoke(session(number)).await.unwrap();
        }
        println!("| shared | 1000 | {:.0} |", ask(&there, checks));

        let mut times = Vec::new();
        for number in 0..logouts {
            let (claims, number) = (claims(1_000_000 + number), 1_000_000 + number);
            let begin = Instant::now();
            here.revoke(session(number)).await.unwrap();
            while there.is_revoked(TokenIds::new(&claims)).await.is_ok_and(|revoked| !revoked) {
                tokio::time::sleep(Duration::from_micros(50)).await;
            }
            times.push(begin.elapsed());
        }
        times.sort();
        let at = |part: usize| times[(times.len() * part / 1000).min(times.len() - 1)];
        println!(
            "a logout is known elsewhere after: p50 {:?}, p99 {:?}, longest {:?} of {logouts}",
            at(500),
            at(990),
            at(1000)
        );
    });
}

/// Nanoseconds for a question that is answered with no.
fn ask(list: &impl Denylist, checks: u32) -> f64 {
    let claims = claims(usize::MAX);
    let lowest = (0..5).map(|_| {
        let begin = Instant::now();
        for _ in 0..checks / 5 {
            let answer = list.is_revoked(black_box(TokenIds::new(&claims)));
            assert!(
                answer.now_or_never().is_some_and(|answer| answer.is_ok_and(|revoked| !revoked))
            );
        }
        begin.elapsed().as_secs_f64() * 1e9 / f64::from(checks / 5)
    });
    lowest.fold(f64::INFINITY, f64::min)
}

async fn follow(server: &Server) -> RedisDenylist {
    let redis = Redis::builder(server.url()).build().await.unwrap();
    redis.denylist().build().await.unwrap()
}

fn session(number: usize) -> Revocation {
    Revocation::session(ISSUER, &format!("session-{number:014}"), now() + 900)
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
