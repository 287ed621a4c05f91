// A proof is accepted once.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { check } from '../cases.mjs';
import {
  DPOP, accepted, ask, badProof, badToken, bound, expect, failed, optional, others, proof,
  thumbprint, token,
} from './setup.mjs';

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
