// oauth4webapi: both kinds of discovery, code flow with PKCE and nonce, strict processing of every answer, RFC 9068 validation.
// The secret goes in the header (client_secret_basic).
import * as oauth from 'oauth4webapi';
import { authorize, check, run } from './person.mjs';
import { checkUserinfo, expectError, verifyAccessToken, verifyIdToken } from './tokens.mjs';

await run('oauth4webapi', async (settings) => {
  const options = { [oauth.allowInsecureRequests]: settings.insecure };
  const as = await discover(settings, options);
  const party = (id, secret) => ({ as, options, client: { client_id: id }, auth: secret ? oauth.ClientSecretBasic(secret) : oauth.None() });
  const site = party(settings.clientId, settings.clientSecret);

  const { tokens, nonce } = await signIn(site, settings);
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  await verifyIdToken(tokens.id_token, as.jwks_uri, settings, { nonce, accessToken: tokens.access_token });
  const expected = { clientId: settings.clientId, subject: sub };
  await verifyAccessToken(tokens.access_token, as.jwks_uri, settings, expected);
  await asResourceServer(site, settings, tokens.access_token);
  checkUserinfo(await userinfo(site, tokens.access_token, sub), sub, settings);

  const refreshed = await refresh(site, tokens.refresh_token);
  await verifyAccessToken(refreshed.access_token, as.jwks_uri, settings, expected);
  if (settings.introspects) {
    const state = await introspect(site, refreshed.access_token);
    check(state.active === true && state.sub === sub, `introspection says ${JSON.stringify(state)}`);
  }
  await revoke(site, refreshed, settings);
  const service = settings.service ? await serve(party(settings.service.id, settings.service.secret), settings) : undefined;
  return { sub, scope: tokens.scope, service };
});

// The two documents are read by their own rules and have to agree.
async function discover(settings, options) {
  const issuer = new URL(settings.issuer);
  const read = async (algorithm) =>
    oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm, ...options }));
  const [oidc, oauth2] = [await read('oidc'), await read('oauth2')];
  for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri', 'revocation_endpoint', 'introspection_endpoint']) {
    check(oidc[name] && oidc[name] === oauth2[name], `${name}: ${oidc[name]} in one document, ${oauth2[name]} in the other`);
  }
  check(oidc.authorization_response_iss_parameter_supported === true, 'the iss parameter is not advertised');
  return oidc;
}

async function signIn({ as, client, auth, options }, settings) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = oauth.generateRandomNonce();
  const url = new URL(as.authorization_endpoint);
  const parameters = {
    client_id: client.client_id,
    redirect_uri: settings.redirectUri,
    response_type: 'code',
    scope: 'openid profile email offline_access',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  const callback = oauth.validateAuthResponse(as, client, await authorize(url, settings), state);
  const response = await oauth.authorizationCodeGrantRequest(as, client, auth, callback, settings.redirectUri, verifier, options);
  check(/\bno-store\b/.test(response.headers.get('cache-control') ?? ''), 'the token answer may be stored');
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: nonce, requireIdToken: true });
  await oauth.validateApplicationLevelSignature(as, response, options);
  check(tokens.refresh_token, 'offline_access gave no refresh token');

  // A replay whose verifier does not match is a stranger's: it is refused and revokes nothing, so the flow below goes on.
  await expectError(
    async () => {
      const again = await oauth.authorizationCodeGrantRequest(as, client, auth, callback, settings.redirectUri, 'x'.repeat(43), options);
      await oauth.processAuthorizationCodeResponse(as, client, again);
    },
    'invalid_grant',
    'a used code with a wrong verifier',
  );
  return { tokens, nonce };
}

async function asResourceServer({ as, options }, settings, token) {
  const request = new Request(settings.redirectUri, { headers: { authorization: `Bearer ${token}` } });
  await oauth.validateJwtAccessToken(as, request, settings.audience, options);
}

async function userinfo({ as, client, options }, token, subject) {
  const response = await oauth.userInfoRequest(as, client, token, options);
  return oauth.processUserInfoResponse(as, client, subject, response);
}

async function refreshOnce({ as, client, auth, options }, token) {
  const response = await oauth.refreshTokenGrantRequest(as, client, auth, token, options);
  return oauth.processRefreshTokenResponse(as, client, response);
}

// A replay inside the retry window gives the same successor, and the successor works.
async function refresh(site, token) {
  const [first, second] = await Promise.all([refreshOnce(site, token), refreshOnce(site, token)]);
  check(first.refresh_token && first.refresh_token !== token, 'the refresh token was not rotated');
  check(first.refresh_token === second.refresh_token, 'a retried refresh gave another refresh token');
  return refreshOnce(site, first.refresh_token);
}

async function introspect({ as, client, auth, options }, token) {
  const response = await oauth.introspectionRequest(as, client, auth, token, options);
  return oauth.processIntrospectionResponse(as, client, response);
}

async function revoke(site, tokens, settings) {
  const { as, client, auth, options } = site;
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, tokens.refresh_token, options));
  await expectError(() => refreshOnce(site, tokens.refresh_token), 'invalid_grant', 'a revoked refresh token');
  const ask = () => userinfo(site, tokens.access_token, oauth.skipSubjectCheck);
  await expectError(ask, 'invalid_token', 'the access token of a revoked grant at userinfo');
  if (settings.introspects) {
    const state = await introspect(site, tokens.access_token);
    check(state.active === false, `introspection of a revoked grant says ${JSON.stringify(state)}`);
  }
}

async function serve(party, settings) {
  const { as, client, auth, options } = party;
  const response = await oauth.clientCredentialsGrantRequest(as, client, auth, new URLSearchParams(), options);
  const tokens = await oauth.processClientCredentialsResponse(as, client, response);
  check(!tokens.refresh_token && !tokens.id_token, 'client_credentials gave more than an access token');
  const expected = { clientId: client.client_id, subject: client.client_id };
  const { sub } = await verifyAccessToken(tokens.access_token, as.jwks_uri, settings, expected);
  await asResourceServer(party, settings, tokens.access_token);
  return sub;
}
