// `GET /me` with @fastify/jwt, `GET /open` without it, on PORT of 127.0.0.1. CACHE
// is how many verified tokens are kept; without it, none.

import jwt from '@fastify/jwt';
import Fastify from 'fastify';
import { readFileSync } from 'node:fs';

const { AUDIENCE, CACHE, ISSUER, KEY_PEM_FILE, PORT } = process.env;

const app = Fastify();

app.register(jwt, {
  secret: { public: readFileSync(KEY_PEM_FILE, 'utf8') },
  verify: {
    algorithms: ['RS256'],
    allowedIss: ISSUER,
    allowedAud: AUDIENCE,
    cache: CACHE ? Number(CACHE) : false,
  },
});

const text = { type: 'string' };
const schema = {
  response: {
    200: { type: 'object', properties: { sub: text, name: text, email: text } },
  },
};

const verify = async (request, reply) => {
  try {
    await request.jwtVerify();
  } catch (error) {
    reply.send(error);
  }
};

app.get('/me', { schema, onRequest: verify }, async ({ user: { sub, name, email } }) => {
  return { sub, name, email };
});

app.get('/open', { schema }, async () => {
  return { sub: 'ada', name: 'Ada Lovelace', email: 'ada@example.com' };
});

await app.listen({ host: '127.0.0.1', port: Number(PORT) });
