// The proof itself: RFC 9449 §4.3, and the list of the MCP scenario `auth/dpop-server-validation`.

import { createHash, createHmac, randomBytes, randomUUID, sign } from 'node:crypto';
import { check, request } from '../cases.mjs';
import {
  SIGN, accepted, ask, b64, badProof, bound, dpop, issuer, jwkOf, keyOf, mine, now, optional,
  others, proof, rsa, sha256, thumbprint, token, unbound,
} from './setup.mjs';

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
