// What goes by mail: a forgotten password, another address, an account of one's own.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { appears, atCallback, inBrowser, signIn } from '../browser.mjs';
import { authorizeUrl, house, person } from '../house.mjs';
import { linkTo } from '../mail.mjs';

const password = 'four unrelated words';

test('an account is made with the keyboard alone, and the sign-in goes on where it began', () =>
  inBrowser({}, async (visitor, page) => {
    visitor.expect(400);
    await page.goto(authorizeUrl('site'));
    await page.focus('#login-register');
    await page.keyboard.press('Enter');
    await appears(page, '#register-submit');
    await page.waitForSelector('#username:focus');
    await page.keyboard.type('Nina');
    await page.keyboard.press('Tab');
    await page.keyboard.type('Nina N.');
    await page.keyboard.press('Tab');
    await page.keyboard.type('nina@keyboard.example');
    await page.keyboard.press('Enter');
    await appears(page, '#register-sent');
    await page.goto(await linkTo('nina@keyboard.example'));
    assert.equal(await page.inputValue('#username'), 'Nina');
    await page.waitForSelector('#password:focus');
    await page.keyboard.type('password');
    await page.keyboard.press('Enter');
    await appears(page, '#register-notice');
    await page.waitForSelector('#password:focus');
    await page.keyboard.type(password);
    await page.keyboard.press('Enter');
    await atCallback(page, 'site');
    assert.ok(visitor.arrival('site').parameters.code);
    await page.goto(`${house.issuer}/`);
    await appears(page, '#home-sign-out');
  }));

test('a username that is taken is said at its field, and the rest of the form stays', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    visitor.expect(400);
    await page.goto(`${house.issuer}/register`);
    await page.fill('#username', who.username);
    await page.fill('#name', 'Vera');
    await page.fill('#email', 'vera@taken.example');
    await page.click('#register-submit');
    await appears(page, '#register-notice');
    await page.waitForSelector('#username:focus');
    assert.equal(await page.getAttribute('#username', 'aria-invalid'), 'true');
    assert.equal(await page.inputValue('#name'), 'Vera');
    assert.equal(await page.inputValue('#email'), 'vera@taken.example');
  });
});

test('the address is changed by the link in a mail, without scripts', async () => {
  const who = await person();
  const address = `${who.username}@new.example`;
  await inBrowser({ javaScriptEnabled: false }, async (visitor, page) => {
    await page.goto(`${house.issuer}/account`);
    await signIn(page, who);
    await page.waitForURL(`${house.issuer}/account`);
    await page.fill('#account-new-email', address);
    await page.fill('#account-email-password', who.password);
    await page.click('#account-change-email');
    await page.waitForURL(/done=email/);
    await page.goto(await linkTo(address));
    assert.equal(await page.innerText('#verify-email-address'), address);
    await page.click('#verify-email-submit');
    await appears(page, '#verify-email-done');
    await page.click('#verify-email-account');
    await appears(page, '#account-email');
    assert.equal(await page.innerText('#account-email'), address);
  });
});

test('a forgotten password is replaced by mail, and the sign-in goes on where it began', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('site'));
    await page.click('#login-forgot');
    await appears(page, '#forgot-submit');
    await page.waitForSelector('#username:focus');
    await page.keyboard.type(who.username);
    await page.keyboard.press('Enter');
    await appears(page, '#forgot-sent');
    await page.goto(await linkTo(`${who.username}@example.org`));
    await page.waitForSelector('#password:focus');
    await page.keyboard.type(password);
    await page.keyboard.press('Enter');
    await appears(page, '#login-notice');
    await signIn(page, { ...who, password });
    await atCallback(page, 'site');
    assert.ok(visitor.arrival('site').parameters.code);
  });
});
