// Verifies tokens of this crate by jose; the test interop.rs gives them as JSON.
import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const given = JSON.parse(await text(process.stdin))
const { issuer, audience, jwks, secret, tokens } = given
const published = createRemoteJWKSet(new URL(jwks))

for (const { alg, good, changed } of tokens) {
  const key = alg.startsWith('HS') ? Buffer.from(secret, 'hex') : published
  const rules = {
    issuer,
    audience,
    algorithms: [alg],
    typ: 'at+jwt',
    requiredClaims: ['sub', 'exp', 'iat', 'jti'],
  }
  const { payload } = await jwtVerify(good, key, rules)
  assert.deepEqual([payload.sub, payload.name], ['ada', 'Ada'])
  await assert.rejects(jwtVerify(changed, key, rules), { name: /JW[ST]/ }, `${alg}: changed`)
  console.log(alg)
}
