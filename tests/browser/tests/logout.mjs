// Signing out.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { appears, atCallback, inBrowser, signIn, words } from '../browser.mjs';
import { authorizeUrl, house, person, redeem } from '../house.mjs';

test('without a hint one question comes first, then the way back to the client', async () => {
  const who = await person({ name: 'Анна Петрова' });
  await inBrowser({}, async (visitor, page) => {
    await arrive(visitor, page, who);
    await page.goto(logoutUrl({ client_id: 'site', post_logout_redirect_uri: `${house.site}/site/bye`, state: 'left' }));
    assert.equal(await words(page, 'h1'), 'Do you want to sign out?');
    assert.ok((await words(page, '.stub')).includes('Анна Петрова'));
    assert.notEqual(await visitor.cookie('propusk_session'), undefined);
    await page.click('#logout-confirm');
    await appears(page, '#bye');
    assert.equal(await words(page, '#bye'), 'Bye ?state=left');
    assert.equal(await visitor.cookie('propusk_session'), undefined);
    await page.goto(authorizeUrl('site'));
    await appears(page, '#login-submit');
  });
});

test('whoever stays is still signed in', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await arrive(visitor, page, who);
    await page.goto(logoutUrl({ client_id: 'site', post_logout_redirect_uri: `${house.site}/site/bye` }));
    await page.click('#logout-cancel');
    await appears(page, '#home');
    await page.goto(authorizeUrl('site'));
    await atCallback(page, 'site');
    visitor.arrival('site');
  });
});

test('with the hint of this session nothing is asked', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    const tokens = await arrive(visitor, page, who);
    await page.goto(logoutUrl({ id_token_hint: tokens.id_token, post_logout_redirect_uri: `${house.site}/site/bye` }));
    await appears(page, '#bye');
    assert.equal(await visitor.cookie('propusk_session'), undefined);
  });
});

test('with the hint of another person the question comes', async () => {
  const [who, other] = [await person(), await person()];
  let hint;
  await inBrowser({}, async (visitor, page) => {
    hint = (await arrive(visitor, page, other)).id_token;
  });
  await inBrowser({}, async (visitor, page) => {
    await arrive(visitor, page, who);
    await page.goto(logoutUrl({ id_token_hint: hint, post_logout_redirect_uri: `${house.site}/site/bye` }));
    await appears(page, '#logout-confirm');
    assert.notEqual(await visitor.cookie('propusk_session'), undefined);
  });
});

test('an address that nobody registered is never followed', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await arrive(visitor, page, who);
    await page.goto(logoutUrl({ client_id: 'site', post_logout_redirect_uri: `${house.elsewhere}/bye` }));
    await page.click('#logout-confirm');
    await appears(page, '#logged-out');
    assert.equal(page.url(), `${house.issuer}/logged-out`);
    assert.equal(await words(page, 'h1'), 'You are signed out');
    await page.click('main a');
    await appears(page, '#login-submit');
  });
});

test('the home page leads in and out', async () => {
  const who = await person({ name: 'Борис' });
  await inBrowser({ locale: 'ru' }, async (visitor, page) => {
    await page.goto(`${house.issuer}/`);
    await page.click('#home-sign-in');
    await signIn(page, who);
    await appears(page, '#home-sign-out');
    assert.ok((await words(page, '.stub')).includes('Борис'));
    await page.click('#home-sign-out');
    await page.click('#logout-confirm');
    await appears(page, '#logged-out');
    assert.equal(await words(page, 'h1'), 'Вы вышли');
  });
});

function logoutUrl(parameters) {
  return `${house.issuer}/oauth/logout?${new URLSearchParams(parameters)}`;
}

// Signs in at the site and returns what its code was worth.
async function arrive(visitor, page, who) {
  await page.goto(authorizeUrl('site'));
  await signIn(page, who);
  await atCallback(page, 'site');
  const tokens = await redeem('site', visitor.arrival('site').parameters.code);
  assert.equal(tokens.status, 200);
  return tokens;
}
