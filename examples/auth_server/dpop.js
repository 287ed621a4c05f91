// Sends the requests of the page, with DPoP proofs (RFC 9449).
//
// The access token is in the memory of this page and nowhere else. The refresh token is in a cookie that
// no script can read. Both are bound to a key that the browser keeps in IndexedDB and gives to nobody: a
// script can sign with it, and cannot copy it.

const encode = new TextEncoder();
let token;
let nonce;

// Sends a request, and once more if the server wants a nonce in the proof (§8).
export async function send(method, path, body) {
  const response = await sendOnce(method, path, body);
  if (![400, 401].includes(response.status)) return response;
  const problem = await response.clone().json().catch(() => ({}));
  return problem.error === "use_dpop_nonce" ? sendOnce(method, path, body) : response;
}

// Forgets the token and the key: the user has logged out.
export async function forget() {
  token = undefined;
  await inStore("readwrite", (keys) => keys.delete("own"));
}

async function sendOnce(method, path, body) {
  const url = new URL(path, location.href);
  // These routes give tokens, or end the session of the cookie.
  const isForToken = ["/auth/login", "/auth/refresh", "/auth/logout"].includes(url.pathname);
  const used = isForToken ? undefined : token;
  const headers = { dpop: await proof(method, url, used) };
  if (used) headers.authorization = `DPoP ${used}`;
  if (body) headers["content-type"] = "application/json";
  const request = { method, headers, cache: "no-store" };
  if (body) request.body = JSON.stringify(body);
  const response = await fetch(url, request);
  nonce = response.headers.get("dpop-nonce") ?? nonce;
  if (isForToken && response.ok && response.status !== 204) {
    token = (await response.clone().json()).access_token;
  }
  return response;
}

// A proof for one request (§4.2): it is good once, and with this token only.
async function proof(method, url, token) {
  const { privateKey, publicKey } = await keyPair();
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", publicKey);
  const header = { typ: "dpop+jwt", alg: "ES256", jwk: { kty, crv, x, y } };
  const claims = {
    jti: crypto.randomUUID(),
    htm: method,
    htu: url.origin + url.pathname,
    iat: Math.floor(Date.now() / 1000),
  };
  if (nonce) claims.nonce = nonce;
  if (token) claims.ath = base64url(await crypto.subtle.digest("SHA-256", encode.encode(token)));
  const parts = [header, claims].map((part) => base64url(encode.encode(JSON.stringify(part))));
  const input = parts.join(".");
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const signature = await crypto.subtle.sign(algorithm, privateKey, encode.encode(input));
  return `${input}.${base64url(signature)}`;
}

// The key of this browser. Another tab may have made one or thrown it away, so it is read each time.
async function keyPair() {
  const found = await inStore("readonly", (keys) => keys.get("own"));
  if (found) return found;
  const extractable = false;
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const made = await crypto.subtle.generateKey(algorithm, extractable, ["sign"]);
  // The first tab wins: the key that is stored is not replaced.
  await inStore("readwrite", (keys) => {
    const existing = keys.getKey("own");
    existing.addEventListener("success", () => {
      if (existing.result === undefined) keys.put(made, "own");
    });
    return existing;
  });
  return keyPair();
}

// Does one thing in the store of keys, and gives its result when it is done.
async function inStore(mode, work) {
  const database = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction("keys", mode);
      const request = work(transaction.objectStore("keys"));
      transaction.addEventListener("complete", () => resolve(request.result));
      transaction.addEventListener("abort", () => reject(transaction.error));
    });
  } finally {
    database.close();
  }
}

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("dpop", 1);
    request.addEventListener("upgradeneeded", () => request.result.createObjectStore("keys"));
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
}

function base64url(bytes) {
  const text = String.fromCharCode(...new Uint8Array(bytes));
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
