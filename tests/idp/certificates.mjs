// Tokens that the provider binds to client certificates (RFC 8705), with curl, through nginx in front
// of the provider and of the example server. stdin has their addresses as JSON, and where nginx is to
// be; the test `senders.rs` starts them. NGINX_SERVER names the program.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import * as dpop from 'dpop';
import { check, end } from './cases.mjs';

const { issuer, certificates: backend, proxy, optional } = JSON.parse(await text(process.stdin));
const folder = mkdtempSync(join(tmpdir(), 'certificates-'));
process.on('exit', () => rmSync(folder, { recursive: true }));
const file = (name) => join(folder, name);
const run = promisify(execFile);

// --- certificates

const NEW = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
async function selfSigned(name, subject) {
  await run('openssl', ['req', '-x509', ...NEW, '-keyout', file(`${name}.key`), '-out', file(`${name}.pem`), '-subj', subject]);
}
async function certificate(name, subject, extension = '') {
  writeFileSync(file('extension'), extension);
  await run('openssl', ['req', ...NEW, '-keyout', file(`${name}.key`), '-out', file(`${name}.csr`), '-subj', subject]);
  await run('openssl', [
    'x509', '-req', '-in', file(`${name}.csr`), '-CA', file('ca.pem'), '-CAkey', file('ca.key'),
    '-CAcreateserial', '-days', '2', '-extfile', file('extension'), '-out', file(`${name}.pem`),
  ]);
}
await selfSigned('ca', '/CN=test');
await certificate('server', '/CN=localhost', 'subjectAltName=DNS:localhost');
await certificate('device', '/CN=device');
await certificate('other', '/CN=other');
await certificate('renewed', '/CN=device'); // the same name, another key
await selfSigned('alone', '/CN=device');
const pem = (name) => readFileSync(file(`${name}.pem`), 'utf8');

// --- nginx

