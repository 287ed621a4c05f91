// Sends the requests of the page. The page never sees a token: the browser keeps them in cookies that
// no script can read. With `DPOP=1`, `dpop.js` takes the place of this file.

export function send(method, path, body) {
  const request = { method, cache: "no-store" };
  if (body) {
    request.headers = { "content-type": "application/json" };
    request.body = JSON.stringify(body);
  }
  return fetch(path, request);
}

// The cookies are gone when the server has answered.
export async function forget() {}
