//! Sessions in memory.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use tower_jwt_auth::refresh::{IssuedToken, Login, MemoryRefreshStore, RefreshTokens};

use crate::table::{Table, each, resident};

pub(crate) fn measure(table: &mut Table) {
    let (few, many) = (1_000, table.size(2_000, 1_000_000));
    let batch = 100;
    let (small, large) = (filled(few), filled(many));
    type Do = fn(&RefreshTokens, &[IssuedToken]);
    let rotate: Do = |tokens, opened| {
        for opened in opened {
            now(tokens.rotate(opened.token().as_str())).unwrap();
        }
    };
    let end: Do = |tokens, opened| {
        for opened in opened {
            assert!(now(tokens.end(opened.session().id())).unwrap().is_some());
        }
    };
    let list: Do = |tokens, opened| {
        for opened in opened {
            assert!(!now(tokens.list(opened.session().subject())).unwrap().is_empty());
        }
    };
    // What is opened is ended again, outside of the time.
    let open =
        |tokens: &RefreshTokens| (0..batch).map(|number| login(tokens, 7 * number)).collect();
    let open_timed = |tokens: &RefreshTokens| {
        let mut opened: Vec<IssuedToken> = Vec::with_capacity(batch);
        let time = each(batch, || opened.extend::<Vec<_>>(open(tokens)));
        end(tokens, &opened);
        time
    };
    let timed = |tokens: &RefreshTokens, work: Do, leaves: bool| {
        let opened: Vec<IssuedToken> = open(tokens);
        let time = each(batch, || work(tokens, &opened));
        if leaves {
            end(tokens, &opened);
        }
        time
    };
    let what = |name: &str| format!("sessions: {name}, {few} and {many}");
    table.ratio(&what("open"), Some(3.0), || open_timed(&small), || open_timed(&large));
    for (name, work, leaves) in
        [("rotate", rotate, true), ("list", list, true), ("end", end, false)]
    {
        let (small, large) = (|| timed(&small, work, leaves), || timed(&large, work, leaves));
        table.ratio(&what(name), Some(3.0), small, large);
    }
    drop((small, large));
    let count = table.size(10_000, 1_000_000);
    let bytes = table.bytes_each("sessions", count);
    table.value(&format!("sessions: memory of {count}, each"), bytes, "bytes", Some(550.0));
}

pub(crate) fn memory(count: usize) -> f64 {
    resident(count, || filled(count))
}

fn filled(count: usize) -> RefreshTokens {
    let store = MemoryRefreshStore::builder().max_sessions(2 * count).build().unwrap();
    let tokens = RefreshTokens::builder(store).build().unwrap();
    (0..count).for_each(|number| drop(login(&tokens, number)));
    tokens
}

fn login(tokens: &RefreshTokens, number: usize) -> IssuedToken {
    let login = Login::new(format!("user-{:07}", 1_000_000 + number)).label("Firefox on Linux");
    now(tokens.open(login)).unwrap()
}

/// What a store in memory has at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here has to wait"),
    }
}
