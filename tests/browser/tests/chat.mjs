// Rocket.Chat in both of its generations, with the user record that it ends with.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { appears, artifact, inBrowser, signIn, words } from '../browser.mjs';
import { house, names, person } from '../house.mjs';

const expected = {
  owner: { roles: ['admin', 'vip'], groups: ['general', 'vip', 'moderators'] },
  moderator: { roles: ['admin'], groups: ['general', 'moderators'] },
  user: { roles: ['user'], groups: ['general'] },
};

for (const [role, { roles, groups }] of Object.entries(expected)) {
  test(`modern, redirect: the ${role} arrives with their roles and is let in again without a page`, async () => {
    const who = await person({ role, name: `The ${role}` });
    await inBrowser({ locale: 'ru-RU' }, async (visitor, page) => {
      await page.goto(house.chat);
      await page.click('#redirect');
      assert.ok((await words(page, '.stub')).includes(names.rocketchat));
      await signIn(page, who);
      await arrived(page, who, roles, groups);
      await page.screenshot({ path: artifact(`chat-${role}`) });
      await page.goto(house.chat);
      await page.click('#redirect');
      await arrived(page, who, roles, groups);
    });
  });

  for (const [generation, start] of [['modern', '/popup'], ['legacy', '/legacy']]) {
    test(`${generation}, popup: the ${role} arrives with their roles`, async () => {
      const who = await person({ role, name: `The ${role}` });
      await inBrowser({}, async (visitor, page) => {
        await page.goto(`${house.chat}${start}`);
        const [popup] = await Promise.all([page.waitForEvent('popup'), page.click('#popup')]);
        await popup.fill('#username', who.username);
        await popup.fill('#password', who.password);
        await Promise.all([popup.waitForEvent('close'), popup.click('#login-submit')]);
        await arrived(page, who, roles, groups);
      });
    });
  }
}

test('modern: cancelling leads back to the login page of the chat', () =>
  inBrowser({}, async (visitor, page) => {
    await page.goto(house.chat);
    await page.click('#redirect');
    await page.click('#login-cancel');
    await appears(page, '#back-at-login');
  }));

async function arrived(page, who, roles, groups) {
  await appears(page, '#who');
  assert.equal(await words(page, '#who'), who.username);
  assert.equal(await words(page, '#name'), who.name);
  assert.equal(await words(page, '#email'), `${who.username}@example.org`);
  assert.deepEqual(await page.locator('#roles li').allInnerTexts(), roles);
  assert.deepEqual(await page.locator('#groups li').allInnerTexts(), groups);
}
