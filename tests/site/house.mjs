// `make demo` under test: its addresses, its command line, and browsers that watch what must not happen.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { chromium } from '../browser/node_modules/playwright-core/index.mjs';

const run = promisify(execFile);
const here = path.dirname(fileURLToPath(import.meta.url));
const artifacts = path.join(here, '..', 'artifacts', 'site');
const data = process.env.DEMO_DATA;
const startPatience = 120_000;
const patience = 20_000;

/** `issuer`, `site`, `chat` (origins), and `passwords` (by username). */
export const house = { passwords: {} };

let demo;
let browser;
let printed = '';

/** Starts the demonstration and Chromium. */
export async function openHouse() {
  await mkdir(artifacts, { recursive: true });
  // What a person would wait for is made short; tests of the site move its clock through the real half a minute.
  const env = { ...process.env, ROLES_MAX_AGE: '0', CHAT_CHANNELS: 'general vip moderators' };
  demo = spawn(path.join(here, '..', '..', 'deploy', 'demo.sh'), { env, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [demo.stdout, demo.stderr]) stream.on('data', (chunk) => { printed += chunk; });
  printed = '';
  const began = Date.now();
  while (!printed.includes('Ctrl-C ends it.')) {
    assert.ok(demo.exitCode === null && Date.now() - began < startPatience, `make demo does not start:\n${printed}`);
    await pause(100);
  }
  Object.assign(house, JSON.parse(await readFile(path.join(data, 'addresses.json'), 'utf8')));
  for (const [name, password] of toldPasswords()) house.passwords[name] = password;
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/** Usernames and passwords on the screen of the last start. */
export function toldPasswords() {
  return [...printed.matchAll(/^ {2}(\S+) +password {2}(\S+)$/gm)].map(([, name, password]) => [name, password]);
}

/** Ends both, and returns the exit code of `make demo` after Ctrl-C with what it printed. */
export async function closeHouse() {
  await browser?.close();
  if (!demo) return null;
  const ended = demo.exitCode !== null ? Promise.resolve() : new Promise((resolve) => { demo.once('exit', resolve); });
  demo.kill('SIGINT');
  await ended;
  return { code: demo.exitCode, printed };
}

/** Runs a verb of the command line as the operator and returns its JSON document. */
export async function propusk(...args) {
  const { stdout } = await run(process.env.DEMO_PROPUSK, ['--config', path.join(data, 'propusk.toml'), ...args, '--json']);
  return JSON.parse(stdout);
}

/** Changes a setting of the chat, as its administrator. */
export async function setInChat(id, value) {
  const { user_id: user, token } = JSON.parse(await readFile(path.join(data, 'chat-admin.json'), 'utf8'));
  const headers = { 'content-type': 'application/json', 'x-user-id': user, 'x-auth-token': token };
  const answer = await fetch(`${house.chat}/api/v1/settings/${id}`, { method: 'POST', headers, body: JSON.stringify({ value }) });
  assert.equal(answer.status, 200, await answer.text());
}

/** Headers that a proxy in front of the chat adds to its pages from now on, a line each. */
export async function setInFrontOfChat(headers) {
  await writeFile(process.env.DEMO_CHAT_HEADERS, headers);
}

/** A fresh browser for one story; fails for errors that nobody announced by `expected` and for requests to anybody else. */
export async function inBrowser(options, story, expected = []) {
  const context = await browser.newContext({ locale: 'ru-RU', viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(patience);
  const problems = [];
  const known = [house.issuer, house.site, house.chat];
  context.on('request', (request) => {
    const { origin } = new URL(request.url());
    if (origin !== 'null' && !known.includes(origin)) problems.push(`third party: ${request.url()}`);
  });
  context.on('response', (response) => {
    if (response.status() >= 400 && !expected.includes(response.status())) problems.push(`status ${response.status()}: ${response.url()}`);
  });
  context.on('weberror', (error) => problems.push(`script: ${error.error().message}`));
  context.on('console', (message) => {
    const text = message.text();
    if (message.type() === 'error' && !/^Failed to load resource|Refused to (display|frame)|Framing .* violates/.test(text)) problems.push(`console: ${text}`);
  });
  try {
    await story(await context.newPage(), context);
    assert.deepEqual(problems, []);
  } finally {
    await context.close();
  }
}

/** Fills in the sign-in page of the service. */
export async function signIn(page, username, password) {
  await page.fill('#username', username);
  await page.fill('#password', password);
  await page.click('#login-submit');
}

/** Repeats `look` until it returns something true. */
export async function until(look, what) {
  const began = Date.now();
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() - began < patience, `waited in vain: ${what}`);
    await pause(150);
  }
}

/** Where a screenshot goes. */
export function artifact(name) {
  return path.join(artifacts, `${name}.png`);
}
