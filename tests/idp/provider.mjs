// A real OpenID provider for the integration tests: `oidc-provider` on a port of
// 127.0.0.1 (PORT, or any free one), with new keys at each start and nothing
// kept on disk. With TLS_KEY and TLS_CERT, two files in PEM, it is at
// https://localhost; NODE_EXTRA_CA_CERTS then names who signed the certificate.
//
//   GET  /test/token?alg=ES256&scope=read   an access token, by client credentials
//   GET  /test/id-token                     an ID token, by login and consent
//   POST /test/sign                         an access token with these claims, as JSON
//   POST /test/rotate                       new keys; the old ones are gone
//   POST /test/rotate?keep=1                new keys; the old ones stay published
//   GET  /test/hits                         requests served so far, by path
//
// Its token endpoint requires nonces in DPoP proofs. The client `device` authenticates by its
// certificate, which a proxy passes on as nginx does, in `x-ssl-client-cert`.
//
// All other paths are the provider's own. stdout has one line, `listening on
// ISSUER`, written when it is ready; warnings go to stderr.

import { X509Certificate, createPrivateKey, generateKeyPair, randomBytes, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { text as readText } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { Provider, errors } from 'oidc-provider';
import { logIn } from './login.mjs';

console.log = console.info = console.error;

const AUDIENCE = 'https://api.example.com';
const OTHER = 'https://other.example.com';
const SERVICE = { id: 'service', secret: 'secret-of-the-service' };

// This client is named like the audience, so an ID token made for it passes a
// check of the audience. Nothing listens at its redirect URI.
const WEB = { id: AUDIENCE, redirectUri: 'http://127.0.0.1:9/cb' };

// A client of MCP, which asks for tokens for an MCP server on this machine.
const ASSISTANT = { id: 'assistant', redirectUri: 'http://127.0.0.1:9/cb' };
const MCP_SERVER = /^http:\/\/127\.0\.0\.1:\d+\/mcp$/;

const KEY_TYPES = {
  RS256: ['rsa', { modulusLength: 2048 }],
  PS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
};

// An access token's algorithm is chosen by its resource; the audience is the
// same for all.
const RESOURCES = new Map(Object.keys(KEY_TYPES).map((alg) => [`${AUDIENCE}/${alg}`, alg]));
RESOURCES.set(OTHER, 'ES256');

function newKeys() {
  const generate = promisify(generateKeyPair);
  return Promise.all(Object.entries(KEY_TYPES).map(async ([alg, [type, options]]) => {
    const { privateKey } = await generate(type, options);
    const kid = `${alg}-${randomBytes(6).toString('hex')}`;
    return { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg };
  }));
}

function getResourceServerInfo(ctx, resource) {
  const isMcp = MCP_SERVER.test(resource);
  if (!isMcp && !RESOURCES.has(resource)) throw new errors.InvalidTarget();
  return {
    audience: isMcp || resource === OTHER ? resource : AUDIENCE,
    scope: 'read write admin',
    accessTokenFormat: 'jwt',
    accessTokenTTL: 600,
    jwt: { sign: { alg: RESOURCES.get(resource) ?? 'ES256' } },
  };
}

// The certificate of the client, if there is one.
function getCertificate(ctx) {
  const header = ctx.get('x-ssl-client-cert');
  return header ? new X509Certificate(decodeURIComponent(header)) : undefined;
}

// Of the keys for one algorithm, the first one signs.
function newProvider(issuer, keys) {
  const provider = new Provider(issuer, {
    jwks: { keys },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    clientAuthMethods: ['client_secret_basic', 'tls_client_auth', 'none'],
    enabledJWA: { dPoPSigningAlgValues: ['ES256', 'EdDSA', 'Ed25519', 'PS256'] },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        tlsClientAuth: true,
        getCertificate,
        certificateAuthorized: (ctx) => getCertificate(ctx) !== undefined,
        certificateSubjectMatches: (ctx, property, expected) => (
          property === 'tls_client_auth_subject_dn' && getCertificate(ctx).subject === expected
        ),
      },
      resourceIndicators: { enabled: true, getResourceServerInfo },
    },
    clients: [
      {
        client_id: SERVICE.id,
        client_secret: SERVICE.secret,
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
      },
      {
        client_id: WEB.id,
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        redirect_uris: [WEB.redirectUri],
        id_token_signed_response_alg: 'RS256',
      },
      {
        client_id: ASSISTANT.id,
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code'],
        response_types: ['code'],
        redirect_uris: [ASSISTANT.redirectUri],
      },
      {
        client_id: 'device',
        token_endpoint_auth_method: 'tls_client_auth',
        tls_client_auth_subject_dn: 'CN=device',
        tls_client_certificate_bound_access_tokens: true,
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
      },
    ],
  });
  provider.on('server_error', (ctx, error) => console.error(error));
  return provider.callback();
}

