//! The examples of RFC 9449.

use super::*;

/// §4.1, figure 1: the proof of a token request.
const TOKEN_REQUEST: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

/// §7.1, figure 14: the proof of a request for a resource.
const RESOURCE_REQUEST: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";

const ACCESS_TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";

/// §6.1, figure 9.
const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

#[test]
fn they_are_accepted() {
    let jkt = Thumbprint::from_base64url(JKT).unwrap();
    let (dpop, _) = dpop_with(|builder| {
        builder.public_url("https://server.example.com").public_url("https://resource.example.org")
    });
    let login = request("POST", "/token", &[TOKEN_REQUEST]);
    let thumbprint = answer(dpop.check_without_token((&login).into(), 1_562_262_616));
    assert_eq!(thumbprint, Ok(jkt));

    let head = request("GET", "/protectedresource", &[RESOURCE_REQUEST]);
    let at = |token, jkt, now| answer(dpop.check_and_spend((&head).into(), token, jkt, now));
    let (other, now) = (Thumbprint::of(&[]), 1_562_262_618);
    assert_eq!(at("Kz~8mXK1EalYznwH", &jkt, now), fault(ProofFault::AccessToken));
    assert_eq!(at(ACCESS_TOKEN, &other, now), fault(ProofFault::OtherKey));
    assert_eq!(at(ACCESS_TOKEN, &jkt, now + 61), fault(ProofFault::Time));
    assert_eq!(at(ACCESS_TOKEN, &jkt, now), Ok(()));
    assert_eq!(at(ACCESS_TOKEN, &jkt, now), fault(ProofFault::Replayed));
}
