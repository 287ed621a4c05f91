// Scenarios of the conformance package against the server. The package sends no token, so its requests go
// through a proxy that adds one, of a user who has logged in. stdin has the issuer and the URL of the server
// as JSON; the tests of `examples/mcp_server` start it.
//
// No scenario here is about authorization: the versions 0.1.16 and 0.2.0-alpha.12 of the package have no such
// scenario for servers, only for clients. Instead, `clients.mjs` logs in, steps up, and is refused the session
// of another user, with clients that others wrote.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { check, end } from '../idp/cases.mjs';
import { User } from './user.mjs';

const given = JSON.parse(await text(process.stdin));
const server = new URL(given.url);

// The scenarios that this server can have: the others call tools of a server that was made for them.
const SCENARIOS = process.env.SCENARIOS?.split(',') ?? [
  'server-initialize',
  'server-session-lifecycle',
  'server-stateless',
  'ping',
  'tools-list',
  'dns-rebinding-protection',
  'http-header-validation',
];

// Many scenarios ask for tools and methods that the server does not have. These need all scopes.
async function logIn() {
  const user = new User(given.issuer, 'alice', 'read write');
  const transport = new StreamableHTTPClientTransport(server, { authProvider: user });
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(transport).catch((error) => { if (!user.isWaiting) throw error; });
  await transport.finishAuth(user.takeCode().get('code'));
  return user.tokens().access_token;
}

// Passes on what it gets, with the token. The host is that of the server, unless the request is about
// another one.
function proxy(token) {
  const answer = createServer((incoming, outgoing) => {
    const own = incoming.headers.host === `127.0.0.1:${answer.address().port}`;
    const headers = {
      ...incoming.headers,
      host: own ? server.host : incoming.headers.host,
      ...(token && { authorization: `Bearer ${token}` }),
    };
    if (headers.origin === `http://127.0.0.1:${answer.address().port}`) headers.origin = server.origin;
    const to = { host: server.hostname, port: server.port, method: incoming.method, path: incoming.url, headers };
    const passed = request(to, (response) => {
      outgoing.writeHead(response.statusCode, response.headers);
      response.pipe(outgoing);
    });
    passed.on('error', () => outgoing.destroy());
    outgoing.on('close', () => passed.destroy());
    incoming.pipe(passed);
  });
  return new Promise((resolve) => {
    answer.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${answer.address().port}`));
  });
}

// Runs a scenario, and gives its checks.
async function run(scenario, url) {
  const output = await mkdtemp(join(tmpdir(), 'mcp-'));
  const program = 'node_modules/@modelcontextprotocol/conformance/dist/index.js';
  const options = ['server', '--url', url, '--scenario', scenario, '--output-dir', output];
  const child = spawn(process.execPath, ['--import', './hooks.mjs', program, ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = await Promise.all([text(child.stdout), text(child.stderr)]);
  const checks = [];
  for (const file of await readdir(output, { recursive: true })) {
    if (file.endsWith('checks.json')) checks.push(...JSON.parse(await readFile(join(output, file), 'utf8')));
  }
  await rm(output, { recursive: true });
  if (checks.length === 0) throw new Error(said.join('\n'));
  return checks;
}

const url = `${await proxy(await logIn())}${server.pathname}`;
for (const scenario of SCENARIOS) {
  await check(scenario, async () => {
    const checks = await run(scenario, url);
    for (const one of checks) {
      if (process.env.VERBOSE) console.error(`${scenario}: ${one.status} ${one.id} ${one.errorMessage ?? ''}`);
    }
    // Some checks of `server-stateless` need tools that only a server for these scenarios has.
    const isAboutTool = ({ errorMessage }) => errorMessage?.startsWith('Not testable: server does not list');
    const failed = checks.filter((one) => one.status === 'FAILURE' && !isAboutTool(one));
    assert.deepEqual(failed.map((one) => `${one.id}: ${one.errorMessage}`), []);
    assert.ok(checks.some(({ status }) => status === 'SUCCESS'));
  });
}
end();
