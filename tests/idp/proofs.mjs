// The example server and forged proofs (RFC 9449): one HTTP request a case. stdin has the issuer and
// the servers' origins as JSON; the test `senders.rs` starts them.

import assert from 'node:assert/strict';
import { createHash, createHmac, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto';
import { connect } from 'node:http2';
import { text } from 'node:stream/consumers';
import { check, end, request, send } from './cases.mjs';

const { issuer, optional, required, nonces, proxied, off } = JSON.parse(await text(process.stdin));

// --- keys, tokens and proofs

const PUBLIC = 'https://api.example.com'; // of the server `proxied`

const keyOf = (type, options) => generateKeyPairSync(type, options);
const p256 = () => keyOf('ec', { namedCurve: 'P-256' });
const [mine, others] = [p256(), p256()];
const rsa = keyOf('rsa', { modulusLength: 2048 });

const jwkOf = (key) => key.publicKey.export({ format: 'jwk' });
const b64 = (value) => Buffer.from(value).toString('base64url');
const sha256 = (value) => createHash('sha256').update(value).digest('base64url');
const now = () => Math.floor(Date.now() / 1000);

// RFC 7638.
function thumbprint(key) {
  const { crv, e, kty, n, x, y } = jwkOf(key);
  return sha256(JSON.stringify(kty === 'RSA' ? { e, kty, n } : { crv, kty, x, y }));
}

async function token(claims) {
  const answer = await fetch(`${issuer}/test/sign`, { method: 'POST', body: JSON.stringify(claims) });
  assert.equal(answer.status, 200);
  return answer.text();
}

const bound = await token({ cnf: { jkt: thumbprint(mine) }, scope: 'read' });
const unbound = await token({ scope: 'read' });

const dsa = { dsaEncoding: 'ieee-p1363' };
const SIGN = {
  ES256: (input, key) => sign('sha256', input, { key, ...dsa }),
  ES384: (input, key) => sign('sha384', input, { key, ...dsa }),
  ES512: (input, key) => sign('sha512', input, { key, ...dsa }),
  RS256: (input, key) => sign('sha256', input, key),
  PS256: (input, key) => sign('sha256', input, { key, padding: 6, saltLength: 32 }),
  EdDSA: (input, key) => sign(null, input, key),
  Ed25519: (input, key) => sign(null, input, key),
};

// A proof for `GET /me` with the token. A member of `header` or `claims` that is undefined is left out;
// `rawHeader` and `rawClaims` are in place of the JSON.
function proof({ key = mine, alg = 'ES256', header, claims, rawHeader, rawClaims, using = bound, origin = optional, by } = {}) {
  const fullHeader = { typ: 'dpop+jwt', alg, jwk: jwkOf(key), ...header };
  const fullClaims = {
    jti: randomUUID(), htm: 'GET', htu: `${origin}/me`, iat: now(), ath: sha256(using), ...claims,
  };
  const input = `${b64(rawHeader?.(fullHeader) ?? JSON.stringify(fullHeader))}.${b64(rawClaims?.(fullClaims) ?? JSON.stringify(fullClaims))}`;
  const signature = by ? by(input) : SIGN[alg](Buffer.from(input), key.privateKey);
  return `${input}.${b64(signature)}`;
}

// --- what is expected

const BEARER = 'Bearer realm="resource_server"';
const DPOP = 'DPoP realm="resource_server", algs="ES256 EdDSA"';
// The client is told what kind of fault it is, and not which check failed.
const SAID = {
  invalid_dpop_proof: 'the DPoP proof is not valid for this request',
  invalid_token: 'the access token is not valid here, or not any more',
  insufficient_scope: 'the access token does not allow this',
  invalid_request: 'the request must have one well-formed token in one place',
  use_dpop_nonce: 'the DPoP proof must have the nonce of this server',
};
const failed = (challenge, code) => `${challenge}, error="${code}", error_description="${SAID[code]}"`;

function expect(answer, status, challenges, what = '') {
  assert.deepEqual([answer.status, answer.all('www-authenticate')], [status, challenges], `${what}${answer.body}`);
}
const accepted = (answer) => expect(answer, 200, []);
const badProof = (answer) => expect(answer, 401, [failed(DPOP, 'invalid_dpop_proof')]);
const badToken = (answer) => expect(answer, 401, [failed(DPOP, 'invalid_token')]);
const badBearer = (answer) => expect(answer, 401, [failed(BEARER, 'invalid_token'), DPOP]);

const dpop = (theProof, using = bound) => [['Authorization', `DPoP ${using}`], ['DPoP', theProof]];
const ask = (theProof, using = bound, more = {}, origin = optional) => (
  request(origin, { ...more, headers: dpop(theProof, using) })
);

// --- the proof itself: RFC 9449 §4.3, and the list of the MCP scenario `auth/dpop-server-validation`

await check('a good proof', async () => accepted(await ask(proof())));
await check('the same for EdDSA', async () => {
  const key = keyOf('ed25519');
  for (const alg of ['EdDSA', 'Ed25519']) {
    const using = await token({ cnf: { jkt: sha256(JSON.stringify((({ crv, kty, x }) => ({ crv, kty, x }))(jwkOf(key)))) } });
    accepted(await ask(proof({ key, alg, using }), using));
  }
});

const good = proof();
await check('no proof', async () => badProof(await request(optional, { headers: [['Authorization', `DPoP ${bound}`]] })));
for (const [name, text] of [
  ['an empty proof', ''],
  ['a proof that is no JWT', 'not-a-jwt'],
  ['a proof of two parts', good.split('.').slice(0, 2).join('.')],
  ['a proof of four parts', `${good}.x`],
  ['a proof of five parts', `${good}.x.y`],
  ['a proof without a signature', `${good.split('.').slice(0, 2).join('.')}.`],
  ['a proof with padding', `${good}==`],
  ['a proof in quotes', `"${good}"`],
  ['a proof with a space in it', good.replace('.', ' .')],
  ['a proof in base64 with + and /', `${good.slice(0, -4)}+/+/`],
  ['two proofs in one header', `${good}, ${proof()}`],
  ['a proof and a comma', `${good},`],
  ['a proof with bytes that are not ASCII', `${good}\xe9`],
  ['a proof that is JSON', JSON.stringify({ proof: good })],
  ['the access token as the proof', bound],
  ['a proof of 4 KiB and more', proof({ claims: { filler: 'x'.repeat(4096) } })],
  ['a proof of 60 KiB', proof({ claims: { filler: 'x'.repeat(45_000) } })],
]) {
  await check(name, async () => badProof(await ask(text)));
}
await check('spaces around a proof are none of it', async () => accepted(await ask(`  ${proof()}  `)));
await check('a long proof below the limit', async () => accepted(await ask(proof({ claims: { filler: 'x'.repeat(2000) } }))));

await check('two proofs in two headers', async () => {
  const headers = [...dpop(proof()), ['DPoP', proof()]];
  badProof(await request(optional, { headers }));
});
await check('the same proof in two headers', async () => {
  const one = proof();
  badProof(await request(optional, { headers: [...dpop(one), ['dpop', one]] }));
  accepted(await ask(one));
});
await check('an empty second header', async () => badProof(await request(optional, { headers: [...dpop(proof()), ['DPoP', '']] })));
for (const name of ['dpop', 'DPOP', 'dPoP']) {
  await check(`the header as ${name}`, async () => (
    accepted(await request(optional, { headers: [['authorization', `DPoP ${bound}`], [name, proof()]] }))
  ));
}

for (const name of ['jti', 'htm', 'htu', 'iat', 'ath']) {
  await check(`a proof without ${name}`, async () => badProof(await ask(proof({ claims: { [name]: undefined } }))));
  await check(`${name} is null`, async () => badProof(await ask(proof({ claims: { [name]: null } }))));
  await check(`${name} is of another type`, async () => badProof(await ask(proof({ claims: { [name]: name === 'iat' ? `${now()}` : 7 } }))));
  await check(`${name} is a list`, async () => badProof(await ask(proof({ claims: { [name]: ['x'] } }))));
  await check(`${name} twice`, async () => {
    const twice = (claims) => `{${JSON.stringify(name)}:${JSON.stringify(claims[name])},${JSON.stringify(claims).slice(1)}`;
    badProof(await ask(proof({ rawClaims: twice })));
  });
}
for (const [name, change] of [
  ['jti is empty', { jti: '' }],
  ['jti of 257 bytes', { jti: 'x'.repeat(257) }],
  ['htm in lower case', { htm: 'get' }],
  ['htm of another method', { htm: 'POST' }],
  ['htm is empty', { htm: '' }],
  ['htm with a space', { htm: 'GET ' }],
  ['ath of another token', { ath: sha256(unbound) }],
  ['ath in hex', { ath: createHash('sha256').update(bound).digest('hex') }],
  ['ath with padding', { ath: `${sha256(bound)}=` }],
  ['ath in base64', { ath: createHash('sha256').update(bound).digest('base64') }],
  ['ath is empty', { ath: '' }],
  ['ath is a part', { ath: sha256(bound).slice(0, 22) }],
  ['ath of the scheme as well', { ath: sha256(`DPoP ${bound}`) }],
  ['iat 303 s ago', { iat: now() - 303 }],
  ['iat in 303 s', { iat: now() + 303 }],
  ['iat 65 s ago', { iat: now() - 65 }],
  ['iat in 20 s', { iat: now() + 20 }],
  ['iat in milliseconds', { iat: Date.now() }],
  ['iat is 0', { iat: 0 }],
  ['iat is negative', { iat: -now() }],
  ['exp is over', { exp: now() - 1 }],
  ['nbf is to come', { nbf: now() + 60 }],
  ['exp is a text', { exp: 'x' }],
]) {
  await check(name, async () => badProof(await ask(proof({ claims: change }))));
}
for (const [name, change] of [
  ['jti of 256 bytes', { jti: 'x'.repeat(246) + randomBytes(5).toString('hex') }],
  ['jti with letters of all kinds', { jti: `\u{1f511} ö "${randomUUID()}"` }],
  ['iat 55 s ago', { iat: now() - 55 }],
  ['iat in 5 s', { iat: now() + 5 }],
  ['iat with a fraction', { iat: Date.now() / 1000 }],
  ['claims that nobody knows', { sub: 'x', custom: { a: [1, null, true] } }],
  ['exp to come, nbf in the past', { exp: now() + 60, nbf: now() - 5 }],
  ['a nonce that nobody asked for', { nonce: 'x' }],
]) {
  await check(name, async () => accepted(await ask(proof({ claims: change }))));
}

for (const [name, change] of [
  ['typ is JWT', { typ: 'JWT' }],
  ['typ is at+jwt', { typ: 'at+jwt' }],
  ['typ is missing', { typ: undefined }],
  ['typ is a number', { typ: 1 }],
  ['typ with something behind', { typ: 'dpop+jwt2' }],
  ['typ of another tree', { typ: 'text/dpop+jwt' }],
  ['alg is missing', { alg: undefined }],
  ['alg is none', { alg: 'none' }],
  ['alg is NONE', { alg: 'NONE' }],
  ['alg is es256', { alg: 'es256' }],
  ['alg of another key', { alg: 'EdDSA' }],
  ['alg is a list', { alg: ['ES256'] }],
  ['jwk is missing', { jwk: undefined }],
  ['jwk is null', { jwk: null }],
  ['jwk is a text', { jwk: JSON.stringify(jwkOf(mine)) }],
  ['jwk is a list', { jwk: [jwkOf(mine)] }],
  ['jwk with the private key', { jwk: mine.privateKey.export({ format: 'jwk' }) }],
  ['jwk with a private member that is null', { jwk: { ...jwkOf(mine), d: null } }],
  ['jwk with a symmetric member', { jwk: { ...jwkOf(mine), k: 'AAAA' } }],
  ['jwk with priv', { jwk: { ...jwkOf(mine), priv: 'AAAA' } }],
  ['jwk is symmetric', { jwk: { kty: 'oct', k: b64('x'.repeat(32)) } }],
  ['jwk with another curve', { jwk: { ...jwkOf(mine), crv: 'P-384' } }],
  ['jwk off the curve', { jwk: { ...jwkOf(mine), y: jwkOf(others).y } }],
  ['jwk with short coordinates', { jwk: { ...jwkOf(mine), x: 'AAAA' } }],
  ['jwk of another client', { jwk: jwkOf(others) }],
  ['kid in place of jwk', { jwk: undefined, kid: thumbprint(mine) }],
  ['jku in place of jwk', { jwk: undefined, jku: `${issuer}/jwks` }],
  ['crit', { crit: ['exp'], exp: 1 }],
  ['crit that is empty', { crit: [] }],
  ['b64', { b64: false, crit: ['b64'] }],
]) {
  await check(name, async () => badProof(await ask(proof({ header: change }))));
}
for (const typ of ['DPoP+JWT', 'application/dpop+jwt']) {
  await check(`typ is ${typ}`, async () => accepted(await ask(proof({ header: { typ } }))));
}
await check('members of the header that nobody knows', async () => accepted(await ask(proof({ header: { kid: 'x', x: 1 } }))));
await check('members of the jwk that nobody knows', async () => (
  accepted(await ask(proof({ header: { jwk: { ...jwkOf(mine), kid: 'x', use: 'sig', alg: 'ES256', ext: true } } })))
));
for (const name of ['typ', 'alg', 'jwk']) {
  const twice = (header) => `{${JSON.stringify(name)}:${JSON.stringify(header[name])},${JSON.stringify(header).slice(1)}`;
  await check(`${name} twice`, async () => badProof(await ask(proof({ rawHeader: twice }))));
}
// Another spelling of the same 32 bytes, in bits that base64url does not use.
await check('jwk with coordinates that are not canonical base64url', async () => {
  const { x, ...rest } = jwkOf(mine);
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const other = letters[letters.indexOf(x.at(-1)) ^ 1];
  badProof(await ask(proof({ header: { jwk: { ...rest, x: `${x.slice(0, -1)}${other}` } } })));
  badProof(await ask(proof({ header: { jwk: { ...rest, x: `${x}=` } } })));
});
await check('parts that are not canonical base64url', async () => {
  const [head, claims, signature] = proof().split('.');
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const other = letters[letters.indexOf(signature.at(-1)) ^ 1];
  badProof(await ask(`${head}.${claims}.${signature.slice(0, -1)}${other}`));
});
for (const [name, rawClaims] of [
  ['iat is 1e400', (claims) => JSON.stringify(claims).replace(/"iat":\d+/, '"iat":1e400')],
  ['iat is 1e-400', (claims) => JSON.stringify(claims).replace(/"iat":\d+/, '"iat":1e-400')],
  ['iat with an exponent too many', (claims) => JSON.stringify(claims).replace(/"iat":\d+/, '"iat":99999999999999999999999')],
  ['iat is NaN', (claims) => JSON.stringify(claims).replace(/"iat":\d+/, '"iat":NaN')],
  ['jti with half a surrogate', (claims) => JSON.stringify(claims).replace(/"jti":"[^"]+"/, '"jti":"\\ud800"')],
  ['a name with an escape, twice', (claims) => `{"\\u0068tm":"GET",${JSON.stringify(claims).slice(1)}`],
  ['claims that are nested a thousand times', (claims) => `{"x":${'['.repeat(1000)}${']'.repeat(1000)},${JSON.stringify(claims).slice(1)}`],
  ['something behind the claims', (claims) => `${JSON.stringify(claims)}{}`],
  ['a byte order mark', (claims) => `\ufeff${JSON.stringify(claims)}`],
  ['a comma too many', (claims) => JSON.stringify(claims).replace('}', ',}')],
  ['a comment', (claims) => JSON.stringify(claims).replace('{', '{/**/')],
]) {
  await check(name, async () => badProof(await ask(proof({ rawClaims }))));
}
await check('claims in another order, with spaces', async () => {
  const spaced = (claims) => JSON.stringify(Object.fromEntries(Object.entries(claims).reverse()), null, 2);
  accepted(await ask(proof({ rawClaims: spaced })));
});
await check('the header is a list', async () => badProof(await ask(proof({ rawHeader: () => '[]' }))));
await check('the claims are a list', async () => badProof(await ask(proof({ rawClaims: () => '[]' }))));
await check('the claims are no JSON', async () => badProof(await ask(proof({ rawClaims: () => 'x' }))));

await check('alg none, unsigned', async () => badProof(await ask(proof({ header: { alg: 'none' }, by: () => '' }))));
await check('HS256 with the public key', async () => {
  const secret = mine.publicKey.export({ type: 'spki', format: 'pem' });
  badProof(await ask(proof({ header: { alg: 'HS256' }, by: (input) => createHmac('sha256', secret).update(input).digest() })));
});
await check('HS256 with the key in the header', async () => {
  const header = { alg: 'HS256', jwk: { kty: 'oct', k: b64('x'.repeat(32)) } };
  badProof(await ask(proof({ header, by: (input) => createHmac('sha256', 'x'.repeat(32)).update(input).digest() })));
});
await check('the signature of another proof', async () => {
  const [head, claims] = proof().split('.');
  badProof(await ask(`${head}.${claims}.${proof().split('.')[2]}`));
});
await check('a signature of zeros', async () => badProof(await ask(proof({ by: () => Buffer.alloc(64) }))));
await check('a signature in DER', async () => badProof(await ask(proof({ by: (input) => sign('sha256', Buffer.from(input), mine.privateKey) }))));
await check('signed by another key', async () => badProof(await ask(proof({ by: (input) => SIGN.ES256(Buffer.from(input), others.privateKey) }))));
await check('the key of another client', async () => badProof(await ask(proof({ key: others }))));
for (const [alg, key] of [
  ['RS256', rsa], ['PS256', rsa],
  ['ES384', keyOf('ec', { namedCurve: 'P-384' })], ['ES512', keyOf('ec', { namedCurve: 'P-521' })],
]) {
  await check(`${alg}, which was not turned on`, async () => {
    const using = await token({ cnf: { jkt: thumbprint(key) } });
    badProof(await ask(proof({ key, alg, using }), using));
  });
}

// --- once only

await check('the proof again', async () => {
  const one = proof();
  accepted(await ask(one));
  badProof(await ask(one));
});
await check('the proof again, with another signature', async () => {
  const claims = { jti: randomUUID() };
  accepted(await ask(proof({ claims })));
  badProof(await ask(proof({ claims })));
});
await check('the same jti by another key', async () => {
  const claims = { jti: randomUUID() };
  const using = await token({ cnf: { jkt: thumbprint(others) } });
  accepted(await ask(proof({ claims })));
  accepted(await ask(proof({ key: others, claims, using }), using));
});
await check('a hundred at once, one is accepted', async () => {
  const one = proof();
  const answers = await Promise.all(Array.from({ length: 100 }, () => ask(one)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  assert.equal(answers.filter(({ status }) => status === 401).length, 99);
});
await check('a bad request does not spend the proof', async () => {
  const one = proof();
  badToken(await ask(one, `${bound.slice(0, -6)}AAAAAA`));
  badProof(await ask(one, bound, { method: 'POST', body: '{}' }));
  badProof(await ask(one, bound, { target: '/admin' }));
  accepted(await ask(one));
});
await check('a scope that is missing is told after the proof', async () => {
  const theProof = proof({ claims: { htu: `${optional}/admin` } });
  const challenge = `${failed(DPOP, 'insufficient_scope')}, scope="admin"`;
  expect(await ask(theProof, bound, { target: '/admin' }), 403, [challenge]);
});

// --- htu

for (const [htu, target] of [
  [`${PUBLIC}/me`, '/me'],
  ['https://API.EXAMPLE.com/me', '/me'],
  ['HTTPS://api.example.com/me', '/me'],
  ['https://api.example.com:443/me', '/me'],
  ['https://api.example.com:/me', '/me'],
  ['https://api.example.com/%6De', '/me'],
  ['https://api.example.com/m%65', '/me'],
  ['https://api.example.com/x/../me', '/me'],
  ['https://api.example.com/./me', '/me'],
  ['https://api.example.com/me?q=1', '/me'],
  ['https://api.example.com/me#f', '/me'],
  ['https://api.example.com/me?a=b#f', '/me?other=1'],
  [`${PUBLIC}/me`, '/me?q=1'],
  [`${PUBLIC}/me`, '/me?'],
]) {
  await check(`htu ${htu} for ${target}`, async () => (
    accepted(await ask(proof({ claims: { htu } }), bound, { target }, proxied))
  ));
}
for (const htu of [
  '/me', 'me', '//api.example.com/me', 'api.example.com/me', '', ' ', 'https://', 'https:///me',
  'http://api.example.com/me', 'https://api.example.com/', 'https://api.example.com', 'https://api.example.com/ME',
  'https://api.example.com/me/', 'https://api.example.com//me', 'https://api.example.com/me%2F', 'https://api.example.com/%2Fme',
  'https://api.example.com/me%', 'https://api.example.com/me%00', 'https://api.example.com:80/me', 'https://api.example.com:8443/me',
  'https://api.example.com:0443x/me', 'https://api.example.com:99999/me', 'https://user@api.example.com/me', 'https://user:pw@api.example.com/me',
  'https://api.example.com@evil.example/me', 'https://evil.example/me', 'https://api.example.com.evil.example/me', 'https://evil.example/https://api.example.com/me',
  'https://api.example.com\\me', 'https://api.example.com/me ', ' https://api.example.com/me', 'https://api.example.com/\u{ff4d}e',
  'https://\u{ff41}pi.example.com/me', 'https://api.example.com./me', 'https://127.0.0.1/me', 'https://[::1]/me', 'wss://api.example.com/me',
  'https://api.example.com/me;v=1', 'https://api.example.com/admin', 'https:api.example.com/me', `${proxied}/me`,
]) {
  await check(`htu ${JSON.stringify(htu)} is another`, async () => (
    badProof(await ask(proof({ claims: { htu } }), bound, {}, proxied))
  ));
}
for (const host of ['evil.example', '127.0.0.1', 'api.example.com']) {
  const at = (origin) => proof({ claims: { htu: `${origin}/me` } });
  await check(`the header Host ${host} does not count`, async () => {
    accepted(await ask(at(PUBLIC), bound, { host }, proxied));
    if (host !== 'api.example.com') badProof(await ask(at(`https://${host}`), bound, { host }, proxied));
  });
}
for (const [name, value] of [
  ['X-Forwarded-Host', 'evil.example'], ['X-Forwarded-Proto', 'http'], ['Forwarded', 'host=evil.example;proto=https'],
  ['X-Original-URL', '/admin'], ['X-HTTP-Method-Override', 'POST'], ['X-Forwarded-Prefix', '/x'],
]) {
  await check(`the header ${name} does not count`, async () => {
    const headers = (claims) => [...dpop(proof({ origin: PUBLIC, claims })), [name, value]];
    accepted(await request(proxied, { headers: headers({}) }));
    const lured = { htu: name === 'X-Original-URL' ? `${PUBLIC}/admin` : 'https://evil.example/me', htm: 'GET' };
    badProof(await request(proxied, { headers: headers(lured) }));
  });
}
await check('an address in absolute form', async () => {
  accepted(await ask(proof({ origin: PUBLIC }), bound, { target: 'https://api.example.com/me' }, proxied));
  accepted(await ask(proof({ origin: PUBLIC }), bound, { target: 'http://evil.example/me' }, proxied));
  badProof(await ask(proof({ origin: 'http://evil.example' }), bound, { target: 'http://evil.example/me' }, proxied));
});

// --- methods

for (const [method, body] of [['GET', ''], ['POST', '{"a":1}'], ['HEAD', '']]) {
  await check(`${method} /me`, async () => {
    const answer = await ask(proof({ claims: { htm: method } }), bound, { method, body });
    assert.equal(answer.status, 200);
    badProof(await ask(proof({ claims: { htm: method === 'GET' ? 'POST' : 'GET' } }), bound, { method, body }));
  });
}
for (const method of ['OPTIONS', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'M-SEARCH', 'get', 'X'.repeat(64)]) {
  await check(`${method.slice(0, 12)} /me is of no route, which only a good proof learns`, async () => {
    assert.equal((await ask(proof({ claims: { htm: method } }), bound, { method })).status, 405);
    badProof(await ask(proof(), bound, { method }));
    expect(await request(optional, { method }), 401, [BEARER, DPOP]);
  });
}
await check('CONNECT and * reach nobody', async () => {
  for (const [method, target] of [['CONNECT', '127.0.0.1:80'], ['OPTIONS', '*']]) {
    const answer = await ask(proof({ claims: { htm: method, htu: optional } }), bound, { method, target });
    assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status}`);
  }
});

await check('POST in chunks', async () => {
  const headers = [...dpop(proof({ claims: { htm: 'POST' } })), ['Transfer-Encoding', 'chunked']];
  const text = `POST /me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers.map((one) => `${one.join(': ')}\r\n`).join('')}\r\n`;
  accepted(await send(optional, `${text}3\r\nabc\r\n0\r\n\r\n`));
});
await check('a proof in a trailer is none', async () => {
  const one = proof({ claims: { htm: 'POST' } });
  const text = `POST /me HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: DPoP ${bound}\r\nTrailer: DPoP\r\nTransfer-Encoding: chunked\r\n\r\n`;
  badProof(await send(optional, `${text}3\r\nabc\r\n0\r\nDPoP: ${one}\r\n\r\n`));
});
await check('HTTP/1.0', async () => {
  accepted(await send(optional, `GET /me HTTP/1.0\r\nAuthorization: DPoP ${bound}\r\nDPoP: ${proof()}\r\n\r\n`));
  badProof(await send(optional, `GET /me HTTP/1.0\r\nAuthorization: DPoP ${bound}\r\n\r\n`));
});
await check('a header on two lines', async () => {
  const [start, rest] = [proof().slice(0, 40), proof().slice(40)];
  assert.equal((await ask(`${start}\r\n ${rest}`)).status, 400);
});
await check('a header of a megabyte', async () => {
  const answer = await ask('x'.repeat(1 << 20)).catch(({ code }) => ({ status: code }));
  assert.ok([400, 401, 431, 'ECONNRESET', 'EPIPE'].includes(answer.status), `${answer.status}`);
  accepted(await ask(proof()));
});

// --- schemes

const header = (...values) => values.map((value) => ['Authorization', value]);
await check('nothing', async () => expect(await request(optional, {}), 401, [BEARER, DPOP]));
await check('a proof without a token', async () => expect(await request(optional, { headers: [['DPoP', proof()]] }), 401, [BEARER, DPOP]));
await check('a bound token as Bearer', async () => badBearer(await request(optional, { headers: header(`Bearer ${bound}`) })));
await check('a bound token as Bearer, with its proof', async () => {
  badBearer(await request(optional, { headers: [...header(`Bearer ${bound}`), ['DPoP', proof()]] }));
});
await check('an unbound token as Bearer', async () => accepted(await request(optional, { headers: header(`Bearer ${unbound}`) })));
await check('an unbound token as Bearer, with a bad proof', async () => {
  const answer = await request(optional, { headers: [...header(`Bearer ${unbound}`), ['DPoP', 'x']] });
  assert.equal(answer.status, 200);
});
await check('an unbound token as DPoP', async () => badToken(await ask(proof({ using: unbound }), unbound)));
for (const scheme of ['dpop', 'DPOP', 'dPoP']) {
  await check(`the scheme ${scheme}`, async () => accepted(await request(optional, { headers: [...header(`${scheme} ${bound}`), ['DPoP', proof()]] })));
}
await check('two spaces behind the scheme', async () => {
  accepted(await request(optional, { headers: [...header(`DPoP  ${bound}`), ['DPoP', proof()]] }));
});
for (const [name, values, challenges] of [
  ['DPoP twice', [`DPoP ${bound}`, `DPoP ${bound}`], [failed(DPOP, 'invalid_request')]],
  ['DPoP, then Bearer', [`DPoP ${bound}`, `Bearer ${unbound}`], [failed(DPOP, 'invalid_request')]],
  ['Bearer, then DPoP', [`Bearer ${unbound}`, `DPoP ${bound}`], [failed(BEARER, 'invalid_request'), DPOP]],
  ['DPoP and Bearer in one header', [`DPoP ${bound}, Bearer ${unbound}`], [failed(DPOP, 'invalid_request')]],
  ['Bearer and DPoP in one header', [`Bearer ${unbound}, DPoP ${bound}`], [failed(BEARER, 'invalid_request'), DPOP]],
  ['no token', ['DPoP'], [failed(DPOP, 'invalid_request')]],
  ['two tokens', ['DPoP a b'], [failed(DPOP, 'invalid_request')]],
]) {
  await check(`Authorization: ${name}`, async () => {
    expect(await request(optional, { headers: [...header(...values), ['DPoP', proof()]] }), 400, challenges);
  });
}
for (const value of ['DPoP =', 'DPoP token="x"', `DPoP ${bound}=`]) {
  await check(`Authorization: ${value.slice(0, 20)}`, async () => (
    badToken(await request(optional, { headers: [...header(value), ['DPoP', proof()]] }))
  ));
}
await check('Basic is not for this server', async () => (
  expect(await request(optional, { headers: [...header('Basic eDp5'), ['DPoP', proof()]] }), 401, [BEARER, DPOP])
));
await check('a bound token in a cookie', async () => {
  const cookie = (value) => [['Cookie', `at=${value}`]];
  accepted(await request(optional, { headers: cookie(unbound) }));
  for (const more of [[], [['DPoP', proof()]]]) {
    badBearer(await request(optional, { headers: [...cookie(bound), ...more] }));
  }
});
await check('a bound token in the query', async () => {
  const theProof = proof();
  const answer = await request(optional, { target: `/me?access_token=${bound}`, headers: [['DPoP', theProof]] });
  expect(answer, 401, [BEARER, DPOP]);
});
await check('a bound token in a form', async () => {
  const headers = [['Content-Type', 'application/x-www-form-urlencoded'], ['DPoP', proof({ claims: { htm: 'POST' } })]];
  expect(await request(optional, { method: 'POST', headers, body: `access_token=${bound}` }), 401, [BEARER, DPOP]);
});

// --- tokens under the scheme DPoP

for (const [name, claims] of [
  ['another audience', { aud: 'https://other.example.com' }],
  ['another issuer', { iss: 'https://other.example.com' }],
  ['expired', { exp: now() - 600 }],
]) {
  await check(`a bound token, ${name}`, async () => {
    const using = await token({ cnf: { jkt: thumbprint(mine) }, ...claims });
    badToken(await ask(proof({ using }), using));
  });
}
await check('cnf: jkt of another key', async () => {
  const using = await token({ cnf: { jkt: thumbprint(others) } });
  badProof(await ask(proof({ using }), using));
});
for (const cnf of [
  {}, [], null, 'x', { jkt: null }, { jkt: 7 }, { jkt: '' }, { jkt: 'AAAA' }, { jkt: `${thumbprint(mine)}=` }, { jkt: [thumbprint(mine)] },
  { jkt: Buffer.from(thumbprint(mine), 'base64url').toString('hex') },
  { jwk: jwkOf(mine) }, { kid: 'x' }, { jku: 'https://x' }, { jkt: thumbprint(mine), kid: 'x' }, { jkt: thumbprint(mine), jwk: jwkOf(mine) },
  { jkt: thumbprint(mine), 'x5t#S256': sha256('x') }, { 'x5t#S256': sha256('x') },
]) {
  await check(`cnf: ${JSON.stringify(cnf).slice(0, 60)}`, async () => {
    const using = await token({ cnf });
    const answer = await ask(proof({ using }), using);
    badToken(answer);
    badBearer(await request(optional, { headers: header(`Bearer ${using}`) }));
  });
}

// --- the mode `required`, and a server that does not know DPoP

await check('required: nothing', async () => expect(await request(required, {}), 401, [DPOP]));
await check('required: a bound token with its proof', async () => accepted(await ask(proof({ origin: required }), bound, {}, required)));
for (const [name, using] of [['bound', bound], ['unbound', unbound]]) {
  await check(`required: ${name} as Bearer`, async () => {
    badToken(await request(required, { headers: header(`Bearer ${using}`) }));
  });
}
await check('required: an unbound token as DPoP', async () => badToken(await ask(proof({ using: unbound, origin: required }), unbound, {}, required)));
await check('off: a bound token is refused, however', async () => {
  for (const scheme of ['Bearer', 'DPoP']) {
    const headers = [...header(`${scheme} ${bound}`), ['DPoP', proof({ origin: off })]];
    const answer = await request(off, { headers });
    assert.equal(answer.status, 401);
    assert.ok(!answer.all('www-authenticate').some((one) => one.startsWith('DPoP')));
  }
});

// --- nonces

const wantsNonce = (answer) => {
  expect(answer, 401, [failed(DPOP, 'use_dpop_nonce')]);
  assert.equal(answer.all('dpop-nonce').length, 1);
  assert.match(answer.all('dpop-nonce')[0], /^[\x21\x23-\x5b\x5d-\x7e]+$/); // 1*NQCHAR
  assert.match(answer.all('cache-control')[0], /no-store/);
  return answer.all('dpop-nonce')[0];
};
const withNonce = (claims, more = {}) => ask(proof({ origin: nonces, claims, ...more }), bound, {}, nonces);
await check('nonce: without', async () => wantsNonce(await withNonce({})));
await check('nonce: the one that was given', async () => {
  const nonce = wantsNonce(await withNonce({}));
  accepted(await withNonce({ nonce }));
  accepted(await withNonce({ nonce }));
});
await check('nonce: a request that wants a nonce does not spend the proof', async () => {
  const jti = randomUUID();
  const nonce = wantsNonce(await withNonce({ jti }));
  accepted(await withNonce({ jti, nonce }));
  badProof(await withNonce({ jti, nonce }));
});
for (const [name, nonce] of [
  ['made up', b64(randomBytes(40))], ['empty', ''], ['very short', 'x'], ['very long', 'x'.repeat(1000)],
]) {
  await check(`nonce: ${name}`, async () => wantsNonce(await withNonce({ nonce })));
}
await check('nonce: changed', async () => {
  const nonce = wantsNonce(await withNonce({}));
  for (const at of [0, 5, nonce.length >> 1]) {
    wantsNonce(await withNonce({ nonce: `${nonce.slice(0, at)}${nonce[at] === 'A' ? 'B' : 'A'}${nonce.slice(at + 1)}` }));
  }
});
for (const nonce of [7, null, ['x']]) {
  await check(`nonce: ${JSON.stringify(nonce)}`, async () => badProof(await withNonce({ nonce })));
}
await check('nonce: of the provider', async () => {
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${btoa('service:secret-of-the-service')}`,
      DPoP: proof({ claims: { htm: 'POST', htu: `${issuer}/token`, ath: undefined } }),
    },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  const nonce = answer.headers.get('dpop-nonce');
  assert.ok(nonce);
  wantsNonce(await withNonce({ nonce }));
});
await check('nonce: other faults come first', async () => {
  for (const claims of [{ htu: 'https://evil.example/me' }, { htm: 'POST' }, { ath: sha256('x') }, { iat: now() - 303 }]) {
    badProof(await withNonce(claims));
  }
  badProof(await withNonce({}, { key: others }));
});
await check('nonce: nobody without a token gets one', async () => {
  const answer = await request(nonces, { headers: [['DPoP', proof({ origin: nonces })]] });
  expect(answer, 401, [BEARER, DPOP]);
  assert.deepEqual(answer.all('dpop-nonce'), []);
});

// --- HTTP/2

await check('HTTP/2', async () => {
  const session = connect(optional);
  const asked = (headers) => new Promise((resolve, reject) => {
    const stream = session.request({ ':path': '/me', ...headers });
    let answer;
    stream.on('response', (all) => { answer = all; });
    stream.on('end', () => resolve(answer));
    stream.on('error', reject);
    stream.resume();
    stream.end();
  });
  const status = async (headers) => (await asked({ authorization: `DPoP ${bound}`, ...headers }))[':status'];
  const one = proof();
  try {
    assert.equal(await status({ dpop: one }), 200);
    assert.equal(await status({ dpop: one }), 401);
    assert.equal(await status({ dpop: [proof(), proof()] }), 401);
    assert.equal(await status({}), 401);
    assert.equal(await status({ dpop: proof(), ':authority': 'evil.example' }), 200);
    const lured = proof({ claims: { htu: 'http://evil.example/me' } });
    assert.equal(await status({ dpop: lured, ':authority': 'evil.example' }), 401);
    const all = await Promise.all(Array.from({ length: 50 }, () => status({ dpop: proof() })));
    assert.ok(all.every((one) => one === 200), `${all}`);
  } finally {
    session.close();
  }
});

// --- many, one after the other

await check('a connection that stays open', async () => {
  const count = 20;
  const requests = Array.from({ length: count }, (_, number) => (
    `GET /me HTTP/1.1\r\nHost: x\r\n${number === count - 1 ? 'Connection: close\r\n' : ''}Authorization: DPoP ${bound}\r\nDPoP: ${proof()}\r\n\r\n`
  ));
  const { body, status } = await send(optional, requests.join(''));
  assert.equal(status, 200);
  assert.equal(body.split('HTTP/1.1 200').length - 1, count - 1);
});

end();
