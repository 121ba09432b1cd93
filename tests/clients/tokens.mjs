// What jose says about the JWTs, and the checks that both npm scripts share.
import { createHash } from 'node:crypto';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { check } from './person.mjs';

/** Verifies an ID token with the JWKS alone. */
export async function verifyIdToken(idToken, jwksUri, { issuer, clientId }, { nonce, accessToken }) {
  const { payload, protectedHeader } = await jwtVerify(idToken, createRemoteJWKSet(new URL(jwksUri)), {
    issuer,
    audience: clientId,
    requiredClaims: ['sub', 'exp', 'iat', 'auth_time', 'at_hash', 'sid'],
  });
  check(protectedHeader.kid, 'the ID token names no kid');
  // Neither library looks at at_hash when the token did not pass through the browser.
  if (['RS256', 'ES256'].includes(protectedHeader.alg)) {
    const expected = createHash('sha256').update(accessToken).digest().subarray(0, 16).toString('base64url');
    check(payload.at_hash === expected, `at_hash is ${payload.at_hash} instead of ${expected}`);
  }
  check(protectedHeader.typ !== 'at+jwt', 'the ID token calls itself an access token');
  check(nonce === undefined || payload.nonce === nonce, `the ID token's nonce is ${payload.nonce}`);
  for (const name of ['name', 'email', 'roles']) check(!(name in payload), `the ID token tells ${name}, which nobody asked it for`);
  return payload;
}

/** Verifies an access token as RFC 9068 §4 asks. */
export async function verifyAccessToken(token, jwksUri, { issuer, audience, roles }, { clientId, subject }) {
  const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(jwksUri)), {
    issuer,
    audience,
    typ: 'at+jwt',
    requiredClaims: ['sub', 'client_id', 'exp', 'iat', 'jti'],
  });
  check(payload.client_id === clientId, `the access token's client_id is ${payload.client_id}`);
  check(payload.sub === subject, `the access token's sub is ${payload.sub} instead of ${subject}`);
  check(decodeProtectedHeader(token).kid, 'the access token names no kid');
  check(payload.exp - payload.iat <= 3600, `the access token lives ${payload.exp - payload.iat} s`);
  for (const name of ['roles', 'groups']) {
    check(!(name in payload) || Array.isArray(payload[name]), `${name} in the access token is no array`);
  }
  if (roles && subject !== clientId) checkRoles(payload.roles, roles, 'the access token');
  return payload;
}

/** Checks a userinfo answer against the ID token and the expected roles. */
export function checkUserinfo(userinfo, subject, { roles }) {
  check(userinfo.sub === subject, `userinfo is about ${userinfo.sub} instead of ${subject}`);
  check(typeof userinfo.preferred_username === 'string', 'userinfo has no preferred_username');
  if (roles) checkRoles(userinfo.roles, roles, 'userinfo');
}

/** The action has to fail with this OAuth error code, in the body or in the challenge. */
export async function expectError(action, code, what) {
  try {
    await action();
  } catch (error) {
    const challenge = Array.isArray(error.cause) ? error.cause[0]?.parameters?.error : undefined;
    const got = error.error ?? challenge ?? error.message;
    check(got === code, `${what}: ${got} instead of ${code}`);
    return;
  }
  check(false, `${what}: it was accepted`);
}

function checkRoles(got, expected, where) {
  check(JSON.stringify(got) === JSON.stringify(expected), `roles in ${where} are ${JSON.stringify(got)}, not ${JSON.stringify(expected)}`);
}
