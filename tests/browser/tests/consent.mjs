// What a third party is allowed.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { appears, atCallback, inBrowser, signIn, words } from '../browser.mjs';
import { authorizeUrl, names, person, redeem } from '../house.mjs';

test('allowing gives the code and is remembered for these scopes', async () => {
  const who = await person({ name: 'Анна Петрова' });
  await inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('calendar'));
    await signIn(page, who);
    assert.equal(await words(page, 'h1'), 'Allow access to your account?');
    assert.ok((await words(page, 'main')).includes(names.calendar));
    assert.ok((await words(page, '.stub')).includes('Анна Петрова'));
    assert.equal(await page.locator('.scopes li').count(), 2);
    await page.click('#consent-allow');
    await atCallback(page, 'calendar');
    assert.equal((await redeem('calendar', visitor.arrival('calendar').parameters.code)).status, 200);
    await page.goto(authorizeUrl('calendar', { state: 'remembered' }));
    await atCallback(page, 'calendar');
    assert.equal(visitor.arrival('calendar').parameters.state, 'remembered');
    await page.goto(authorizeUrl('calendar', { scope: 'openid profile email' }));
    await appears(page, '#consent-allow');
    assert.ok((await words(page, '.scopes')).includes('see your e-mail address'));
  });
});

test('declining tells the client and is asked again the next time', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('calendar'));
    await signIn(page, who);
    await page.click('#consent-deny');
    await atCallback(page, 'calendar');
    const { parameters } = visitor.arrival('calendar');
    assert.equal(parameters.error, 'access_denied');
    assert.equal(parameters.state, 'state-calendar');
    await page.goto(authorizeUrl('calendar'));
    await appears(page, '#consent-allow');
  });
});

test('the community’s own application asks only when it says so', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('site'));
    await signIn(page, who);
    await atCallback(page, 'site');
    visitor.arrival('site');
    await page.goto(authorizeUrl('site', { prompt: 'consent' }));
    await page.click('#consent-allow');
    await atCallback(page, 'site');
    assert.equal((await redeem('site', visitor.arrival('site').parameters.code)).status, 200);
  });
});

test('somebody else can take over at the consent page', async () => {
  const [first, second] = [await person(), await person({ name: 'Second Person' })];
  await inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('calendar'));
    await signIn(page, first);
    await page.click('#consent-other-account');
    await signIn(page, second);
    await appears(page, '#consent-allow');
    assert.ok((await words(page, '.stub')).includes('Second Person'));
    await page.click('#consent-allow');
    await atCallback(page, 'calendar');
    const tokens = await redeem('calendar', visitor.arrival('calendar').parameters.code);
    const claims = JSON.parse(Buffer.from(tokens.id_token.split('.')[1], 'base64url').toString('utf8'));
    assert.equal(claims.sub, second.sub);
  });
});

test('the language switch of the consent page keeps the question', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('calendar'));
    await signIn(page, who);
    await appears(page, '#consent-allow');
    await page.click('#language-switch');
    assert.equal(await words(page, '#consent-allow'), 'Разрешить');
    await page.click('#consent-allow');
    await atCallback(page, 'calendar');
    assert.equal(visitor.arrival('calendar').parameters.state, 'state-calendar');
  });
});
