"""Verifies tokens of this crate by PyJWT; the test interop.rs gives them as JSON."""

import json
import sys

import jwt

given = json.load(sys.stdin)
issuer, audience = given["issuer"], given["audience"]
keys = jwt.PyJWKClient(given["jwks"])


def verify(token, algorithm):
    if algorithm.startswith("HS"):
        key = bytes.fromhex(given["secret"])
    else:
        key = keys.get_signing_key_from_jwt(token).key
    options = {"require": ["iss", "sub", "aud", "exp", "iat", "jti"]}
    return jwt.decode(
        token, key, algorithms=[algorithm], issuer=issuer, audience=audience, options=options
    )


for one in given["tokens"]:
    algorithm = one["alg"]
    claims = verify(one["good"], algorithm)
    assert claims["sub"] == "ada" and claims["name"] == "Ada", claims
    assert jwt.get_unverified_header(one["good"])["typ"] == "at+jwt"
    try:
        verify(one["changed"], algorithm)
    except jwt.InvalidTokenError:
        pass
    else:
        raise SystemExit(f"{algorithm}: a changed token is taken")
    print(algorithm)
