// Signing in: languages, wrong passwords, guessing.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { atCallback, guess, hasCursor, inBrowser, signIn, words } from '../browser.mjs';
import { authorizeUrl, house, names, person, redeem } from '../house.mjs';

const headings = { ru: 'Войдите, чтобы продолжить', en: 'Sign in to continue' };

for (const [language, accepted] of [['ru', 'ru-RU'], ['en', 'en-GB']]) {
  test(`a person signs in in the language of the browser: ${language}`, async () => {
    const who = await person();
    await inBrowser({ locale: accepted }, async (visitor, page) => {
      await page.goto(authorizeUrl('site'));
      assert.equal(await page.getAttribute('html', 'lang'), language);
      assert.equal(await words(page, 'h1'), headings[language]);
      assert.ok((await words(page, '.stub')).includes(names.site));
      await signIn(page, who);
      await atCallback(page, 'site');
      const { method, parameters, referer } = visitor.arrival('site');
      assert.equal(method, 'GET');
      assert.equal(parameters.state, 'state-site');
      assert.equal(parameters.iss, house.issuer);
      assert.ok(!referer?.startsWith(house.issuer), `the client learned ${referer}`);
      const tokens = await redeem('site', parameters.code);
      assert.equal(tokens.status, 200);
    });
  });
}

test('ui_locales of the client comes before the language of the browser', () =>
  inBrowser({ locale: 'en-US' }, async (visitor, page) => {
    await page.goto(authorizeUrl('site', { ui_locales: 'de ru en' }));
    assert.equal(await words(page, 'h1'), headings.ru);
  }));

test('the language of the person comes before the language of the browser', async () => {
  const who = await person({ locale: 'ru' });
  await inBrowser({ locale: 'en-US' }, async (visitor, page) => {
    await page.goto(authorizeUrl('calendar'));
    assert.equal(await words(page, 'h1'), headings.en);
    await signIn(page, who);
    assert.equal(await words(page, 'h1'), 'Разрешить доступ к вашей учётной записи?');
    await page.goto(house.issuer);
    assert.equal(await words(page, 'h1'), 'Вы вошли');
  });
});

test('the language switch keeps the sign-in going', async () => {
  const who = await person();
  await inBrowser({ locale: 'en-US' }, async (visitor, page) => {
    await page.goto(authorizeUrl('site', { state: 'after the switch' }));
    await page.click('#language-switch');
    assert.equal(await words(page, 'h1'), headings.ru);
    await signIn(page, who);
    await atCallback(page, 'site');
    assert.equal(visitor.arrival('site').parameters.state, 'after the switch');
  });
});

test('a wrong password gets a sentence, keeps the name, and the right one still ends where the flow began', async () => {
  const who = await person();
  await inBrowser({ locale: 'ru-RU' }, async (visitor, page) => {
    visitor.expect(403);
    await page.goto(authorizeUrl('site'));
    await signIn(page, { ...who, password: 'not the password' });
    assert.equal(await words(page, '#login-notice[role=alert]'), 'Имя или пароль не подходят. Проверьте их и попробуйте ещё раз.');
    assert.equal(await page.inputValue('#username'), who.username);
    assert.equal(await page.inputValue('#password'), '');
    await hasCursor(page, 'password');
    await page.fill('#password', who.password);
    await page.click('#login-submit');
    await atCallback(page, 'site');
    assert.equal((await redeem('site', visitor.arrival('site').parameters.code)).status, 200);
  });
});

test('an unknown name and a wrong password are told in the same words', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    visitor.expect(403);
    const told = [];
    for (const username of [who.username, 'nobody-of-that-name']) {
      await page.goto(authorizeUrl('site'));
      await signIn(page, { username, password: 'not the password' });
      const reference = await words(page, '#error-reference');
      assert.match(reference, /^[0-9A-Z]{6}$/);
      told.push((await words(page, 'main')).replace(reference, 'REFERENCE'));
    }
    assert.equal(told[0], told[1]);
  });
});

test('guessing is slowed with a sentence that says how long', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    visitor.expect(403, 429);
    await page.goto(authorizeUrl('site'));
    const headers = await guess(page, who);
    assert.ok(Number(headers['retry-after']) > 0);
    assert.match(await words(page, '#login-notice[role=alert]'), /^Too many attempts\. Try again in \d+ (second|minute)s?\.$/);
    assert.equal(await page.getAttribute('#username', 'aria-invalid'), null);
  });
});

test('the name that the client knows is filled in and the cursor waits for the password', () =>
  inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('site', { login_hint: 'anna' }));
    assert.equal(await page.inputValue('#username'), 'anna');
    await hasCursor(page, 'password');
  }));

test('password managers find what they look for', () =>
  inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('site'));
    for (const [id, autocomplete, type] of [['username', 'username', 'text'], ['password', 'current-password', 'password']]) {
      assert.equal(await page.getAttribute(`#${id}`, 'name'), id);
      assert.equal(await page.getAttribute(`#${id}`, 'autocomplete'), autocomplete);
      assert.equal(await page.getAttribute(`#${id}`, 'type'), type);
    }
  }));

test('cancelling tells the client that access was denied', () =>
  inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('site'));
    await page.click('#login-cancel');
    await atCallback(page, 'site');
    const { parameters } = visitor.arrival('site');
    assert.equal(parameters.error, 'access_denied');
    assert.equal(parameters.state, 'state-site');
    assert.equal(parameters.code, undefined);
  }));
