// Runs the npm packages that Rocket.Chat signs in with against a local server and prints the raw requests as one JSON document:
//   {"node", "modern": {"location", "session", "token", "identity_header", "identity_payload"},
//    "legacy": {"token_payload", "token_header", "identity_header", "identity_payload"}}
// Requests are latin1 strings of the exact bytes. The only argument is a JSON object:
//   {"client_id", "client_secret", "redirect_uri", "scope", "code", "state", "token", "authorize_path", "release"}
'use strict';

const net = require('node:net');
const fetch = require('node-fetch');
const passport = require('passport');
const OAuth2Strategy = require('passport-oauth2');

const input = JSON.parse(process.argv[2] || '{}');

// Keeps every request it gets, byte by byte, and answers each with a token that is also an identity.
class Capture {
  constructor() {
    this.requests = [];
    this.server = net.createServer((socket) => this.serve(socket));
  }

  async listen() {
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.origin = `http://127.0.0.1:${this.server.address().port}`;
  }

  serve(socket) {
    let bytes = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = /^content-length: *(\d+)/im.exec(bytes.subarray(0, end).toString('latin1'));
      if (bytes.length < end + 4 + Number(length ? length[1] : 0)) return;
      this.requests.push(bytes.toString('latin1'));
      const body = JSON.stringify({ access_token: input.token, sub: '1' });
      socket.end(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
    });
  }

  // The one request that `action` makes.
  async one(action) {
    this.requests = [];
    await action();
    if (this.requests.length !== 1) throw new Error(`${this.requests.length} requests instead of one`);
    return this.requests[0];
  }
}

// The strategy as Rocket.Chat sets it up: PKCE on, state in the session, the identity fetched through node-oauth.
function strategy(origin, header) {
  const made = new OAuth2Strategy(
    {
      authorizationURL: origin + input.authorize_path,
      tokenURL: `${origin}/oauth/token`,
      clientID: input.client_id,
      clientSecret: input.client_secret,
      callbackURL: input.redirect_uri,
      scope: input.scope.split(' '),
      state: true,
      pkce: true,
    },
    (accessToken, refreshToken, profile, done) => done(null, { id: profile.sub }),
  );
  made._oauth2.useAuthorizationHeaderforGET(header);
  made._oauth2.setAccessTokenName('access_token');
  made.userProfile = (token, done) =>
    made._oauth2.get(`${origin}/oauth/userinfo/rocketchat`, token, (error, body) => (error ? done(error) : done(null, JSON.parse(body))));
  return made;
}

function authenticate(made, req) {
  return new Promise((resolve, reject) => {
    const instance = Object.create(made);
    instance.redirect = (location) => resolve({ location });
    instance.success = (user) => resolve({ user });
    instance.fail = (challenge) => reject(new Error(`fail: ${JSON.stringify(challenge)}`));
    instance.error = reject;
    instance.authenticate(req, {});
  });
}

async function modern(capture, header) {
  const made = strategy(capture.origin, header);
  passport.use('custom', made);
  const session = {};
  const { location } = await authenticate(made, { session, query: {} });
  const slot = structuredClone(session);
  const state = new URL(location).searchParams.get('state');
  capture.requests = [];
  await authenticate(made, { session, query: { code: input.code, state } });
  const [token, identity] = capture.requests;
  return { location, session: slot, token, identity, origin: capture.origin };
}

async function legacy(capture) {
  const agent = { 'User-Agent': `Meteor/${input.release}`, Accept: 'application/json' };
  const form = (header) => {
    const body = new URLSearchParams({
      code: input.code,
      redirect_uri: input.redirect_uri,
      grant_type: 'authorization_code',
      state: input.state,
    });
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded', ...agent };
    if (header) {
      headers.Authorization = `Basic ${Buffer.from(`${input.client_id}:${input.client_secret}`).toString('base64')}`;
    } else {
      body.append('client_secret', input.client_secret);
      body.append('client_id', input.client_id);
    }
    return fetch(`${capture.origin}/oauth/token`, { method: 'POST', headers, body: body.toString(), timeout: 20000 });
  };
  const identity = `${capture.origin}/oauth/userinfo/rocketchat`;
  const query = `?access_token=${encodeURIComponent(input.token)}`;
  return {
    token_payload: await capture.one(() => form(false)),
    token_header: await capture.one(() => form(true)),
    identity_header: await capture.one(() => fetch(identity, { headers: { ...agent, Authorization: `Bearer ${input.token}` } })),
    identity_payload: await capture.one(() => fetch(identity + query, { headers: agent })),
  };
}

async function main() {
  const capture = new Capture();
  await capture.listen();
  const [header, payload] = [await modern(capture, true), await modern(capture, false)];
  const result = {
    node: process.version,
    origin: capture.origin,
    modern: {
      location: header.location,
      session: header.session,
      token: header.token,
      identity_header: header.identity,
      identity_payload: payload.identity,
    },
    legacy: await legacy(capture),
  };
  capture.server.close();
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
