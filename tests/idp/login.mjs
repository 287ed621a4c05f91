// Walks the authorization code flow as a browser would, through the provider's
// own pages for login and consent, and gives the ID token.

import { createHash, randomBytes } from 'node:crypto';

export async function logIn(issuer, client) {
  const verifier = randomBytes(32).toString('base64url');
  const browse = browser(issuer);

  const start = new URLSearchParams({
    client_id: client.id,
    redirect_uri: client.redirectUri,
    response_type: 'code',
    scope: 'openid',
    nonce: randomBytes(16).toString('base64url'),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const loginPage = await browse(`/auth?${start}`);
  const consentPage = await browse(loginPage.pathname, { prompt: 'login', login: 'alice', password: 'any' });
  const end = await browse(consentPage.pathname, { prompt: 'consent' });

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
