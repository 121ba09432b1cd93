// The installation under test: a database of its own, people and clients made by the command line, and `propusk serve`.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

import { openApplications } from './applications.mjs';
import { openChat } from './chat.mjs';
import { openMail } from './mail.mjs';

const run = promisify(execFile);
const binary = process.env.PROPUSK_TEST_BINARY;
const startPatience = 30_000;

/** What the tests speak of: `issuer`, `site`, `elsewhere`, `chat` (origins), `secrets` (by client id), `arrivals`, `records`. */
export const house = { issuer: '', site: '', elsewhere: '', chat: '', secrets: {}, arrivals: [], records: [] };

/** The names that people see on the pages. */
export const names = { site: 'Сайт сообщества', calendar: 'Calendar & Co', rocketchat: 'Чат сообщества' };

let scratch;
let server;
let settings;
let closing = [];

/** Prepares the installation and starts everything. */
export async function openHouse() {
  scratch = await mkdtemp(path.join(os.tmpdir(), 'propusk-browser-'));
  const port = await freePort();
  // Another host than the applications': to the browser they are another site, as in life.
  house.issuer = `http://127.0.0.1:${port}`;
  settings = { ...process.env, PROPUSK__HTTP__LISTEN: `127.0.0.1:${port}`, PROPUSK__ISSUER: house.issuer, ...(await database()) };
  const applications = await openApplications(house);
  const chat = await openChat(house);
  const mail = await openMail();
  Object.assign(settings, {
    ...{ PROPUSK__SMTP__URL: mail.url, PROPUSK__SMTP__FROM: 'Propusk <noreply@example.org>', PROPUSK__SMTP__STARTTLS: 'false' },
    PROPUSK__REGISTRATION__ENABLED: 'true',
  });
  closing = [applications, chat, mail.close];
  await clients();
  await serve();
}

/** Ends everything and removes the files. */
export async function closeHouse() {
  for (const close of closing) await close();
  if (server && server.exitCode === null) {
    server.kill('SIGTERM');
    await new Promise((resolve) => server.once('exit', resolve));
  }
  await rm(scratch, { recursive: true, force: true });
}

/** Runs a verb of the command line and returns its JSON document. */
export async function propusk(...args) {
  const { stdout } = await run(binary, [...args, '--json'], { env: settings, cwd: scratch });
  return JSON.parse(stdout);
}

let people = 0;

/** A new person with a name and a password of their own. */
export async function person({ role = 'user', locale, name } = {}) {
  people += 1;
  const username = `${role}-${people}`;
  const shown = name ?? `Person ${people}`;
  const extra = locale ? ['--locale', locale] : [];
  const made = await propusk('user', 'add', username, '--role', role, '--name', shown, '--email', `${username}@example.org`, '--generate-password', ...extra);
  return { username, password: made.password, sub: made.sub, name: shown };
}

/** Where a client sends a browser. */
export function authorizeUrl(client, extra = {}) {
  const url = new URL(`${house.issuer}/oauth/authorize`);
  const parameters = { response_type: 'code', client_id: client, redirect_uri: redirectUri(client), scope: 'openid profile', state: `state-${client}`, ...extra };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/** The registered redirect URI of a client of the site. */
export function redirectUri(client) {
  return `${house.site}/${client}/callback`;
}

/** Redeems a code as its client would and returns the token response. */
export async function redeem(client, code) {
  const answer = await fetch(`${house.issuer}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${client}:${house.secrets[client]}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: redirectUri(client) }),
  });
  return { status: answer.status, ...(await answer.json()) };
}

async function database() {
  if (process.env.PROPUSK_TEST_BACKEND !== 'postgres') {
    return { PROPUSK__DATABASE__URL: `sqlite:${scratch}/propusk.db` };
  }
  const postgres = needed('PROPUSK_TEST_POSTGRES');
  const redis = needed('PROPUSK_TEST_REDIS');
  const name = `browser_${process.pid}_${Date.now()}`;
  await run('psql', ['-q', postgres, '-c', `CREATE DATABASE ${name}`]);
  return {
    PROPUSK__DATABASE__URL: postgres.replace(/\/[^/]*$/, `/${name}`),
    PROPUSK__REDIS__URL: redis,
    PROPUSK__REDIS__PREFIX: `${name}:`,
    PROPUSK__KEYS__MASTER_KEY_FILE: `${scratch}/master.key`,
  };
}

function needed(name) {
  if (!process.env[name]) throw new Error(`set ${name} in the environment`);
  return process.env[name];
}

async function clients() {
  const own = [
    ['site', 'web', names.site, '--first-party'],
    ['calendar', 'web', names.calendar, '--third-party'],
    ['hopper', 'web', 'Hopper', '--first-party'],
    ['popup', 'web', 'Popup', '--first-party'],
  ];
  for (const [id, preset, name, party] of own) {
    const made = await propusk(
      ...['client', 'add', id, '--preset', preset, '--name', name, party],
      ...['--redirect-uri', redirectUri(id), '--post-logout-redirect-uri', `${house.site}/${id}/bye`],
    );
    house.secrets[id] = made.client_secret;
  }
  const made = await propusk(
    ...['client', 'add', 'rocketchat', '--preset', 'rocket-chat', '--name', names.rocketchat],
    ...['--redirect-uri', `${house.chat}/_oauth/besedka`],
  );
  house.secrets.rocketchat = made.client_secret;
}

async function serve() {
  const log = await open(`${scratch}/server.log`, 'w');
  server = spawn(binary, ['serve'], { env: settings, cwd: scratch, stdio: ['ignore', log.fd, log.fd] });
  await log.close();
  process.once('exit', () => server.kill());
  const deadline = Date.now() + startPatience;
  while (Date.now() < deadline && server.exitCode === null) {
    const answer = await fetch(`${house.issuer}/readyz`).catch(() => undefined);
    if (answer?.ok) return;
    await pause(50);
  }
  throw new Error(`the server did not start:\n${await readFile(`${scratch}/server.log`, 'utf8')}`);
}

async function freePort() {
  const probe = net.createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
