// The claims `htu` and `htm`: where, and how, the request is sent.

import assert from 'node:assert/strict';
import { check, request, send } from '../cases.mjs';
import {
  BEARER, DPOP, PUBLIC, accepted, ask, badProof, bound, dpop, expect, optional, proof, proxied,
} from './setup.mjs';

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
  'https://api.example.com:0443x/me', 'https://api.example.com:99999/me', 'https://user@api.example.com/me',
  'https://user:pw@api.example.com/me',
  'https://api.example.com@evil.example/me', 'https://evil.example/me', 'https://api.example.com.evil.example/me',
  'https://evil.example/https://api.example.com/me',
  'https://api.example.com\\me', 'https://api.example.com/me ', ' https://api.example.com/me', 'https://api.example.com/\u{ff4d}e',
  'https://\u{ff41}pi.example.com/me', 'https://api.example.com./me', 'https://127.0.0.1/me',
  'https://[::1]/me', 'wss://api.example.com/me',
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
  const text = [
    'POST /me HTTP/1.1', 'Host: x', 'Connection: close', `Authorization: DPoP ${bound}`, 'Trailer: DPoP',
    'Transfer-Encoding: chunked', '', '',
  ].join('\r\n');
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
