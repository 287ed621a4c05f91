// The scheme, the place and the binding of the token, and the modes.

import assert from 'node:assert/strict';
import { check, request } from '../cases.mjs';
import {
  BEARER, DPOP, accepted, ask, badBearer, badProof, badToken, bound, expect, failed, header,
  jwkOf, mine, now, off, optional, others, proof, required, sha256, thumbprint, token, unbound,
} from './setup.mjs';

// --- schemes

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
