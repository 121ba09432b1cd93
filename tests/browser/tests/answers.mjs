// How answers travel back: by form, on to other origins, into popups.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { appears, atCallback, inBrowser, signIn, words } from '../browser.mjs';
import { authorizeUrl, house, person, redeem } from '../house.mjs';

test('form_post brings code, state and iss by POST, without a click', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('site', { response_mode: 'form_post', state: '"><&+ й' }));
    await signIn(page, who);
    await atCallback(page, 'site');
    const { method, parameters } = visitor.arrival('site');
    assert.equal(method, 'POST');
    assert.equal(parameters.state, '"><&+ й');
    assert.equal(parameters.iss, house.issuer);
    assert.equal((await redeem('site', parameters.code)).status, 200);
  });
});

test('the page of form_post speaks the language that the client asked for', async () => {
  const who = await person();
  await inBrowser({ javaScriptEnabled: false, locale: 'en-US' }, async (visitor, page) => {
    await page.goto(authorizeUrl('site', { response_mode: 'form_post', ui_locales: 'ru' }));
    await signIn(page, who);
    await appears(page, '#form-post-submit');
    assert.equal(await words(page, '#form-post-submit'), 'Продолжить');
    await page.goto(authorizeUrl('site', { response_mode: 'form_post', ui_locales: 'ru', prompt: 'login none' }));
    assert.equal(await words(page, '#form-post-submit'), 'Продолжить');
  });
});

test('form_post brings a refusal too', () =>
  inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('site', { response_mode: 'form_post' }));
    await page.click('#login-cancel');
    await atCallback(page, 'site');
    const { method, parameters } = visitor.arrival('site');
    assert.deepEqual([method, parameters.error], ['POST', 'access_denied']);
  }));

for (const mode of ['query', 'form_post']) {
  test(`a client may redirect on to another origin after the callback: ${mode}`, async () => {
    const who = await person();
    await inBrowser({}, async (visitor, page) => {
      await page.goto(authorizeUrl('hopper', { response_mode: mode }));
      await signIn(page, who);
      await page.waitForURL(`${house.elsewhere}/landing`);
      await appears(page, '#elsewhere');
      assert.equal((await redeem('hopper', visitor.arrival('hopper').parameters.code)).status, 200);
    });
  });
}

test('after consent too the client may redirect on to another origin', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('hopper', { prompt: 'consent' }));
    await signIn(page, who);
    await page.click('#consent-allow');
    await page.waitForURL(`${house.elsewhere}/landing`);
    visitor.arrival('hopper');
  });
});

test('a popup keeps its opener through the sign-in and the consent', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await page.goto(`${house.site}/open?to=${encodeURIComponent(authorizeUrl('popup', { state: 'heard', prompt: 'consent' }))}`);
    const [popup] = await Promise.all([page.waitForEvent('popup'), page.click('#open')]);
    await appears(popup, '#username');
    assert.equal(await page.evaluate(() => window.popup.closed), false);
    await signIn(popup, who);
    await appears(popup, '#consent-allow');
    assert.equal(await page.evaluate(() => window.popup.closed), false);
    await Promise.all([popup.waitForEvent('close'), popup.click('#consent-allow')]);
    await page.waitForFunction(() => document.getElementById('heard').textContent === 'heard');
    assert.equal((await redeem('popup', visitor.arrival('popup').parameters.code)).status, 200);
    const isolated = visitor.headers.filter(({ headers }) => 'cross-origin-opener-policy' in headers);
    assert.deepEqual(isolated, []);
  });
});

test('every answer of ours forbids framing, sniffing, storing, and telling others where one was', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('calendar'));
    await signIn(page, who);
    await page.click('#consent-allow');
    await atCallback(page, 'calendar');
    visitor.arrival('calendar');
    const pages = visitor.headers.filter(({ url }) => !url.includes('/assets/'));
    assert.ok(pages.length >= 4, `only ${pages.length} answers`);
    for (const { url, headers } of pages) {
      assert.match(headers['content-security-policy'], /frame-ancestors 'none'/, url);
      assert.doesNotMatch(headers['content-security-policy'], /form-action|unsafe/, url);
      assert.equal(headers['referrer-policy'], 'same-origin', url);
      assert.equal(headers['cache-control'], 'no-store', url);
      assert.equal(headers['x-content-type-options'], 'nosniff', url);
    }
  });
});
