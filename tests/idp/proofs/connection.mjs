// HTTP/2, and connections that stay open.

import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { check, send } from '../cases.mjs';
import { bound, optional, proof } from './setup.mjs';

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
