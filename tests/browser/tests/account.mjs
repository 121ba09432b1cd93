// A person looks after their own account, with the keyboard's and the mouse's own events, and without scripts.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { appears, inBrowser, signIn } from '../browser.mjs';
import { house, person } from '../house.mjs';

test('a password is changed without scripts, and the old one is worth nothing', async () => {
  const who = await person();
  await inBrowser({ javaScriptEnabled: false }, async (visitor, page) => {
    visitor.expect(403);
    await page.goto(`${house.issuer}/account`);
    await signIn(page, who);
    await page.waitForURL(`${house.issuer}/account`);
    await page.fill('#account-old-password', who.password);
    await page.fill('#account-new-password', 'four unrelated words');
    await page.click('#account-change-password');
    await page.waitForURL(/done=password/);
    assert.match(await page.innerText('#account-notice'), /changed/);
    await page.click('#account-everywhere');
    await page.waitForURL(/logged-out/);
    await page.goto(`${house.issuer}/account`);
    await signIn(page, who);
    await appears(page, '#login-notice');
    await signIn(page, { ...who, password: 'four unrelated words' });
    await page.waitForURL(`${house.issuer}/account`);
  });
});

test('the language that a person chooses is that of the page at once', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await page.goto(`${house.issuer}/account`);
    await signIn(page, who);
    await page.selectOption('#account-locale', 'ru');
    await page.click('#account-save');
    await page.waitForURL(/done=saved/);
    assert.equal(await page.getAttribute('html', 'lang'), 'ru');
    assert.equal(await page.innerText('#account-notice'), 'Сохранено.');
  });
});
