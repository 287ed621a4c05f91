// Keys, tokens, proofs, and what the example server answers.

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { request } from '../cases.mjs';

export const { issuer, optional, required, nonces, proxied, off } = JSON.parse(await text(process.stdin));

// --- keys, tokens and proofs

export const PUBLIC = 'https://api.example.com'; // of the server `proxied`

export const keyOf = (type, options) => generateKeyPairSync(type, options);
export const p256 = () => keyOf('ec', { namedCurve: 'P-256' });
export const [mine, others] = [p256(), p256()];
export const rsa = keyOf('rsa', { modulusLength: 2048 });

export const jwkOf = (key) => key.publicKey.export({ format: 'jwk' });
export const b64 = (value) => Buffer.from(value).toString('base64url');
export const sha256 = (value) => createHash('sha256').update(value).digest('base64url');
export const now = () => Math.floor(Date.now() / 1000);

// RFC 7638.
export function thumbprint(key) {
  const { crv, e, kty, n, x, y } = jwkOf(key);
  return sha256(JSON.stringify(kty === 'RSA' ? { e, kty, n } : { crv, kty, x, y }));
}

export async function token(claims) {
  const answer = await fetch(`${issuer}/test/sign`, { method: 'POST', body: JSON.stringify(claims) });
  assert.equal(answer.status, 200);
  return answer.text();
}

export const bound = await token({ cnf: { jkt: thumbprint(mine) }, scope: 'read' });
export const unbound = await token({ scope: 'read' });

export const dsa = { dsaEncoding: 'ieee-p1363' };
export const SIGN = {
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
export function proof({
  key = mine, alg = 'ES256', header, claims, rawHeader, rawClaims, using = bound, origin = optional, by,
} = {}) {
  const fullHeader = { typ: 'dpop+jwt', alg, jwk: jwkOf(key), ...header };
  const fullClaims = {
    jti: randomUUID(), htm: 'GET', htu: `${origin}/me`, iat: now(), ath: sha256(using), ...claims,
  };
  const parts = [(rawHeader ?? JSON.stringify)(fullHeader), (rawClaims ?? JSON.stringify)(fullClaims)];
  const input = parts.map(b64).join('.');
  const signature = by ? by(input) : SIGN[alg](Buffer.from(input), key.privateKey);
  return `${input}.${b64(signature)}`;
}

// --- what is expected

export const BEARER = 'Bearer realm="resource_server"';
export const DPOP = 'DPoP realm="resource_server", algs="ES256 EdDSA"';
// The client is told what kind of fault it is, and not which check failed.
export const SAID = {
  invalid_dpop_proof: 'the DPoP proof is not valid for this request',
  invalid_token: 'the access token is not valid here, or not any more',
  insufficient_scope: 'the access token does not allow this',
  invalid_request: 'the request must have one well-formed token in one place',
  use_dpop_nonce: 'the DPoP proof must have the nonce of this server',
};
export const failed = (challenge, code) => `${challenge}, error="${code}", error_description="${SAID[code]}"`;

// Each challenge names the metadata of the server (RFC 9728), whose address differs from server to server.
const METADATA = /, resource_metadata="([^"]*)"/;
function withoutMetadata(challenge) {
  const [, url] = challenge.match(METADATA) ?? [];
  if (url !== undefined) assert.match(url, /^https?:\/\/[^/]+\/\.well-known\/oauth-protected-resource$/);
  return challenge.replace(METADATA, '');
}

export function expect(answer, status, challenges, what = '') {
  const said = answer.all('www-authenticate').map(withoutMetadata);
  assert.deepEqual([answer.status, said], [status, challenges], `${what}${answer.body}`);
}
export const accepted = (answer) => expect(answer, 200, []);
export const badProof = (answer) => expect(answer, 401, [failed(DPOP, 'invalid_dpop_proof')]);
export const badToken = (answer) => expect(answer, 401, [failed(DPOP, 'invalid_token')]);
export const badBearer = (answer) => expect(answer, 401, [failed(BEARER, 'invalid_token'), DPOP]);

export const dpop = (theProof, using = bound) => [['Authorization', `DPoP ${using}`], ['DPoP', theProof]];
export const ask = (theProof, using = bound, more = {}, origin = optional) => (
  request(origin, { ...more, headers: dpop(theProof, using) })
);
export const header = (...values) => values.map((value) => ['Authorization', value]);
