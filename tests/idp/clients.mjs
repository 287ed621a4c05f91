// Real clients of DPoP (RFC 9449), with tokens of the provider: the libraries `dpop`, `oauth4webapi` and
// `openid-client`. stdin has the issuer and the servers' origins as JSON; the test `senders.rs` starts
// them.

import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import * as dpop from 'dpop';
import * as oauth from 'oauth4webapi';
import * as oidc from 'openid-client';
import { check, end } from './cases.mjs';
import { authorize } from './login.mjs';

const given = JSON.parse(await text(process.stdin));
const issuer = new URL(given.issuer);

const AUDIENCE = 'https://api.example.com';
const SERVICE = { id: 'service', secret: 'secret-of-the-service' };
const WEB_REDIRECT = 'http://127.0.0.1:9/cb'; // of the client that is named like the audience

const insecure = { [oauth.allowInsecureRequests]: true };
const client = { client_id: SERVICE.id };
const server = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...insecure }),
);

// Asks again, once, if a nonce is wanted.
async function withNonce(ask) {
  try {
    return await ask();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return ask();
  }
}

// A token that is bound to the key of the handle; an unbound one without a handle.
async function token(handle, parameters = {}) {
  return withNonce(async () => {
    const response = await oauth.clientCredentialsGrantRequest(
      server,
      client,
      oauth.ClientSecretBasic(SERVICE.secret),
      { resource: `${AUDIENCE}/RS256`, scope: 'read', ...parameters },
      { DPoP: handle, ...insecure },
    );
    const answer = await oauth.processClientCredentialsResponse(server, client, response);
    assert.equal(answer.token_type, handle ? 'dpop' : 'bearer');
    return answer.access_token;
  });
}

// --- oauth4webapi

async function keyAndToken(algorithm = 'ES256', parameters) {
  const handle = oauth.DPoP(client, await oauth.generateKeyPair(algorithm));
  return { handle, accessToken: await token(handle, parameters) };
}

const call = (origin, accessToken, handle, method = 'GET', path = '/me', body = undefined) => (
  oauth.protectedResourceRequest(accessToken, method, new URL(path, origin), undefined, body, {
    DPoP: handle, ...insecure,
  })
);

// What the library reads from the challenges of a refusal.
async function challenges(ask) {
  const error = await ask().then(() => assert.fail('it is accepted'), (error) => error);
  assert.ok(error instanceof oauth.WWWAuthenticateChallengeError, `${error}`);
  return error.cause.map(({ scheme, parameters }) => [scheme, parameters.error, parameters.algs]);
}

