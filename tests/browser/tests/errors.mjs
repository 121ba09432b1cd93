// Refusals that a person sees, and those that a client gets.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { appears, atCallback, inBrowser, words } from '../browser.mjs';
import { authorizeUrl, house, propusk } from '../house.mjs';

const refused = [
  ['an unknown client', { client_id: 'nobody' }, 'This application is not known here', 'unknown_client'],
  ['an unproven redirect URI', { redirect_uri: 'http://elsewhere.test/' }, 'The way back to the application does not match', 'redirect_uri_mismatch'],
];

for (const [what, parameters, heading, cause] of refused) {
  test(`${what} gets a page with a code and a reference that the operator can look up, and no redirect`, () =>
    inBrowser({}, async (visitor, page) => {
      visitor.expect(400);
      const response = await page.goto(authorizeUrl('site', parameters));
      assert.equal(response.status(), 400);
      assert.ok(page.url().startsWith(`${house.issuer}/oauth/authorize?`));
      assert.equal(await words(page, '#error-page h1'), heading);
      const reference = await words(page, '#error-reference');
      // Refusals are written off the request path, a moment later.
      const explained = await eventually(() => propusk('explain', reference));
      assert.equal(explained.cause, cause);
      assert.equal(explained.error, await words(page, '#error-code'));
    }));
}

test('the page does not say what is registered', () =>
  inBrowser({}, async (visitor, page) => {
    visitor.expect(400);
    await page.goto(authorizeUrl('site', { redirect_uri: `${house.site}/site/callback/` }));
    assert.ok(!(await page.content()).includes('/callback'));
  }));

test('a damaged flow gets a page that says where to begin', () =>
  inBrowser({ locale: 'ru' }, async (visitor, page) => {
    visitor.expect(400);
    await page.goto(`${house.issuer}/login?flow=damaged`);
    assert.equal(await words(page, '#error-page h1'), 'Этот вход нельзя продолжить');
    await page.click('#error-home');
    await appears(page, '#home');
  }));

test('an error of a proven client goes to the client', () =>
  inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('site', { prompt: 'none' }));
    await atCallback(page, 'site');
    const { parameters } = visitor.arrival('site');
    assert.deepEqual([parameters.error, parameters.state, parameters.iss], ['login_required', 'state-site', house.issuer]);
  }));

test('HTML in the address stays text', () =>
  inBrowser({}, async (visitor, page) => {
    visitor.expect(400);
    await page.goto(authorizeUrl('site', { client_id: '<img src=x onerror=alert(1)>', ui_locales: '"><script>' }));
    assert.equal(await page.locator('main img, main script').count(), 0);
    await page.goto(authorizeUrl('site', { login_hint: '"><img src=x onerror=alert(1)>' }));
    assert.equal(await page.inputValue('#username'), '"><img src=x onerror=alert(1)>');
  }));

async function eventually(ask) {
  const deadline = Date.now() + 10_000;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
