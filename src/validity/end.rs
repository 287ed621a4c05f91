//! Why a stream has ended.

use std::fmt;

use crate::{error::Class, revocation::Ended};

/// Why a stream has ended.
///
/// Its names are stable: `expired`, `revoked` and `unchecked`. They are safe to send to the client, who may
/// then refresh the token (`expired`), log in (`revoked`) or try again later (`unchecked`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValidityEnd {
    /// The token has expired, or is older than the verifier's
    /// [`max_age`](crate::verifier::VerifierBuilder::max_age).
    Expired,
    /// The denylist has heard of the token, its session or its subject.
    Revoked,
    /// This stream has had no answer of the denylist for 60 s, or there is no runtime with a timer, so nobody
    /// knows whether the token is revoked.
    Unchecked,
}

impl ValidityEnd {
    /// Its stable name, such as `expired`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Unchecked => "unchecked",
        }
    }

    /// The [status code of gRPC] for the end of a stream: 16 (`UNAUTHENTICATED`) for `expired` and
    /// `revoked`, 14 (`UNAVAILABLE`) for `unchecked`. Put the [name](Self::name) into the metadata: the code
    /// does not tell a client whether to refresh its token or to log in.
    ///
    /// # Example
    /// ```
    /// use tower_jwt_auth::validity::ValidityEnd;
    ///
    /// assert_eq!(ValidityEnd::Expired.grpc_code(), 16);
    /// assert_eq!(ValidityEnd::Unchecked.grpc_code(), 14);
    /// // With tonic: `Status::new(Code::from(end.grpc_code()), end.to_string())`
    /// ```
    ///
    /// [status code of gRPC]: https://grpc.io/docs/guides/status-codes/
    #[must_use]
    pub fn grpc_code(self) -> i32 {
        let class = match self {
            Self::Expired | Self::Revoked => Class::InvalidToken,
            Self::Unchecked => Class::Unavailable,
        };
        class.grpc_code()
    }
}

impl From<Ended> for ValidityEnd {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Expired => Self::Expired,
            Ended::Revoked => Self::Revoked,
            Ended::Unchecked => Self::Unchecked,
        }
    }
}

/// The sentence for the client, such as `the token has expired`.
impl fmt::Display for ValidityEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "the token has expired",
            Self::Revoked => "the token was revoked",
            Self::Unchecked => "the token cannot be checked now",
        })
    }
}
