// What browsers do: tabs, other sites, lost cookies, no scripts, keyboards.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { appears, atCallback, hasCursor, inBrowser, signIn, words } from '../browser.mjs';
import { authorizeUrl, house, person, redeem } from '../house.mjs';

test('two tabs at once sign in, each to where it began', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, first) => {
    const second = await visitor.tab();
    await first.goto(authorizeUrl('site', { state: 'first' }));
    await second.goto(authorizeUrl('site', { state: 'second' }));
    for (const [page, state] of [[first, 'first'], [second, 'second']]) {
      await signIn(page, who);
      await atCallback(page, 'site');
      const { parameters } = visitor.arrival('site');
      assert.equal(parameters.state, state);
      assert.equal((await redeem('site', parameters.code)).status, 200);
    }
  });
});

test('a second tab goes on by itself once the first has signed in', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, first) => {
    const second = await visitor.tab();
    await second.goto(authorizeUrl('site', { state: 'second' }));
    await first.goto(authorizeUrl('site', { state: 'first' }));
    await signIn(first, who);
    await atCallback(first, 'site');
    await second.reload();
    await atCallback(second, 'site');
    assert.deepEqual([visitor.arrival('site'), visitor.arrival('site')].map((arrival) => arrival.parameters.state), ['first', 'second']);
  });
});

test('a signed-in person is never shown a button', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('site'));
    await signIn(page, who);
    await atCallback(page, 'site');
    visitor.arrival('site');
    const pages = [];
    page.on('response', (response) => {
      if (response.url().startsWith(house.issuer)) pages.push([response.status(), new URL(response.url()).pathname]);
    });
    // By a link on another site, as a person comes.
    await page.goto(`${house.elsewhere}/`);
    await page.evaluate((to) => {
      location.href = to;
    }, authorizeUrl('site', { state: 'again' }));
    await atCallback(page, 'site');
    assert.deepEqual(pages, [[303, '/oauth/authorize']]);
    assert.equal(visitor.arrival('site').parameters.state, 'again');
  });
});

test('the form is accepted after a redirect from another site', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await page.goto(`${house.elsewhere}/`);
    await page.evaluate((to) => {
      location.href = to;
    }, `${house.site}/go?to=${encodeURIComponent(authorizeUrl('site'))}`);
    await appears(page, '#username');
    await signIn(page, who);
    await atCallback(page, 'site');
    assert.equal((await redeem('site', visitor.arrival('site').parameters.code)).status, 200);
  });
});

test('a request that another site posts finds the session', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    const send = `${house.site}/send?to=${encodeURIComponent(authorizeUrl('site'))}`;
    await page.goto(send);
    await page.click('#send');
    await signIn(page, who);
    await atCallback(page, 'site');
    assert.equal((await redeem('site', visitor.arrival('site').parameters.code)).status, 200);
    await page.goto(send);
    await page.click('#send');
    await atCallback(page, 'site');
    assert.equal((await redeem('site', visitor.arrival('site').parameters.code)).status, 200);
  });
});

test('a form of another site signs nobody in', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('site'));
    const login = new URL(`${house.issuer}/login`);
    login.search = new URLSearchParams({ flow: await page.getAttribute('input[name=flow]', 'value'), username: who.username, password: who.password });
    await page.goto(`${house.site}/send?to=${encodeURIComponent(login)}`);
    await page.click('#send');
    await appears(page, '#login-notice[role=status]');
    assert.equal(await visitor.cookie('propusk_session'), undefined);
    assert.equal(await page.inputValue('#username'), '');
  });
});

test('a lost cookie begins the sign-in again with a sentence, and it ends where it began', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('site', { state: 'kept' }));
    await visitor.context.clearCookies();
    await signIn(page, who);
    assert.match(await words(page, '#login-notice[role=status]'), /^Your browser no longer had the cookie of this page/);
    await signIn(page, who);
    await atCallback(page, 'site');
    assert.equal(visitor.arrival('site').parameters.state, 'kept');
  });
});

test('a browser that keeps no cookies is told so', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('site'));
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await visitor.context.clearCookies();
      await signIn(page, who);
      await appears(page, '#login-notice');
    }
    assert.match(await words(page, '#login-notice[role=alert]'), /does not keep cookies/);
  });
});

