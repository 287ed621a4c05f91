//! Without the feature `remote` there are no keys from elsewhere: this type has
//! no value, and what is said of it here is never done.

use std::{convert::Infallible, time::Duration};

use super::trusted::Trusted;

#[derive(Clone, Debug)]
pub(crate) struct RemoteKeys(Infallible);

pub(crate) enum Asked {
    #[allow(dead_code, reason = "never made, and matched nevertheless")]
    Wait(Waiting),
    #[allow(dead_code, reason = "never made, and matched nevertheless")]
    Unknown,
    #[allow(dead_code, reason = "never made, and matched nevertheless")]
    Unavailable { retry_after: Duration },
    #[allow(dead_code, reason = "never made, and matched nevertheless")]
    Later { retry_after: Duration },
}

pub(crate) type Deadline = Infallible;

pub(crate) struct Waiting(Infallible);

impl RemoteKeys {
    pub(crate) fn with<T>(&self, _: impl FnOnce(Option<&Trusted>) -> T) -> T {
        match self.0 {}
    }

    pub(crate) fn issuer(&self) -> Option<&str> {
        match self.0 {}
    }

    pub(crate) fn ask(&self, _: &str, _: Option<Deadline>) -> Asked {
        match self.0 {}
    }
}

impl Waiting {
    pub(crate) fn deadline(&self) -> Deadline {
        self.0
    }

    pub(crate) fn is_shared(&self) -> bool {
        match self.0 {}
    }

    pub(crate) async fn done(&mut self) -> Asked {
        match self.0 {}
    }

    pub(crate) fn lacks(&self) {
        match self.0 {}
    }
}
