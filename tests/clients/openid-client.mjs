// openid-client: discovery, code flow with PKCE and nonce, userinfo, refresh, revocation, introspection, client credentials.
// The secret goes in the body (client_secret_post).
import * as client from 'openid-client';
import { authorize, check, run } from './person.mjs';
import { checkUserinfo, expectError, verifyAccessToken, verifyIdToken } from './tokens.mjs';

await run('openid-client', async (settings) => {
  const config = await discover(settings, settings.clientId, settings.clientSecret);
  const { jwks_uri: jwksUri } = config.serverMetadata();
  const { tokens, nonce } = await signIn(config, settings);
  const claims = tokens.claims();
  await verifyIdToken(tokens.id_token, jwksUri, settings, { nonce, accessToken: tokens.access_token });
  const subject = { clientId: settings.clientId, subject: claims.sub };
  await verifyAccessToken(tokens.access_token, jwksUri, settings, subject);
  checkUserinfo(await client.fetchUserInfo(config, tokens.access_token, claims.sub), claims.sub, settings);

  const refreshed = await refresh(config, tokens.refresh_token);
  await verifyAccessToken(refreshed.access_token, jwksUri, settings, subject);
  if (settings.introspects) {
    const state = await client.tokenIntrospection(config, refreshed.access_token);
    check(state.active === true && state.sub === claims.sub, `introspection says ${JSON.stringify(state)}`);
  }
  await revoke(config, refreshed, settings);
  const service = settings.service ? await serve(settings, jwksUri) : undefined;
  return { sub: claims.sub, scope: tokens.scope, service };
});

function discover(settings, id, secret) {
  const method = secret ? client.ClientSecretPost(secret) : client.None();
  const execute = [client.enableNonRepudiationChecks];
  if (settings.insecure) execute.push(client.allowInsecureRequests);
  return client.discovery(new URL(settings.issuer), id, undefined, method, { execute });
}

async function signIn(config, settings) {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const nonce = client.randomNonce();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: settings.redirectUri,
    scope: 'openid profile email offline_access',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  });
  const callback = await authorize(url, settings);
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
  const tokens = await client.authorizationCodeGrant(config, callback, checks);
  check(tokens.refresh_token, 'offline_access gave no refresh token');
  check(tokens.expires_in > 0, 'the token answer has no expires_in');
  return { tokens, nonce };
}

// A replay inside the retry window gives the same successor, and the successor works.
async function refresh(config, refreshToken) {
  const first = await client.refreshTokenGrant(config, refreshToken);
  const second = await client.refreshTokenGrant(config, refreshToken);
  check(first.refresh_token && first.refresh_token !== refreshToken, 'the refresh token was not rotated');
  check(first.refresh_token === second.refresh_token, 'a retried refresh gave another refresh token');
  return client.refreshTokenGrant(config, first.refresh_token);
}

async function revoke(config, tokens, settings) {
  await client.tokenRevocation(config, tokens.refresh_token, { token_type_hint: 'refresh_token' });
  await expectError(() => client.refreshTokenGrant(config, tokens.refresh_token), 'invalid_grant', 'a revoked refresh token');
  const ask = () => client.fetchUserInfo(config, tokens.access_token, client.skipSubjectCheck);
  await expectError(ask, 'invalid_token', 'the access token of a revoked grant at userinfo');
  if (settings.introspects) {
    const state = await client.tokenIntrospection(config, tokens.access_token);
    check(state.active === false, `introspection of a revoked grant says ${JSON.stringify(state)}`);
  }
}

async function serve(settings, jwksUri) {
  const { id, secret } = settings.service;
  const tokens = await client.clientCredentialsGrant(await discover(settings, id, secret));
  check(!tokens.refresh_token && !tokens.id_token, 'client_credentials gave more than an access token');
  const { sub } = await verifyAccessToken(tokens.access_token, jwksUri, settings, { clientId: id, subject: id });
  return sub;
}
