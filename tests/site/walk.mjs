// A person's whole way: site, registration, one sign-in, chat, channels, a new role, out of everything.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { frames } from './frame.mjs';
import { closeHouse, house, inBrowser, openHouse, propusk, signIn, toldPasswords, until } from './house.mjs';
import { looks } from './looks.mjs';

const vera = { username: 'vera', name: 'Вера Павловна', email: 'vera@example.org', password: 'хрустальный дворец во сне' };

test('the demonstration', { timeout: 300_000 }, async (t) => {
  let closed;
  try {
    await openHouse();
    await t.test('every generated password is told once, on the screen', () => {
      assert.deepEqual(Object.keys(house.passwords).sort(), ['moderator', 'owner', 'user']);
    });
    await t.test('register, sign in once, chat, channels, role, out everywhere', () => inBrowser({}, walk, [401, 403, 422]));
    await t.test('a moderator gives a role on the site, and the chat follows', () => inBrowser({}, moderate));
    await t.test('the chat alone, without a button: its frame leads through the same sign-in', () => inBrowser({}, chatAlone, [401]));
    await t.test('the chat alone, by its button, and out again', () => inBrowser({}, chatByButton, [401]));
    for (const frame of frames) await t.test(frame.name, () => frame.run());
    await t.test('a role in a token holds until the token ends; a program has its scopes', () => inBrowser({}, api));
    for (const look of looks) await t.test(look.name, () => look.run());
  } finally {
    closed = await closeHouse();
  }
  await t.test('Ctrl-C ends all three in order', async () => {
    assert.equal(closed.code, 0, closed.printed);
    for (const origin of [house.issuer, house.site, house.chat]) await assert.rejects(fetch(origin), origin);
  });
  try {
    await openHouse();
    await t.test('the next start knows everybody, tells no password again, and sets the forgetful chat up anew', () => inBrowser({}, again, [401]));
  } finally {
    await closeHouse();
  }
});

async function again(page) {
  assert.deepEqual(toldPasswords(), []);
  await page.goto(`${house.site}/chat/`);
  await signIn(page, vera.username, vera.password);
  await page.waitForURL(`${house.site}/chat/`);
  const frame = page.frameLocator('#chat-frame');
  await frame.locator('#who').waitFor();
  assert.equal(await frame.locator('#who').innerText(), vera.username);
  await until(async () => {
    await page.reload();
    await frame.locator('#who').waitFor();
    return (await channels(frame)).includes('vip');
  }, 'her channels in the new chat');
}

async function walk(page, context) {
  await page.goto(house.site);
  assert.equal(await page.getAttribute('html', 'lang'), 'ru');
  await register(page);
  // Straight to the sign-in page of the service, and back to the site.
  await page.waitForURL((url) => url.origin === house.issuer);
  await signIn(page, vera.username, vera.password);
  await page.waitForURL(`${house.site}/`);
  assert.equal(await page.innerText('#who'), vera.name);
  assert.equal(await roles(page), 'user');

  await page.click('#nav-chat');
  const frame = page.frameLocator('#chat-frame');
  await frame.locator('#who').waitFor();
  assert.equal(await frame.locator('#who').innerText(), vera.username);
  assert.equal(await frame.locator('#place').innerText(), '# general');
  assert.deepEqual(await channels(frame), ['general']);

  // A channel that the role does not give is refused before the chat is asked.
  await page.click('.channel[data-channel="vip"]');
  await page.waitForSelector('#chat-empty');
  assert.equal(await page.innerText('#chat-message'), 'Этот канал не для вашей роли.');

  await propusk('user', 'set', vera.username, '--role', 'owner');
  await page.reload();
  assert.deepEqual(await until(async () => {
    await page.goto(`${house.site}/chat/`);
    await frame.locator('#who').waitFor();
    const found = await channels(frame);
    return found.length === 3 && found;
  }, 'the chat takes the role over'), ['general', 'moderators', 'vip']);
  await until(async () => (await frame.locator('#roles').innerText()).includes('vip'), 'the role in the chat');

  const opened = [];
  page.on('request', (request) => {
    if (new URL(request.url()).pathname === '/chat/open/') opened.push(request.url());
  });
  for (const channel of ['vip', 'moderators']) {
    await page.click(`.channel[data-channel="${channel}"]`);
    await until(async () => (await frame.locator('#place').innerText()) === `# ${channel}`, channel);
    assert.equal(new URL(page.url()).searchParams.get('channel'), channel);
  }
  assert.equal(opened.length, 2, 'one call a channel switch');
  await page.goBack();
  await until(async () => (await frame.locator('#place').innerText()) === '# vip', 'back to the channel before');

  await until(async () => {
    await page.goto(house.site);
    return (await roles(page)) === 'owner';
  }, 'the role on the site');
  await outEverywhere(page, context);
}