for (const name of ['optional', 'required', 'nonces']) {
  const origin = given[name];
  for (const algorithm of ['ES256', 'Ed25519']) {
    await check(`oauth4webapi, ${name}, ${algorithm}`, async () => {
      const { handle, accessToken } = await keyAndToken(algorithm);
      for (const [method, path, body] of [['GET', '/me'], ['POST', '/me', '{}'], ['GET', '/me?a=b#c']]) {
        const answer = await withNonce(() => call(origin, accessToken, handle, method, path, body));
        assert.equal(answer.status, 200);
        assert.equal((await answer.json()).client_id, SERVICE.id);
      }
    });
  }
  await check(`oauth4webapi, ${name}, a hundred requests, at most one without a nonce`, async () => {
    const { handle, accessToken } = await keyAndToken();
    await withNonce(() => call(origin, accessToken, handle));
    const all = await Promise.all(Array.from({ length: 100 }, () => call(origin, accessToken, handle)));
    assert.ok(all.every(({ status }) => status === 200));
  });
  await check(`oauth4webapi, ${name}, the key of another client`, async () => {
    const { accessToken } = await keyAndToken();
    const { handle } = await keyAndToken();
    const said = await challenges(() => withNonce(() => call(origin, accessToken, handle)));
    assert.deepEqual(said, [['dpop', 'invalid_dpop_proof', 'ES256 EdDSA']]);
  });
  await check(`oauth4webapi, ${name}, an algorithm that is not allowed`, async () => {
    const { handle, accessToken } = await keyAndToken('PS256');
    const said = await challenges(() => call(origin, accessToken, handle));
    assert.deepEqual(said, [['dpop', 'invalid_dpop_proof', 'ES256 EdDSA']]);
  });
  await check(`oauth4webapi, ${name}, a token for another service`, async () => {
    const { handle, accessToken } = await keyAndToken('ES256', { resource: 'https://other.example.com' });
    const said = await challenges(() => withNonce(() => call(origin, accessToken, handle)));
    assert.deepEqual(said, [['dpop', 'invalid_token', 'ES256 EdDSA']]);
  });
  await check(`oauth4webapi, ${name}, a bound token as Bearer`, async () => {
    const { accessToken } = await keyAndToken();
    const said = await challenges(() => call(origin, accessToken));
    assert.deepEqual(said, name === 'required'
      ? [['dpop', 'invalid_token', 'ES256 EdDSA']]
      : [['bearer', 'invalid_token', undefined], ['dpop', undefined, 'ES256 EdDSA']]);
  });
  await check(`oauth4webapi, ${name}, a token that is not bound`, async () => {
    const accessToken = await token();
    if (name === 'required') {
      assert.equal((await challenges(() => call(origin, accessToken)))[0][1], 'invalid_token');
    } else {
      assert.equal((await call(origin, accessToken)).status, 200);
    }
  });
  await check(`oauth4webapi, ${name}, a scope that is missing, and one that is there`, async () => {
    const { handle, accessToken } = await keyAndToken();
    const said = await challenges(() => withNonce(() => call(origin, accessToken, handle, 'GET', '/admin')));
    assert.deepEqual(said, [['dpop', 'insufficient_scope', 'ES256 EdDSA']]);
    const admin = await token(handle, { scope: 'admin' });
    assert.equal((await withNonce(() => call(origin, admin, handle, 'GET', '/admin'))).status, 200);
  });

  // --- dpop

  for (const algorithm of ['ES256', 'Ed25519']) {
    await check(`dpop, ${name}, ${algorithm}`, async () => {
      const keys = await dpop.generateKeyPair(algorithm);
      const accessToken = await token(oauth.DPoP(client, keys));
      const url = new URL('/me', origin).href;
      let nonce;
      const ask = async (method, change = (proof) => proof) => {
        const proof = change(await dpop.generateProof(keys, url, method, nonce, accessToken));
        const answer = await fetch(url, { method, headers: { authorization: `DPoP ${accessToken}`, dpop: proof } });
        nonce = answer.headers.get('dpop-nonce') ?? nonce;
        return answer.status;
      };
      if (name === 'nonces') {
        assert.equal(await ask('GET'), 401);
        assert.ok(nonce);
      }
      let used;
      assert.equal(await ask('GET', (proof) => { used = proof; return proof; }), 200);
      assert.equal(await ask('GET', () => used), 401);
      assert.equal(await ask('POST', () => used), 401);
      assert.equal(await ask('POST'), 200);
      const other = await dpop.generateKeyPair(algorithm);
      const forged = await dpop.generateProof(other, url, 'GET', nonce, accessToken);
      assert.equal(await ask('GET', () => forged), 401);
      const unbound = await dpop.generateProof(keys, url, 'GET', nonce);
      assert.equal(await ask('GET', () => unbound), 401);
    });
  }

  // --- openid-client

  await check(`openid-client, ${name}, client credentials`, async () => {
    const config = await oidc.discovery(issuer, SERVICE.id, undefined, oidc.ClientSecretBasic(SERVICE.secret), { execute: [oidc.allowInsecureRequests] });
    const DPoP = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair());
    const parameters = { resource: `${AUDIENCE}/EdDSA`, scope: 'read' };
    const { access_token, token_type } = await oidc.clientCredentialsGrant(config, parameters, { DPoP });
    assert.equal(token_type, 'dpop');
    const me = (handle) => oidc.fetchProtectedResource(config, access_token, new URL('/me', origin), 'GET', null, undefined, handle);
    for (let count = 0; count < 3; count += 1) assert.equal((await me({ DPoP })).status, 200);
    await assert.rejects(me(undefined));
    await assert.rejects(me({ DPoP: oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair()) }));
  });

  await check(`openid-client, ${name}, a login, and a refresh`, async () => {
    const config = await oidc.discovery(issuer, AUDIENCE, undefined, oidc.None(), { execute: [oidc.allowInsecureRequests] });
    const DPoP = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair());
    const verifier = oidc.randomPKCECodeVerifier();
    const resource = `${AUDIENCE}/ES256`;
    const start = oidc.buildAuthorizationUrl(config, {
      redirect_uri: WEB_REDIRECT,
      scope: 'openid offline_access read',
      prompt: 'consent',
      resource,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      dpop_jkt: await DPoP.calculateThumbprint(),
    });
    const back = await authorize(given.issuer, start.href);
    const tokens = await oidc.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier }, { resource }, { DPoP });
    const me = async (accessToken, handle = DPoP) => (
      oidc.fetchProtectedResource(config, accessToken, new URL('/me', origin), 'GET', null, undefined, { DPoP: handle })
    );
    assert.equal((await (await me(tokens.access_token)).json()).sub, 'alice');
    const fresh = await oidc.refreshTokenGrant(config, tokens.refresh_token, { resource }, { DPoP });
    assert.notEqual(fresh.access_token, tokens.access_token);
    assert.equal((await me(fresh.access_token)).status, 200);
    await assert.rejects(me(tokens.id_token));
    await assert.rejects(me(fresh.access_token, oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair())));
  });
}