async function accessToken(issuer, alg, scope) {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${SERVICE.id}:${SERVICE.secret}`)}` },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      resource: `${AUDIENCE}/${alg}`,
      scope,
    }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()).access_token;
}

// A token that this provider would not issue itself.
function signed(claims) {
  const jwk = keys.find(({ alg }) => alg === 'ES256');
  const now = Math.floor(Date.now() / 1000);
  const all = { iss: issuer, aud: AUDIENCE, sub: 'service', iat: now, exp: now + 600, ...claims };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${part({ alg: 'ES256', typ: 'at+jwt', kid: jwk.kid })}.${part(all)}`;
  const key = createPrivateKey({ key: jwk, format: 'jwk' });
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

let issuer;
let keys;
let provider;
const hits = {};

async function rotate(keep) {
  keys = [...await newKeys(), ...(keep ? keys : [])];
  provider = newProvider(issuer, keys);
}

// Gives the status, the type and the text of the answer.
async function control(method, { pathname, searchParams: query }, body) {
  switch (`${method} ${pathname}`) {
    case 'GET /test/token': {
      const token = await accessToken(issuer, query.get('alg') ?? 'RS256', query.get('scope') ?? 'read');
      return [200, 'text/plain', token];
    }
    case 'GET /test/id-token':
      return [200, 'text/plain', await logIn(issuer, WEB)];
    case 'POST /test/sign':
      return [200, 'text/plain', signed(JSON.parse(body))];
    case 'POST /test/rotate':
      await rotate(query.get('keep') === '1');
      return [204];
    case 'GET /test/hits':
      return [200, 'application/json', JSON.stringify(hits)];
    default:
      return [404, 'text/plain', 'no such control endpoint'];
  }
}

async function answerRequest(request, response) {
  const [pathname] = request.url.split('?');
  if (!pathname.startsWith('/test/')) {
    hits[pathname] = (hits[pathname] ?? 0) + 1;
    provider(request, response);
    return;
  }
  let answer;
  try {
    answer = await control(request.method, new URL(request.url, issuer), await readText(request));
  } catch (error) {
    console.error(error);
    answer = [500, 'text/plain', String(error)];
  }
  const [status, type, text] = answer;
  response.statusCode = status;
  if (type) response.setHeader('content-type', type);
  response.end(text);
}

const { TLS_KEY, TLS_CERT } = process.env;
const server = TLS_KEY
  ? createTlsServer({ key: readFileSync(TLS_KEY), cert: readFileSync(TLS_CERT) }, answerRequest)
  : createServer(answerRequest);

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    server.close(() => process.exit());
    server.closeAllConnections();
  });
}

server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', async () => {
  const origin = TLS_KEY ? 'https://localhost' : 'http://127.0.0.1';
  issuer = `${origin}:${server.address().port}`;
  await rotate(false);
  process.stdout.write(`listening on ${issuer}\n`);
});
