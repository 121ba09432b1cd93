// A small chat that signs people in as Rocket.Chat does: the modern generation through the real passport-oauth2, the legacy one
// by its own URL, its own state and a popup. It ends with the user record of an enterprise Rocket.Chat that merges roles.
import { randomBytes } from 'node:crypto';
import passport from 'passport';
import OAuth2Strategy from 'passport-oauth2';

import { closed, listening, page, text } from './applications.mjs';

const client = 'rocketchat';
const scope = 'openid profile email';

let house;
let strategyReady = false;
const sessions = new Map();
const loginCodes = new Map();
const credentials = new Map();

/** Starts the chat, fills in `house.chat`, and returns what ends it. */
export async function openChat(given) {
  house = given;
  const server = await listening(serve);
  house.chat = `http://localhost:${server.address().port}`;
  return () => closed(server);
}

async function serve(request, response) {
  const url = new URL(request.url, house.chat);
  request.query = Object.fromEntries(url.searchParams);
  // The style of the button is a setting in Rocket.Chat; here it is where the button leads.
  if (url.pathname === '/') return page(response, 'Chat', `<a id="redirect" href="/oauth/besedka">Sign in</a>`);
  if (url.pathname === '/popup') return popupPage(response, '/oauth/besedka?style=popup');
  if (url.pathname === '/legacy') return popupPage(response, legacyUrl());
  if (url.pathname === '/oauth/besedka') return modern(request, response);
  if (url.pathname === '/_oauth/besedka') return request.headers.cookie?.includes('oauth=') ? modern(request, response) : legacyCallback(url, response);
  if (url.pathname === '/home') return home(response, loginCodes, url.searchParams.get('loginCode'));
  if (url.pathname === '/credential') return home(response, credentials, url.searchParams.get('token'));
  return page(response, 'Login', '<p id="back-at-login">Login</p>');
}

function popupPage(response, to) {
  page(
    response,
    'Chat',
    `<button id="popup">Sign in</button><script>
      addEventListener('message', (event) => { if (event.origin === location.origin) location.href = event.data; });
      document.getElementById('popup').onclick = () => window.open(${JSON.stringify(to)}, 'login', 'width=651,height=331');
    </script>`,
  );
}

// The record that the sign-in ended with; each code opens it once.
function home(response, pending, code) {
  const user = pending.get(code);
  pending.delete(code);
  if (!user) return page(response, 'Home', '<p id="nobody">Nobody is signed in</p>');
  const list = (id, values) => `<ul id="${id}">${values.map((value) => `<li>${text(value)}</li>`).join('')}</ul>`;
  return page(response, 'Home', `<h1 id="who">${text(user.username)}</h1><p id="name">${text(user.name)}</p><p id="email">${text(user.email)}</p>${list('roles', user.roles)}${list('groups', user.groups)}`);
}

// ---------- modern ----------

function modern(request, response) {
  prepareStrategy();
  request.session = sessionOf(request, response);
  if (request.query.style) request.session.style = request.query.style;
  const finish = (error, user) => {
    if (error) return response.writeHead(500).end(String(error.stack));
    if (!user) return response.writeHead(302, { location: '/login' }).end();
    const code = randomBytes(32).toString('hex');
    loginCodes.set(code, user);
    const to = `${house.chat}/home?loginCode=${code}`;
    if (request.session.style !== 'popup') return response.writeHead(302, { location: to }).end();
    return page(response, 'Done', `<script>window.opener.postMessage(${JSON.stringify(to)}, location.origin); window.close();</script>`);
  };
  return passport.authenticate('besedka', { session: false }, finish)(request, response, (error) => finish(error ?? new Error('not handled')));
}

function prepareStrategy() {
  if (strategyReady) return;
  strategyReady = true;
  const strategy = new OAuth2Strategy(
    {
      authorizationURL: `${house.issuer}/oauth/authorize`,
      tokenURL: `${house.issuer}/oauth/token`,
      clientID: client,
      clientSecret: house.secrets[client],
      callbackURL: `${house.chat}/_oauth/besedka`,
      scope: scope.split(' '),
      state: true,
      pkce: true,
    },
    (accessToken, refreshToken, profile, done) => done(null, record(profile)),
  );
  strategy._oauth2.useAuthorizationHeaderforGET(true);
  strategy.userProfile = (token, done) => {
    const read = (error, body) => (error ? done(new Error(JSON.stringify(error))) : done(null, JSON.parse(body)));
    strategy._oauth2.get(`${house.issuer}/oauth/userinfo/${client}`, token, read);
  };
  passport.use('besedka', strategy);
}

// The cookie session `oauth` of the modern flow, which lives for one sign-in.
function sessionOf(request, response) {
  const known = /(?:^|; )oauth=([0-9a-f]+)/.exec(request.headers.cookie ?? '')?.[1];
  if (sessions.has(known)) return sessions.get(known);
  const id = randomBytes(16).toString('hex');
  sessions.set(id, {});
  response.setHeader('set-cookie', `oauth=${id}; Path=/; HttpOnly; SameSite=Lax; Max-Age=300`);
  return sessions.get(id);
}

// ---------- legacy ----------

function legacyUrl() {
  const state = JSON.stringify({ loginStyle: 'popup', credentialToken: randomBytes(32).toString('base64url'), isCordova: false });
  const parameters = [
    `client_id=${client}`,
    `redirect_uri=${encodeURIComponent(`${house.chat}/_oauth/besedka`)}`,
    'response_type=code',
    `state=${encodeURIComponent(Buffer.from(state).toString('base64'))}`,
    `scope=${encodeURIComponent(scope)}`,
  ];
  return `${house.issuer}/oauth/authorize?${parameters.join('&')}`;
}

async function legacyCallback(url, response) {
  const state = JSON.parse(Buffer.from(url.searchParams.get('state'), 'base64').toString('utf8'));
  const agent = { 'user-agent': 'Meteor/METEOR@3', accept: 'application/json' };
  const body = new URLSearchParams({
    code: url.searchParams.get('code'),
    redirect_uri: `${house.chat}/_oauth/besedka`,
    grant_type: 'authorization_code',
    state: url.searchParams.get('state'),
    client_secret: house.secrets[client],
    client_id: client,
  });
  const token = await json(await fetch(`${house.issuer}/oauth/token`, { method: 'POST', headers: agent, body }));
  const query = `access_token=${encodeURIComponent(token.access_token)}`;
  credentials.set(state.credentialToken, record(await json(await fetch(`${house.issuer}/oauth/userinfo/${client}?${query}`, { headers: agent }))));
  const to = `${house.chat}/credential?token=${state.credentialToken}`;
  page(response, 'Done', `<script>window.opener.postMessage(${JSON.stringify(to)}, location.origin); window.close();</script>`);
}

async function json(answer) {
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  return answer.json();
}

// What is kept of an identity: claims that are not arrays give neither roles nor channels.
function record(identity) {
  const list = (value) => (Array.isArray(value) ? value : []);
  const { sub, preferred_username: username, name, email } = identity;
  return { id: sub, username, name, email, roles: list(identity.roles), groups: list(identity.groups) };
}
