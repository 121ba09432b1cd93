// Every page in both languages, light and dark, on a phone and on a desktop: nothing for axe-core to find, nothing cut off.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import { appears, artifact, guess, inBrowser, signIn } from '../browser.mjs';
import { authorizeUrl, house, names, person, propusk } from '../house.mjs';
import { linkTo } from '../mail.mjs';

const axe = createRequire(import.meta.url)('axe-core').source;
const sizes = [
  { width: 360, height: 740 },
  { width: 1280, height: 800 },
];
// Rocket.Chat's popup, and the narrowest view that WCAG 1.4.10 asks for.
const tight = [
  { width: 651, height: 331 },
  { width: 320, height: 256 },
];

// name → how to come there. Each begins in a fresh browser.
const pages = {
  login: (page) => page.goto(authorizeUrl('site')),
  'login-error': async (page, who) => {
    await page.goto(authorizeUrl('site'));
    await signIn(page, { ...who, password: 'wrong' });
    await appears(page, '#login-notice');
  },
  'login-restarted': async (page, who) => {
    await page.goto(authorizeUrl('site'));
    await page.context().clearCookies();
    await signIn(page, who);
    await appears(page, '#login-notice');
  },
  'login-throttled': async (page, who) => {
    await page.goto(authorizeUrl('site'));
    await guess(page, who);
  },
  consent: async (page, who) => {
    await page.goto(authorizeUrl('calendar', { scope: 'openid profile email roles groups offline_access' }));
    await signIn(page, who);
    await appears(page, '#consent-allow');
  },
  home: async (page, who) => {
    await page.goto(`${house.issuer}/login`);
    await signIn(page, who);
    await appears(page, '#home-sign-out');
  },
  'home-nobody': (page) => page.goto(`${house.issuer}/`),
  account: async (page, who) => {
    await page.goto(authorizeUrl('calendar', { scope: 'openid profile email roles groups offline_access' }));
    await signIn(page, who);
    await page.click('#consent-allow');
    await page.goto(`${house.issuer}/account`);
    await appears(page, '#account-withdraw-1');
  },
  'account-token': async (page, who) => {
    await pages.account(page, who);
    await page.fill('#account-token-name', 'backup');
    await page.click('#account-token-create');
    await appears(page, '#account-token');
  },
  'account-error': async (page, who) => {
    await pages.account(page, who);
    await page.fill('#account-old-password', who.password);
    await page.fill('#account-new-password', 'password');
    await page.click('#account-change-password');
    await appears(page, '#account-notice');
  },
  'account-email-asked': async (page, who) => {
    await askForAddress(page, who, who.password);
    await page.waitForURL(/done=email/);
  },
  'account-email-error': async (page, who) => {
    await askForAddress(page, who, 'wrong');
    await appears(page, '#account-notice');
  },
  'verify-email': async (page, who) => {
    await askForAddress(page, who, who.password);
    await page.waitForURL(/done=email/);
    await page.goto(await linkTo(`${who.username}@new.example`));
    await appears(page, '#verify-email-submit');
  },
  'verify-email-done': async (page, who) => {
    await pages['verify-email'](page, who);
    await page.click('#verify-email-submit');
    await appears(page, '#verify-email-done');
  },
  'verify-email-dead': (page) => page.goto(`${house.issuer}/verify-email?token=damaged`),
  'forgot-password': (page) => page.goto(`${house.issuer}/forgot-password`),
  'forgot-password-sent': (page) => page.goto(`${house.issuer}/forgot-password?sent=1`),
  'set-password': async (page, who) => {
    const { url } = await propusk('user', 'set-password', who.username, '--link');
    await page.goto(url);
  },
  'set-password-error': async (page, who) => {
    await pages['set-password'](page, who);
    await page.fill('#password', 'password');
    await page.click('#set-password-submit');
    await appears(page, '#set-password-notice');
  },
  register: (page) => page.goto(`${house.issuer}/register`),
  'register-error': async (page, who) => {
    await page.goto(`${house.issuer}/register`);
    await register(page, who.username, `new-${who.username}@example.org`);
    await appears(page, '#register-notice');
  },
  'register-sent': async (page, who) => {
    await page.goto(`${house.issuer}/register`);
    await register(page, `new-${who.username}`, `new-${who.username}@example.org`);
    await appears(page, '#register-sent');
  },
  'register-finish': async (page, who) => {
    await pages['register-sent'](page, who);
    await page.goto(await linkTo(`new-${who.username}@example.org`));
    await appears(page, '#register-finish-submit');
  },
  'register-finish-error': async (page, who) => {
    await pages['register-finish'](page, who);
    await page.fill('#password', 'password');
    await page.click('#register-finish-submit');
    await appears(page, '#register-notice');
  },
  logout: async (page, who) => {
    await pages.home(page, who);
    await page.goto(`${house.issuer}/logout`);
  },
  'logged-out': (page) => page.goto(`${house.issuer}/logged-out`),
  error: (page) => page.goto(authorizeUrl('site', { redirect_uri: 'https://elsewhere.test/' })),
  'error-broken': (page) => page.goto(`${house.issuer}/login?flow=damaged`),
};