async function register(page) {
  await page.click('#nav-register');
  await page.fill('#username', vera.username);
  await page.fill('#name', vera.name);
  await page.fill('#email', vera.email);
  await page.fill('#password', 'password');
  await Promise.all([page.waitForResponse((answer) => answer.request().method() === 'POST'), page.click('#register-submit')]).catch(() => {});
  assert.match(await page.innerText('#error-password'), /легко угадать/);
  await page.fill('#password', vera.password);
  await page.click('#register-submit');
}

async function outEverywhere(page, context) {
  // The same person in another browser has a session of their own, which goes on.
  await inBrowser({}, async (other) => {
    await other.goto(`${house.site}/oidc/login/`);
    await signIn(other, vera.username, vera.password);
    await other.waitForURL(`${house.site}/`);
    await page.click('#sign-out');
    await page.waitForURL(`${house.site}/`);
    await page.waitForSelector('#nav-sign-in');
    await other.goto(house.site);
    assert.equal(await other.innerText('#who'), vera.name);
  }, [401]);
  const chat = await context.newPage();
  await until(async () => {
    await chat.goto(`${house.chat}/channel/general`);
    return (await chat.locator('#who').count()) === 0;
  }, 'the chat ends the session');
  // And at the service there is nobody either: signing in asks for the password again.
  await page.click('#nav-sign-in');
  await page.waitForSelector('#password');
}

async function moderate(page, context) {
  await page.goto(`${house.site}/moderators/`);
  await signIn(page, 'moderator', house.passwords.moderator);
  await page.waitForURL(`${house.site}/moderators/`);
  const row = page.locator('.person[data-username="user"]');
  // An owner is not a moderator's to change.
  assert.equal(await page.locator('.person[data-username="owner"] select').count(), 0);
  assert.deepEqual(await row.locator('option').allInnerTexts(), ['участник', 'модератор']);
  await row.locator('select').selectOption('moderator');
  await row.locator('button').click();
  await page.waitForSelector('.notice.success');
  assert.equal(await row.locator('select').inputValue(), 'moderator');
  const known = await propusk('user', 'show', 'user');
  assert.equal((known.user ?? known).role, 'moderator');
  // The application is told by the service when the operator ends the sessions, and the site's page is a stranger's then.
  await propusk('session', 'revoke', '--user', 'moderator');
  await until(async () => {
    await page.goto(house.site);
    return (await page.locator('#who').count()) === 0;
  }, 'the back-channel logout reaches the site');
}

async function chatAlone(page) {
  await page.goto(`${house.chat}/channel/general`);
  const frame = page.frameLocator('#login-frame');
  const [popup] = await Promise.all([page.waitForEvent('popup'), frame.locator('#chat-sign-in').click()]);
  await signIn(popup, 'owner', house.passwords.owner);
  // The window closes by itself, the chat asks again, and the place is the one that was wanted.
  await page.locator('#who').waitFor();
  assert.equal(await page.innerText('#place'), '# general');
  await page.goto(`${house.issuer}/rocketchat/open?channel=general`);
  assert.equal(page.url(), `${house.chat}/channel/general`);
  // Already signed in: the site asks for nothing.
  await page.goto(`${house.site}/oidc/login/`);
  await page.waitForURL(`${house.site}/`);
  assert.equal(await page.innerText('#who'), 'Olga Owner');
}

