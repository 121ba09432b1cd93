// The chat's frame on the site: what keeps it empty is said after ten seconds of the page's clock, which the tests move.
import assert from 'node:assert/strict';

import { house, inBrowser, setInChat, setInFrontOfChat, signIn, until } from './house.mjs';

const english = { locale: 'en-US' };

/** Stories of the frame, each in a browser of its own. */
export const frames = [
  { name: 'after ten empty seconds the page says that X-Frame-Options keeps the chat out', run: () => inBrowser(english, optionsRefuse) },
  { name: 'after ten empty seconds the page says that frame-ancestors keeps the chat out', run: () => inBrowser(english, ancestorsRefuse) },
  { name: 'a frame that works says nothing, and neither does one that was left', run: () => inBrowser(english, works) },
  { name: 'one call a channel switch, and the last switch is what shows', run: () => inBrowser(english, switches) },
];

/** Opens the chat's page whose frame the browser refuses, and moves the page's clock until that is said. */
export async function openRefused(page, go) {
  await page.clock.install();
  await refusedBy(page, go);
  await page.clock.fastForward(10_000);
  await page.waitForSelector('#chat-empty');
}

async function optionsRefuse(page) {
  await setInChat('Iframe_Restrict_Access', true);
  try {
    await saidAfterTenSeconds(page, 'X-Frame-Options: sameorigin', 'Iframe_Restrict_Access');
  } finally {
    await setInChat('Iframe_Restrict_Access', false);
  }
  // The next page tries anew.
  await page.goto(`${house.site}/chat/`);
  await place(page, '# general');
}

async function ancestorsRefuse(page) {
  await setInFrontOfChat("Content-Security-Policy: object-src 'none'; frame-ancestors 'self' https://example.org");
  try {
    await saidAfterTenSeconds(page, "Content-Security-Policy: frame-ancestors 'self' https://example.org", '');
  } finally {
    await setInFrontOfChat('');
  }
}

async function saidAfterTenSeconds(page, header, setting) {
  await stoppedAtChat(page);
  const asked = requests(page, '/chat/headers/');
  await refusedBy(page, () => page.goto(`${house.site}/chat/`));
  await page.clock.runFor(9_990);
  assert.equal(await page.isVisible('#chat-empty'), false);
  assert.equal(asked.length, 0, 'nobody is asked before');
  await page.clock.runFor(20);
  await page.waitForSelector('#chat-empty');
  assert.equal(await page.innerText('#chat-header'), header);
  assert.equal(await page.isVisible('#chat-setting'), setting !== '');
  if (setting) assert.equal(await page.innerText('#chat-setting'), setting);
  assert.match(await page.innerText('#chat-message'), /forbids|frame-ancestors/);
  assert.equal(await page.isVisible('#chat-frame'), false);
  const [tab] = await Promise.all([page.waitForEvent('popup'), page.click('#chat-empty-open')]);
  await tab.locator('#who').waitFor();
  assert.equal(tab.url(), `${house.chat}/channel/general`);
  await tab.close();
}

async function works(page) {
  await stoppedAtChat(page);
  const asked = requests(page, '/chat/headers/');
  await page.goto(`${house.site}/chat/`);
  await place(page, '# general');
  await page.clock.runFor(9_000);
  await page.click('.channel[data-channel="vip"]');
  await place(page, '# vip');
  // The ten seconds are those of the channel that shows.
  await page.clock.runFor(9_000);
  assert.equal(asked.length, 0);
  const answered = page.waitForResponse((answer) => new URL(answer.url()).pathname === '/chat/headers/');
  await page.clock.runFor(600_000);
  assert.equal((await (await answered).json()).message, '');
  assert.equal(await page.isVisible('#chat-empty'), false);
  assert.equal(await page.isVisible('#chat-frame'), true);
  assert.equal(asked.length, 1, 'asked once, not again and again');
}

async function switches(page) {
  await stoppedAtChat(page);
  await page.goto(`${house.site}/chat/`);
  await place(page, '# general');
  const opened = requests(page, '/chat/open/');
  const loaded = [];
  page.on('framenavigated', (frame) => {
    if (frame !== page.mainFrame()) loaded.push(new URL(frame.url()).pathname);
  });
  for (const channel of ['vip', 'general', 'moderators']) {
    await page.click(`.channel[data-channel="${channel}"]`);
    await place(page, `# ${channel}`);
  }
  assert.deepEqual(opened, ['vip', 'general', 'moderators']);
  assert.deepEqual(loaded, ['/group/vip', '/channel/general', '/channel/moderators'], 'nor does the frame load anything twice');
  // The answer to an earlier switch that comes late changes nothing.
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  await page.route('**/chat/open/?channel=vip', async (route) => {
    await held;
    await route.continue();
  });
  await page.click('.channel[data-channel="vip"]');
  await page.click('.channel[data-channel="general"]');
  await place(page, '# general');
  const late = page.waitForResponse((answer) => answer.url().endsWith('/chat/open/?channel=vip'));
  release();
  await (await late).finished();
  await page.clock.runFor(60_000);
  await place(page, '# general');
  assert.equal(await page.getAttribute('.channel[aria-current]', 'data-channel'), 'general');
  assert.equal(await page.isVisible('#chat-empty'), false);
}

/** Signed in on the site, with a page whose clock stands. */
async function stoppedAtChat(page) {
  await page.goto(`${house.site}/oidc/login/?next=/`);
  await signIn(page, 'owner', house.passwords.owner);
  await page.waitForURL(`${house.site}/`);
  const now = Date.now();
  await page.clock.install({ time: now });
  await page.clock.pauseAt(now + 1000);
}

/** Goes to a page of the chat, and returns when the browser has got what it may not show in the frame. */
async function refusedBy(page, go) {
  const refused = page.waitForResponse((answer) => answer.url().startsWith(`${house.chat}/channel/`));
  await go();
  await refused;
}

/** The channels that the page asks `path` for from now on. */
function requests(page, path) {
  const asked = [];
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.pathname === path) asked.push(url.searchParams.get('channel'));
  });
  return asked;
}

async function place(page, wanted) {
  const shown = page.frameLocator('#chat-frame').locator('#place');
  await until(async () => (await shown.innerText()) === wanted, wanted);
}
