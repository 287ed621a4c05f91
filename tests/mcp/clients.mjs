// The clients of the TypeScript SDK, of both generations: they find the authorization server, log in,
// call a tool, step up on a 403, and are refused with the session of somebody else. stdin has the issuer
// and the URL of the server as JSON; the tests of `examples/mcp_server` start them.

import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import * as second from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { check, end } from '../idp/cases.mjs';
import { CLIENT, User } from './user.mjs';

const given = JSON.parse(await text(process.stdin));
const url = new URL(given.url);

const first = {
  client: () => new Client({ name: 'test', version: '1' }),
  transport: (options) => new StreamableHTTPClientTransport(url, options),
  finish: (transport, answer) => transport.finishAuth(answer.get('code')),
};

const ofSecond = (mode) => ({
  client: () => new second.Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } }),
  transport: (options) => new second.StreamableHTTPClientTransport(url, options),
  finish: (transport, answer) => transport.finishAuth(answer),
});

// Logs in, and connects again.
async function connect(kind, user, sessionId) {
  for (let attempt = 0; ; attempt += 1) {
    const client = kind.client();
    const transport = kind.transport({ authProvider: user, sessionId });
    try {
      await client.connect(transport);
      return { client, transport };
    } catch (error) {
      if (!user.isWaiting || attempt > 0) throw error;
      await kind.finish(transport, user.takeCode());
    }
  }
}

// Calls a tool. If the client asks for more scopes, the user agrees once.
async function call(kind, { client, transport }, user, name, args = {}) {
  const ask = () => client.callTool({ name, arguments: args });
  try {
    return (await ask()).content[0].text;
  } catch (error) {
    if (!user.isWaiting) throw error;
    await kind.finish(transport, user.takeCode());
    return (await ask()).content[0].text;
  }
}

const status = (error) => error.code === 404 || error.data?.status === 404 || /404/.test(`${error.message} ${error.status}`);

for (const [name, kind, hasSession] of [
  ['sdk 1', first, true],
  ['client 2, legacy', ofSecond('legacy'), true],
  ['client 2, 2026-07-28', ofSecond('auto'), false],
]) {
  const alice = new User(given.issuer, 'alice');
  let connection;

  await check(`${name}: it finds the authorization server, and logs in with the base scopes`, async () => {
    connection = await connect(kind, alice);
    assert.deepEqual(alice.scopes, ['read']);
    assert.equal(alice.resource, given.url);
    const { tools } = await connection.client.listTools();
    assert.deepEqual(tools.map((tool) => tool.name).sort(), ['add_note', 'whoami']);
    assert.equal(Boolean(connection.transport.sessionId), hasSession);
  });

  await check(`${name}: a tool reads the claims`, async () => {
    const me = JSON.parse(await call(kind, connection, alice, 'whoami'));
    assert.deepEqual(me, { sub: 'alice', client_id: CLIENT.id, scopes: ['read'] });
  });

  await check(`${name}: a 403 makes it step up, in the same session`, async () => {
    const session = connection.transport.sessionId;
    const said = await call(kind, connection, alice, 'add_note', { text: 'milk' });
    assert.match(said, /^alice has \d+ notes$/);
    assert.equal(alice.scopes.length, 2);
    assert.deepEqual(alice.scopes[1].split(' ').sort(), ['read', 'write']);
    assert.equal(connection.transport.sessionId, session);
    const me = JSON.parse(await call(kind, connection, alice, 'whoami'));
    assert.deepEqual(me.scopes.sort(), ['read', 'write']);
    assert.equal(alice.scopes.length, 2);
  });

  if (hasSession) {
    await check(`${name}: the session of somebody else is unknown`, async () => {
      const bob = new User(given.issuer, 'bob');
      const own = await connect(kind, bob);
      assert.equal(JSON.parse(await call(kind, own, bob, 'whoami')).sub, 'bob');
      // With the session of alice, the client of bob does not begin one.
      const thief = await connect(kind, bob, connection.transport.sessionId);
      const error = await call(kind, thief, bob, 'whoami').then(() => assert.fail('it is accepted'), (error) => error);
      assert.ok(status(error), `${error.name} ${error.code}: ${error.message}`);
      assert.equal(JSON.parse(await call(kind, connection, alice, 'whoami')).sub, 'alice');
      await thief.client.close();
      await own.client.close();
    });

    await check(`${name}: it ends its session`, async () => {
      const { sessionId } = connection.transport;
      await connection.transport.terminateSession();
      const late = await connect(kind, alice, sessionId);
      const error = await call(kind, late, alice, 'whoami').then(() => assert.fail('it is accepted'), (error) => error);
      assert.ok(status(error), `${error.name} ${error.code}: ${error.message}`);
      await late.client.close();
    });
  }

  await connection?.client.close();
}

end();