// From the URL of a service alone to a token for it (RFC 9728).
for (const name of ['optional', 'required', 'nonces']) {
  await check(`oauth4webapi, ${name}, finds the authorization server`, async () => {
    const resource = new URL(given[name]);
    const refused = await fetch(new URL('/me', resource));
    const named = /resource_metadata="([^"]+)"/g;
    const urls = [...refused.headers.get('www-authenticate').matchAll(named)].map((match) => match[1]);
    const url = `${resource.origin}/.well-known/oauth-protected-resource`;
    assert.deepEqual(urls, name === 'required' ? [url] : [url, url]);
    const answer = await oauth.resourceDiscoveryRequest(resource, insecure);
    assert.equal(answer.url, url);
    const found = await oauth.processResourceDiscoveryResponse(resource, answer);
    assert.deepEqual(found.authorization_servers, [given.issuer]);
    assert.deepEqual(found.bearer_methods_supported, ['header']);
    assert.equal(found.dpop_bound_access_tokens_required, name === 'required' ? true : undefined);
    const [algorithm] = found.dpop_signing_alg_values_supported;
    const { handle, accessToken } = await keyAndToken(algorithm);
    assert.equal((await withNonce(() => call(resource.origin, accessToken, handle))).status, 200);
    const another = new URL('/other', resource);
    await assert.rejects(async () => (
      oauth.processResourceDiscoveryResponse(another, await oauth.resourceDiscoveryRequest(resource, insecure))
    ));
  });
}

await check('oauth4webapi without a token is told both schemes', async () => {
  const answer = await fetch(new URL('/me', given.optional));
  assert.equal(answer.status, 401);
  assert.match(answer.headers.get('www-authenticate'), /^Bearer .*, DPoP /);
});
await check('a server that does not know DPoP refuses a bound token', async () => {
  const { handle, accessToken } = await keyAndToken();
  await assert.rejects(call(given.off, accessToken, handle));
  await assert.rejects(call(given.off, accessToken));
});

end();