for (const [language, locale] of [['ru', 'ru-RU'], ['en', 'en-US']]) {
  const name = language === 'ru' ? 'Анна Петрова' : 'Anna Petrova';
  for (const [where, go] of Object.entries(pages)) {
    test(`${where} in ${language} is accessible and whole`, async () => {
      const who = await person({ name });
      await inBrowser({ locale }, async (visitor, page) => {
        visitor.expect(400, 403, 429);
        await go(page, who);
        await inspect(page, `${where}-${language}`, language);
      });
    });
  }

  test(`form_post without scripts in ${language} is accessible and whole`, async () => {
    const who = await person({ name });
    let html;
    await inBrowser({ locale, javaScriptEnabled: false }, async (visitor, page) => {
      await page.goto(authorizeUrl('site', { response_mode: 'form_post' }));
      await signIn(page, who);
      await appears(page, '#form-post-submit');
      await page.screenshot({ path: artifact(`form-post-${language}`) });
      html = await page.content();
    });
    // axe-core is a script itself: it gets the same page with its <noscript> opened and its own script taken out.
    const opened = html.replace(/<\/?noscript>/g, '').replace(/<script\b.*?<\/script>/s, '');
    await inBrowser({ locale }, async (visitor, page) => {
      await page.route(`${house.issuer}/opened`, (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body: opened }));
      await page.goto(`${house.issuer}/opened`);
      assert.ok(await page.locator('#form-post-submit').isVisible());
      await inspect(page, `form-post-${language}`, language);
    });
  });
}

test('long names do not break the pages', async () => {
  const name = 'Константин-Александр Преображенский-Вознесенский '.repeat(4).trim();
  const who = await person({ name });
  await inBrowser({ locale: 'ru-RU' }, async (visitor, page) => {
    await page.goto(authorizeUrl('calendar', { login_hint: 'x'.repeat(200) }));
    await whole(page, 'login-long');
    await signIn(page, who);
    await appears(page, '#consent-allow');
    for (const size of [...sizes, ...tight]) {
      await page.setViewportSize(size);
      await whole(page, `consent-long-${size.width}`);
      await page.screenshot({ path: artifact(`consent-long-${size.width}`), fullPage: true });
    }
  });
});

test('in the popup of the chat both fields and the button are in view at once', () =>
  inBrowser({ locale: 'ru-RU', viewport: tight[0] }, async (visitor, page) => {
    await page.goto(authorizeUrl('site'));
    for (const id of ['username', 'password', 'login-submit']) {
      const box = await page.locator(`#${id}`).boundingBox();
      assert.ok(box.y >= 0 && box.y + box.height <= tight[0].height, `#${id} ends at ${box.y + box.height} px of ${tight[0].height}`);
    }
    await page.screenshot({ path: artifact('popup-ru') });
  }));

test('what can be pressed is large enough for a finger', () =>
  inBrowser({ locale: 'ru-RU', viewport: sizes[0] }, async (visitor, page) => {
    await page.goto(authorizeUrl('site'));
    for (const id of ['username', 'password', 'login-submit', 'login-cancel']) {
      const box = await page.locator(`#${id}`).boundingBox();
      assert.ok(box.height >= 44, `#${id} is ${box.height} px high`);
    }
  }));

test('the picture of the README', () =>
  inBrowser({ locale: 'ru-RU' }, async (visitor, page) => {
    await page.goto(authorizeUrl('rocketchat', { redirect_uri: `${house.chat}/_oauth/besedka` }));
    assert.ok((await page.innerText('.stub')).includes(names.rocketchat));
    await page.screenshot({ path: artifact('readme-login') });
  }));

async function askForAddress(page, who, password) {
  await page.goto(`${house.issuer}/account`);
  await signIn(page, who);
  await appears(page, '#account-change-email');
  await page.fill('#account-new-email', `${who.username}@new.example`);
  await page.fill('#account-email-password', password);
  await page.click('#account-change-email');
}

async function register(page, username, email) {
  await page.fill('#username', username);
  await page.fill('#name', 'Nina');
  await page.fill('#email', email);
  await page.click('#register-submit');
}

async function inspect(page, name, language) {
  assert.equal(await page.getAttribute('html', 'lang'), language);
  assert.equal(await page.locator('h1:visible').count(), 1);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    for (const size of sizes) {
      await page.setViewportSize(size);
      const where = `${name}-${colorScheme}-${size.width}`;
      await whole(page, where);
      await page.screenshot({ path: artifact(where), fullPage: true });
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`), [], where);
    }
  }
  for (const size of tight) {
    await page.setViewportSize(size);
    await whole(page, `${name}-${size.width}`);
  }
}

async function whole(page, where) {
  await page.waitForLoadState();
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= room, `${where}: ${wide} px in ${room} px`);
  const broken = await page.evaluate(() => [...document.images].filter((image) => !image.complete || image.naturalWidth === 0).map((image) => image.src));
  assert.deepEqual(broken, [], where);
}
