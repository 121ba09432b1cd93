// Every test, in one process with one server and one browser. Settings: see test.sh.
import { after, before } from 'node:test';

import { closeBrowser, openBrowser } from './browser.mjs';
import { closeHouse, openHouse } from './house.mjs';

before(async () => {
  await openHouse();
  await openBrowser();
});

after(async () => {
  await closeBrowser();
  await closeHouse();
});

await import('./tests/login.mjs');
await import('./tests/browsers.mjs');
await import('./tests/consent.mjs');
await import('./tests/answers.mjs');
await import('./tests/logout.mjs');
await import('./tests/account.mjs');
await import('./tests/mailbox.mjs');
await import('./tests/errors.mjs');
await import('./tests/chat.mjs');
await import('./tests/looks.mjs');