test('going back after the sign-in and sending the form again ends at the client', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('site'));
    await signIn(page, who);
    await atCallback(page, 'site');
    visitor.arrival('site');
    await page.goBack();
    // The page may come back from memory with its form, or go on by itself.
    if (await page.locator('#username').isVisible()) await signIn(page, who);
    await atCallback(page, 'site');
    assert.equal((await redeem('site', visitor.arrival('site').parameters.code)).status, 200);
  });
});

test('the session cookie is out of reach of scripts and is renewed by each sign-in', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    const seen = [];
    for (let round = 0; round < 2; round += 1) {
      await page.goto(authorizeUrl('site', { prompt: 'login' }));
      await signIn(page, who);
      await atCallback(page, 'site');
      visitor.arrival('site');
      const cookies = await visitor.context.cookies(house.issuer);
      const { httpOnly, sameSite, value } = cookies.find((cookie) => cookie.name === 'propusk_session');
      assert.deepEqual([httpOnly, sameSite], [true, 'Lax']);
      seen.push(value);
    }
    assert.notEqual(seen[0], seen[1]);
  });
});

test('everything works without scripts', async () => {
  const who = await person();
  await inBrowser({ javaScriptEnabled: false, locale: 'ru-RU' }, async (visitor, page) => {
    visitor.expect(403);
    await page.goto(authorizeUrl('calendar'));
    await signIn(page, { ...who, password: 'wrong' });
    await appears(page, '#login-notice[role=alert]');
    await signIn(page, who);
    await page.click('#consent-allow');
    await atCallback(page, 'calendar');
    assert.equal((await redeem('calendar', visitor.arrival('calendar').parameters.code)).status, 200);
    await page.goto(authorizeUrl('calendar', { response_mode: 'form_post' }));
    await page.click('#form-post-submit');
    await atCallback(page, 'calendar');
    assert.equal(visitor.arrival('calendar').method, 'POST');
    await page.goto(`${house.issuer}/logout`);
    await page.click('#logout-confirm');
    await appears(page, '#logged-out');
  });
});

test('the keyboard alone signs in and consents', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('calendar'));
    await hasCursor(page, 'username');
    await page.keyboard.type(who.username);
    await page.keyboard.press('Tab');
    await hasCursor(page, 'password');
    await page.keyboard.type(who.password);
    await page.keyboard.press('Enter');
    await appears(page, '#consent-allow');
    await tabTo(page, 'consent-allow');
    await page.keyboard.press('Enter');
    await atCallback(page, 'calendar');
    assert.equal((await redeem('calendar', visitor.arrival('calendar').parameters.code)).status, 200);
  });
});

test('the keyboard alone cancels, declines, signs out, and changes the language', async () => {
  const who = await person();
  await inBrowser({}, async (visitor, page) => {
    await page.goto(authorizeUrl('calendar'));
    await tabTo(page, 'language-switch');
    await page.keyboard.press('Enter');
    await appears(page, 'html[lang=ru]');
    await tabTo(page, 'login-cancel');
    await page.keyboard.press('Enter');
    await atCallback(page, 'calendar');
    assert.equal(visitor.arrival('calendar').parameters.error, 'access_denied');
    await page.goto(authorizeUrl('calendar'));
    await signIn(page, who);
    await appears(page, '#consent-deny');
    await tabTo(page, 'consent-deny');
    await page.keyboard.press('Space');
    await atCallback(page, 'calendar');
    assert.equal(visitor.arrival('calendar').parameters.error, 'access_denied');
    await page.goto(`${house.issuer}/logout`);
    await tabTo(page, 'logout-confirm');
    await page.keyboard.press('Enter');
    await appears(page, '#logged-out');
  });
});

function focused(page) {
  return page.evaluate(() => document.activeElement.id);
}

// Presses Tab until `id` has the focus; everything that is passed must show that it has it.
async function tabTo(page, id) {
  await page.waitForLoadState();
  for (let presses = 0; presses < 12; presses += 1) {
    await page.keyboard.press('Tab');
    const at = await focused(page);
    if (at) {
      const width = await page.evaluate(() => {
        const style = getComputedStyle(document.activeElement);
        return style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth);
      });
      assert.ok(width >= 2, `#${at} does not show the focus`);
    }
    if (at === id) return;
  }
  assert.fail(`Tab never reaches #${id}`);
}