async function chatByButton(page) {
  // Where the button of the chat's login page leads.
  await page.goto(`${house.chat}/oauth/besedka`);
  await signIn(page, 'user', house.passwords.user);
  await page.waitForURL(`${house.chat}/home`);
  assert.equal(await page.innerText('#who'), 'user');
  await until(async () => {
    await page.reload();
    return (await page.locator('#channels li').allInnerTexts()).some((name) => name.includes('moderators'));
  }, 'the channels of the role that a moderator gave');
  // Out of the chat is out of the service, and so out of everything.
  await page.click('#logout');
  await page.waitForURL((url) => url.origin === house.issuer);
}

async function api(page) {
  const callback = 'http://127.0.0.1:9/callback';
  const audience = `${house.site}/api`;
  const made = await propusk('client', 'add', 'reader', '--preset', 'web', '--redirect-uri', callback, '--first-party');
  await propusk('client', 'set', 'reader', '--audience', audience);
  const secret = made.client_secret ?? made.secret;
  await page.goto(`${house.site}/oidc/login/`);
  await signIn(page, 'user', house.passwords.user);
  await page.waitForURL(`${house.site}/`);
  // Signed in already, so the answer is the code.
  const fresh = async () => {
    const asked = new URLSearchParams({ client_id: 'reader', redirect_uri: callback, response_type: 'code', scope: 'openid roles', state: 'reader' });
    const answer = await page.request.get(`${house.issuer}/oauth/authorize?${asked}`, { maxRedirects: 0 });
    const code = new URL(answer.headers().location).searchParams.get('code');
    return (await token('reader', secret, { grant_type: 'authorization_code', code, redirect_uri: callback })).access_token;
  };
  await propusk('user', 'set', 'user', '--role', 'user');
  const status = async (path, bearer, options) => (await fetch(`${house.site}/api/${path}`, { ...options, headers: { ...options?.headers, ...(bearer && { authorization: `Bearer ${bearer}` }) } })).status;
  // The running service sees what the command line changed within a second.
  const before = await until(async () => {
    const bearer = await fresh();
    return (await status('moderation/', bearer)) === 403 && bearer;
  }, 'a token with the lesser role');
  await propusk('user', 'set', 'user', '--role', 'moderator');
  // The API asks nobody, so the old token is what it was; the next one is right.
  assert.equal(await status('moderation/', before), 403);
  await until(async () => (await status('moderation/', await fresh())) === 200, 'a token with the new role');

  assert.equal(await status('talks/', undefined), 200);
  assert.equal(await status('me/', undefined), 401);
  const { readFile } = await import('node:fs/promises');
  const librarian = await token('librarian', (await readFile(`${process.env.DEMO_DATA}/librarian.secret`, 'utf8')).trim(), { grant_type: 'client_credentials' });
  const book = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"name": "Чехов"}' };
  assert.equal(await status('authors/', librarian.access_token, book), 201);
  assert.equal(await status('authors/', before, book), 403);
  assert.equal(await status('authors/', undefined, { ...book, headers: { ...book.headers, authorization: 'Basic dXNlcjpwYXNz' } }), 401);
}

async function token(client, secret, form) {
  const authorization = `Basic ${Buffer.from(`${client}:${secret}`).toString('base64')}`;
  const answer = await fetch(`${house.issuer}/oauth/token`, { method: 'POST', headers: { authorization }, body: new URLSearchParams(form) });
  assert.equal(answer.status, 200);
  return answer.json();
}

function roles(page) {
  return page.getAttribute('#roles', 'data-roles');
}

async function channels(frame) {
  const names = await frame.locator('#channels li').allInnerTexts();
  return names.map((name) => name.replace('# ', '')).sort();
}
