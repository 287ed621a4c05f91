"""Makes all tokens: tokens.py FOLDER COUNT, with ISSUER, AUDIENCE and SECRET set.

FOLDER has the private key, `private.pem`. There comes `rs256` and `hs256` with one good
token each, `many` with COUNT good ones, and one file for each way to be bad.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
import uuid
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

DAY = 86_400

folder, count = Path(sys.argv[1]), int(sys.argv[2])
private = load_pem_private_key((folder / "private.pem").read_bytes(), password=None)
now = int(time.time())


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(algorithm: str = "RS256", **changes) -> str:
    claims = {
        "iss": os.environ["ISSUER"],
        "sub": "ada",
        "aud": os.environ["AUDIENCE"],
        "iat": now,
        "exp": now + DAY,
        "jti": str(uuid.uuid4()),
        "client_id": "my_client_id",
        "scope": "openid profile email",
        "name": "Ada Lovelace",
        "email": "ada@example.com",
    } | changes
    parts = [{"alg": algorithm, "typ": "JWT"}, claims]
    text = ".".join(base64url(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    if algorithm == "RS256":
        signature = private.sign(text.encode(), PKCS1v15(), SHA256())
    else:
        signature = hmac.digest(os.environ["SECRET"].encode(), text.encode(), hashlib.sha256)
    return f"{text}.{base64url(signature)}"


def write(name: str, *lines: str) -> None:
    (folder / name).write_text("".join(f"{line}\n" for line in lines))


def changed(good: str) -> str:
    """The same with another signature, which is base64url as well."""
    text, signature = good.rsplit(".", 1)
    return f"{text}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


for name in ["RS256", "HS256"]:
    good = token(name)
    stem = name.lower()
    write(stem, good)
    write(f"{stem}.signature", changed(good))
    write(f"{stem}.expired", token(name, iat=now - 2 * DAY, exp=now - DAY))
    write(f"{stem}.issuer", token(name, iss="https://other.example.com/"))
    write(f"{stem}.audience", token(name, aud="https://other.example.com"))
write("many", *(token() for _ in range(count)))
