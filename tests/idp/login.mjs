// Walks the authorization code flow as a browser would, through the provider's
// own pages for login and consent.

import { createHash, randomBytes } from 'node:crypto';

// Logs in at the authorization endpoint, and gives the URL that the browser ends at.
export async function authorize(issuer, path, login = 'alice') {
  const browse = browser(issuer);
  const loginPage = await browse(path);
  const consentPage = await browse(loginPage.pathname, { prompt: 'login', login, password: 'any' });
  return browse(consentPage.pathname, { prompt: 'consent' });
}

// Gives an ID token.
export async function logIn(issuer, client) {
  const verifier = randomBytes(32).toString('base64url');

  const start = new URLSearchParams({
    client_id: client.id,
    redirect_uri: client.redirectUri,
    response_type: 'code',
    scope: 'openid',
    nonce: randomBytes(16).toString('base64url'),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const end = await authorize(issuer, `/auth?${start}`);

  const code = end.searchParams.get('code');
  if (!end.href.startsWith(client.redirectUri) || !code) throw new Error(`login ended at ${end}`);

  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: client.id,
      redirect_uri: client.redirectUri,
      code,
      code_verifier: verifier,
    }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return (await response.json()).id_token;
}

// A function that opens a page of the provider, or posts a form to it, and
// follows the redirects until a page or another site. It gives the URL of that.
function browser(issuer) {
  const cookies = [];

  function keep(setCookie) {
    const [pair, ...attributes] = setCookie.split('; ');
    const [name] = pair.split('=');
    const path = attributes.find((a) => a.startsWith('path='))?.slice('path='.length) ?? '/';
    const old = cookies.findIndex((c) => c.name === name && c.path === path);
    if (old >= 0) cookies.splice(old, 1);
    cookies.push({ name, path, pair });
  }

  return async function browse(path, form) {
    let url = new URL(path, issuer);
    let body = form && new URLSearchParams(form);
    for (;;) {
      const sent = cookies.filter((c) => url.pathname.startsWith(c.path)).map((c) => c.pair);
      const response = await fetch(url, {
        method: body ? 'POST' : 'GET',
        headers: { cookie: sent.join('; ') },
        body,
        redirect: 'manual',
      });
      const text = await response.text();
      response.headers.getSetCookie().forEach(keep);
      const location = response.headers.get('location');
      if (!location) {
        if (!response.ok) throw new Error(`${response.status} at ${url.pathname}: ${text}`);
        return url;
      }
      url = new URL(location, url);
      if (url.origin !== issuer) return url;
      body = undefined;
    }
  };
}
