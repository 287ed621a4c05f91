// A user and a client of MCP: an `OAuthClientProvider` of the TypeScript SDK, of both generations, whose
// browser is `login.mjs` of the provider's tests.

import { authorize } from '../idp/login.mjs';

export const CLIENT = { id: 'assistant', redirect: 'http://127.0.0.1:9/cb' }; // nothing listens there

export class User {
  // The scopes of each login, in order.
  scopes = [];

  #discovery;
  #issuer;
  #login;
  #scope;
  #tokens;
  #verifier;
  #end;

  // With `scope`, the client asks for that, whatever the server says.
  constructor(issuer, login, scope) {
    this.#issuer = issuer;
    this.#login = login;
    this.#scope = scope;
  }

  get redirectUrl() { return CLIENT.redirect; }

  get clientMetadata() {
    return { redirect_uris: [CLIENT.redirect], token_endpoint_auth_method: 'none' };
  }

  clientInformation() { return { client_id: CLIENT.id, issuer: this.#issuer }; }

  tokens() { return this.#tokens; }

  saveTokens(tokens) { this.#tokens = tokens; }

  codeVerifier() { return this.#verifier; }

  saveCodeVerifier(verifier) { this.#verifier = verifier; }

  discoveryState() { return this.#discovery; }

  saveDiscoveryState(state) { this.#discovery = state; }

  // The user logs in, and agrees to the scopes that the client asks for.
  async redirectToAuthorization(url) {
    if (this.#scope) url.searchParams.set('scope', this.#scope);
    this.scopes.push(url.searchParams.get('scope'));
    this.resource = url.searchParams.get('resource');
    this.#end = await authorize(this.#issuer, `${url.pathname}${url.search}`, this.#login);
  }

  // What the authorization server has sent the browser back with.
  takeCode() {
    const end = this.#end;
    this.#end = undefined;
    if (!end?.searchParams.has('code')) throw new Error(`the login ended at ${end}`);
    return end.searchParams;
  }

  get isWaiting() { return this.#end !== undefined; }
}