writeFileSync(file('nginx.conf'), `
daemon off;
master_process off;
pid ${folder}/pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path ${folder}/body;
    proxy_temp_path ${folder}/proxy;
    fastcgi_temp_path ${folder}/fastcgi;
    scgi_temp_path ${folder}/scgi;
    uwsgi_temp_path ${folder}/uwsgi;
    server {
        listen ${new URL(proxy).port} ssl http2;
        ssl_certificate ${folder}/server.pem;
        ssl_certificate_key ${folder}/server.key;
        ssl_verify_client optional_no_ca;
        proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;
        location = /token { proxy_pass ${issuer}; }
        location / { proxy_pass ${backend}; }
    }
}
`);
const nginx = spawn(process.env.NGINX_SERVER, ['-p', folder, '-e', 'stderr', '-c', file('nginx.conf')], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
process.on('exit', () => nginx.kill('SIGKILL'));
for (let count = 0; !existsSync(file('pid')) && count < 200; count += 1) await sleep(50);

// --- requests

// Gives the status, the header as a function, and the body.
async function curl(url, { as, headers = {}, more = [] } = {}) {
  const identity = as ? ['--cert', file(`${as}.pem`), '--key', file(`${as}.key`)] : [];
  const sent = Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`]);
  const { stdout } = await run('curl', [
    '--silent', '--show-error', '--include', '--max-time', '20', '--noproxy', '*', '--cacert', file('ca.pem'),
    ...identity, ...sent, ...more, url,
  ]);
  const [head, body] = stdout.split('\r\n\r\n');
  const header = (name) => head.split('\r\n').find((line) => line.toLowerCase().startsWith(`${name}: `))?.slice(name.length + 2);
  return { status: Number(head.split(' ')[1]), version: head.split(' ')[0], header, body };
}

const form = ['grant_type=client_credentials', 'client_id=device', 'resource=https://api.example.com/ES256', 'scope=read'];
const askToken = (as, headers) => curl(`${proxy}/token`, { as, headers, more: form.flatMap((one) => ['--data-urlencode', one]) });
async function token(as, headers) {
  const answer = await askToken(as, headers);
  assert.equal(answer.status, 200, answer.body);
  return JSON.parse(answer.body).access_token;
}
const cnf = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url')).cnf;

const me = (accessToken, { scheme = 'Bearer', headers, ...options } = {}) => (
  curl(`${proxy}/me`, { ...options, headers: { Authorization: `${scheme} ${accessToken}`, ...headers } })
);
const badToken = ({ status, header }) => {
  assert.equal(status, 401);
  assert.match(header('www-authenticate'), /^Bearer .*error="invalid_token"/);
};

// --- the cases

const bound = await token('device');
await check('the provider binds the token to the certificate', async () => {
  const { raw } = new X509Certificate(pem('device'));
  assert.deepEqual(cnf(bound), { 'x5t#S256': createHash('sha256').update(raw).digest('base64url') });
  assert.notEqual((await askToken(undefined)).status, 200);
  assert.notEqual((await askToken('other')).status, 200);
});
await check('the certificate of the token', async () => {
  const answer = await me(bound, { as: 'device' });
  assert.equal(answer.status, 200);
  assert.equal(JSON.parse(answer.body).client_id, 'device');
});
for (const version of ['--http1.1', '--http2']) {
  await check(`the certificate of the token, ${version}`, async () => {
    assert.equal((await me(bound, { as: 'device', more: [version] })).status, 200);
    badToken(await me(bound, { more: [version] }));
  });
}
await check('POST', async () => assert.equal((await me(bound, { as: 'device', more: ['--data', 'x'] })).status, 200));
for (const as of [undefined, 'other', 'renewed', 'alone']) {
  await check(`the certificate ${as}`, async () => badToken(await me(bound, { as })));
}
await check('a self-signed certificate with its own token', async () => {
  const own = await token('alone');
  assert.equal((await me(own, { as: 'alone' })).status, 200);
  badToken(await me(own, { as: 'device' }));
});
await check('nginx removes what the client sends', async () => {
  const headers = { 'X-SSL-Client-Cert': encodeURIComponent(pem('device')) };
  badToken(await me(bound, { headers }));
  badToken(await me(bound, { as: 'other', headers }));
});
await check('another format of the header is not believed', async () => {
  const { raw } = new X509Certificate(pem('device'));
  badToken(await me(bound, { headers: { 'Client-Cert': `:${raw.toString('base64')}:` } }));
});
await check('past nginx, only its address is believed', async () => {
  const headers = { Authorization: `Bearer ${bound}`, 'X-SSL-Client-Cert': encodeURIComponent(pem('device')) };
  const from = (address) => curl(`${backend}/me`, { headers, more: ['--interface', address] });
  assert.equal((await from('127.0.0.1')).status, 200);
  badToken(await from('127.0.0.2'));
  badToken(await curl(`${backend}/me`, { headers: { Authorization: `Bearer ${bound}` } }));
});
await check('the header twice, past nginx', async () => {
  const value = encodeURIComponent(pem('device'));
  const headers = { Authorization: `Bearer ${bound}`, 'X-SSL-Client-Cert': value, 'x-ssl-client-cert': value };
  badToken(await curl(`${backend}/me`, { headers }));
});
await check('a server that does not ask for certificates', async () => {
  badToken(await curl(`${optional}/me`, { headers: { Authorization: `Bearer ${bound}` } }));
});

// Both bindings at once, which the provider does not issue.
const keys = await dpop.generateKeyPair('ES256');
const proof = (accessToken) => dpop.generateProof(keys, `${proxy}/me`, 'GET', undefined, accessToken);
async function signed(confirmation) {
  const answer = await fetch(`${issuer}/test/sign`, { method: 'POST', body: JSON.stringify({ cnf: confirmation }) });
  return answer.text();
}
await check('a token that is bound to a key and to a certificate', async () => {
  const jkt = await dpop.calculateThumbprint(keys.publicKey);
  const both = await signed({ jkt, ...cnf(bound) });
  const ask = async (as, accessToken = both) => (
    me(accessToken, { as, scheme: 'DPoP', headers: { DPoP: await proof(accessToken) } })
  );
  assert.equal((await ask('device')).status, 200);
  for (const as of [undefined, 'other']) assert.equal((await ask(as)).status, 401);
  const without = await me(both, { as: 'device', scheme: 'DPoP' });
  assert.equal(without.status, 401);
  assert.match(without.header('www-authenticate'), /^DPoP .*error="invalid_dpop_proof"/);
  badToken(await me(both, { as: 'device' }));
  // Neither is in place of the other.
  assert.equal((await ask('device', bound)).status, 401);
  const ofKey = await signed({ jkt });
  assert.equal((await ask(undefined, ofKey)).status, 200);
  badToken(await me(ofKey, { as: 'device' }));
});

end();
