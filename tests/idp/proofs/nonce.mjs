// Nonces (RFC 9449 §9).

import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { check, request } from '../cases.mjs';
import {
  BEARER, DPOP, accepted, ask, b64, badProof, bound, expect, failed, issuer, nonces, now,
  others, proof, sha256,
} from './setup.mjs';

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
