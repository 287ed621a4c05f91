"""The login of FastAPI's tutorial with OAuth2 and JWT, in its form with python-jose.

`GET /users/me/` wants a token, `GET /open` does not. ALGORITHM is RS256, with the
public key in KEY_PEM_FILE, or HS256, with SECRET; only with the latter can this server
sign, and `POST /token` gives a token for a password. The issuer and the audience are
checked too, as by all others here.
"""

import os
import time
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, status
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from jose import JWTError, jwt
from passlib.context import CryptContext
from pydantic import BaseModel

ALGORITHM = os.environ["ALGORITHM"]
ISSUER = os.environ["ISSUER"]
AUDIENCE = os.environ["AUDIENCE"]
if ALGORITHM == "RS256":
    KEY = Path(os.environ["KEY_PEM_FILE"]).read_text()
else:
    KEY = os.environ["SECRET"]

passwords = CryptContext(schemes=["bcrypt"])
bearer = OAuth2PasswordBearer(tokenUrl="token")
app = FastAPI()


class User(BaseModel):
    sub: str
    name: str
    email: str


class StoredUser(User):
    disabled: bool
    hashed_password: str


class TokenData(BaseModel):
    sub: str


class Token(BaseModel):
    access_token: str
    token_type: str


users = {
    "ada": {
        "sub": "ada",
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "disabled": False,
        "hashed_password": passwords.hash("engine"),
    }
}


def find_user(sub: str) -> StoredUser | None:
    if sub in users:
        return StoredUser(**users[sub])
    return None


def unauthorized(detail: str) -> HTTPException:
    return HTTPException(
        status.HTTP_401_UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"}
    )


async def get_current_user(token: Annotated[str, Depends(bearer)]) -> StoredUser:
    try:
        claims = jwt.decode(token, KEY, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER)
        sub = claims.get("sub")
        if sub is None:
            raise unauthorized("no subject")
        data = TokenData(sub=sub)
    except JWTError as error:
        raise unauthorized("bad token") from error
    user = find_user(data.sub)
    if user is None:
        raise unauthorized("no such user")
    return user


async def get_active_user(user: Annotated[StoredUser, Depends(get_current_user)]) -> StoredUser:
    if user.disabled:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "the user is disabled")
    return user


async def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> Token:
    user = find_user(form.username)
    if user is None or not passwords.verify(form.password, user.hashed_password):
        raise unauthorized("wrong name or password")
    claims = {"sub": user.sub, "iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 1800}
    return Token(access_token=jwt.encode(claims, KEY, ALGORITHM), token_type="bearer")


if ALGORITHM == "HS256":
    app.post("/token")(log_in)


@app.get("/users/me/", response_model=User)
async def me(user: Annotated[StoredUser, Depends(get_active_user)]):
    return user


@app.get("/open", response_model=User)
async def open_to_all():
    return find_user("ada")
