//! Observers are told of the streams that end with their token.

use super::*;
use crate::observe::Notes;

#[tokio::test]
async fn an_observer_is_told_once_of_a_stream_that_ends() {
    let (setup, notes) = (Setup::new(), Notes::default());
    let builder = setup.issuer.verifier_builder().denylist(setup.list.clone());
    let verifier: Verifier = builder.observer(notes.clone()).build().unwrap();
    let claims = async |id| {
        let token = setup.token("ada", id).sign();
        verifier.verify(&token).await.unwrap()
    };
    let (first, second) = (claims("1").await.validity(), claims("2").await.validity());
    let closed = claims("3").await.validity();
    let (_sender, items) = channel::<()>();
    let mut stream = first.guard(items);
    setup.revoke(setup.revocation("1")).await;
    assert_eq!(notes.take("stream"), [""; 0], "nobody has noticed it");
    assert_eq!(next(&mut stream).await, None);
    assert_eq!(notes.take("stream"), ["stream revoked"]);
    // The others of the same token, and those that end by themselves.
    assert_eq!(ends(first.clone()).await, ValidityEnd::Revoked);
    assert_eq!(first.ended(), Some(ValidityEnd::Revoked));
    drop((first, stream, closed));
    assert_eq!(notes.take("stream"), [""; 0]);

    setup.clock.advance(Duration::from_secs(360));
    assert_eq!(second.ended(), Some(ValidityEnd::Expired));
    assert_eq!(ends(second).await, ValidityEnd::Expired);
    assert_eq!(notes.take("stream"), ["stream expired"]);
}
