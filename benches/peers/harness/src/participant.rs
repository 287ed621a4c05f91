use std::{convert::Infallible, env, io, path::Path, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use tokio::runtime::{self, Runtime};
use tower::Service;

use crate::{Case, Input, stopwatch::Stopwatch};

/// The whole program of a participant: its router without authentication, and how to
/// make the one with it, or `None` for an algorithm that it does not have.
///
/// Started with a folder and an algorithm, it takes one command a line: `status`,
/// `time` or `allocations`, then a case, and for `time` the milliseconds to spend. It
/// answers each with a line, and ends with its input.
pub fn run<App, Body>(bare: App, build: impl AsyncFnOnce(&Input) -> Option<App>)
where
    App: Service<Request<Empty<Bytes>>, Response = Response<Body>, Error = Infallible>,
{
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [folder, algorithm] = arguments.as_slice() else {
        panic!("started by `compare`, with a folder and an algorithm");
    };
    let algorithm = algorithm.parse().expect("an algorithm");
    let input = Input::read(Path::new(folder), algorithm).expect("keys and tokens");

    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let Some(guarded) = runtime.block_on(build(&input)) else {
        println!("unsupported");
        return;
    };
    println!("ready");
    let mut bare = Stopwatch::new(bare, &input);
    let mut guarded = Stopwatch::new(guarded, &input);
    for line in io::stdin().lines() {
        let line = line.expect("a line");
        println!("{}", obey(&line, &runtime, &mut bare, &mut guarded));
    }
}

fn obey<App, Body>(
    line: &str,
    runtime: &Runtime,
    bare: &mut Stopwatch<App>,
    guarded: &mut Stopwatch<App>,
) -> String
where
    App: Service<Request<Empty<Bytes>>, Response = Response<Body>, Error = Infallible>,
{
    let mut words = line.split(' ');
    let command = words.next().expect("`split` gives one at the least");
    let case: Case = words.next().expect("a case").parse().expect("a case");
    match command {
        "status" => runtime.block_on(guarded.status(case)).as_u16().to_string(),
        "time" => {
            let time: u64 = words.next().expect("milliseconds").parse().expect("a number");
            // The bare router is quick and steady: a quarter is enough for it.
            let quarter = Duration::from_millis(time) / 4;
            let without = runtime.block_on(bare.time(case, quarter));
            let with = runtime.block_on(guarded.time(case, quarter * 3));
            format!("{without} {with}")
        }
        #[cfg(feature = "count")]
        "allocations" => {
            let without = bare.allocations(case, runtime);
            let with = guarded.allocations(case, runtime);
            format!("{without} {with}")
        }
        _ => panic!("no command has the name {command:?}"),
    }
}
