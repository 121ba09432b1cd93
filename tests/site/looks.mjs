// How the pages look: narrow and wide, light and dark, in both languages; nothing sticks out, and axe finds nothing.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { openRefused } from './frame.mjs';
import { artifact, house, inBrowser, setInChat, signIn } from './house.mjs';

const axe = fileURLToPath(new URL('../browser/node_modules/axe-core/axe.min.js', import.meta.url));
const sizes = { narrow: { width: 360, height: 740 }, wide: { width: 1280, height: 800 } };
const themes = [['narrow', 'light', 'ru-RU'], ['narrow', 'dark', 'en-US'], ['wide', 'light', 'en-US'], ['wide', 'dark', 'ru-RU']];

/** One test for each size and theme. */
export const looks = themes.map(([size, colorScheme, locale]) => ({
  name: `the pages, ${size} and ${colorScheme}, in ${locale}`,
  run: () => inBrowser({ viewport: sizes[size], colorScheme, locale }, (page) => gallery(page, `${size}-${colorScheme}`), [404, 422]),
}));

async function gallery(page, name) {
  await shown(page, '/', `home-stranger-${name}`);
  await shown(page, '/register/', `register-${name}`);
  await page.click('#register-submit');
  await page.waitForSelector('#error-username');
  await judged(page, `register-errors-${name}`);
  await page.goto(`${house.site}/oidc/login/?next=/`);
  await signIn(page, 'owner', house.passwords.owner);
  await page.waitForURL(`${house.site}/`);
  if ((await page.locator('#talks .muted').count()) === 1) {
    await page.fill('#text', 'Чай будет в семь. Кто несёт варенье?');
    await page.click('#post');
    await page.waitForLoadState();
  }
  await judged(page, `home-${name}`);
  await shown(page, '/moderators/', `moderators-${name}`);
  await page.goto(`${house.site}/chat/`);
  await page.frameLocator('#chat-frame').locator('#who').waitFor();
  await judged(page, `chat-${name}`);
  await setInChat('Iframe_Restrict_Access', true);
  try {
    await openRefused(page, () => page.reload());
    await judged(page, `chat-refused-${name}`);
  } finally {
    await setInChat('Iframe_Restrict_Access', false);
  }
  await shown(page, '/nowhere/', `not-found-${name}`);
}

async function shown(page, path, name) {
  await page.goto(`${house.site}${path}`);
  await judged(page, name);
}

async function judged(page, name) {
  await page.waitForLoadState();
  await page.screenshot({ path: artifact(name), fullPage: true });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(overflow <= 0, `${name} is ${overflow} px too wide`);
  // By the debugger, as the pages let no other script in.
  await page.evaluate(await readFile(axe, 'utf8'));
  const { violations } = await page.evaluate(() => window.axe.run(document, { iframes: false }));
  assert.deepEqual(violations.map(({ id, nodes }) => `${name}: ${id}: ${nodes[0].html}`), []);
}
