// Cases, and requests that no ordinary client sends.

import { connect } from 'node:net';

let passed = 0;
const failures = [];

// Runs one case. One that fails does not keep the others from running.
export async function check(name, run) {
  try {
    await run();
    passed += 1;
  } catch (error) {
    failures.push(name);
    console.error(`FAILED: ${name}: ${error.message}`);
  }
}

// Prints how many there were, and ends the process.
export function end() {
  console.log(`${passed} passed, ${failures.length} failed`);
  process.exit(failures.length === 0 ? 0 : 1);
}

// Sends the bytes of a request as they are, and reads the answer.
export async function send(origin, text, method = 'GET') {
  const { hostname, port } = new URL(origin);
  const socket = connect(Number(port), hostname);
  socket.setTimeout(10_000, () => socket.destroy(new Error('no answer')));
  socket.write(Buffer.from(text, 'latin1'));
  const chunks = [];
  for await (const chunk of socket) chunks.push(chunk);
  const answer = Buffer.concat(chunks).toString('latin1');
  const [head, ...body] = answer.split('\r\n\r\n');
  const [line, ...lines] = head.split('\r\n');
  const headers = lines.map((header) => {
    const [name, ...value] = header.split(': ');
    return [name.toLowerCase(), value.join(': ')];
  });
  return {
    status: Number(line.split(' ')[1]),
    all: (name) => headers.filter((header) => header[0] === name).map((header) => header[1]),
    body: method === 'HEAD' ? '' : body.join('\r\n\r\n'),
  };
}

// Sends a request over HTTP/1.1 with these headers, in this order; one may be there twice.
export function request(origin, { method = 'GET', target = '/me', headers = [], body = '', host }) {
  const lines = [
    `${method} ${target} HTTP/1.1`,
    `Host: ${host ?? new URL(origin).host}`,
    'Connection: close',
    ...(body ? [`Content-Length: ${body.length}`] : []),
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  return send(origin, `${lines.join('\r\n')}\r\n\r\n${body}`, method);
}
