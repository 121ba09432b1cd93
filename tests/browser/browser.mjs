// A visitor: one browser context that watches everything that must not happen on the way.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

import { house } from './house.mjs';

const artifacts = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'artifacts', 'browser', process.env.PROPUSK_TEST_BACKEND ?? 'sqlite');
const patience = 15_000;
const storyPatience = 90_000;
let browser;

/** Starts Chromium. */
export async function openBrowser() {
  await mkdir(artifacts, { recursive: true });
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
      ...['--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP elsewhere.test 127.0.0.1'],
    ],
  });
}

/** Ends Chromium. */
export async function closeBrowser() {
  await browser?.close();
}

/** Where a screenshot goes. */
export function artifact(name) {
  return path.join(artifacts, `${name}.png`);
}

/**
 * Lets `story` act in a fresh browser, then fails for whatever went wrong unseen: errors in the console, failed requests, error
 * statuses that the story did not announce, and requests of a page of ours to anybody else.
 */
export async function inBrowser(options, story) {
  const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(patience);
  const visitor = new Visitor(context);
  // Whatever still waits then fails with "closed" instead of keeping the whole run.
  const limit = setTimeout(() => context.close(), storyPatience);
  try {
    await story(visitor, await visitor.tab());
    assert.deepEqual(visitor.problems, []);
  } finally {
    clearTimeout(limit);
    await context.close();
  }
}

class Visitor {
  constructor(context) {
    this.context = context;
    this.problems = [];
    this.expected = new Set();
    this.headers = [];
    context.on('page', (page) => this.#watch(page));
    context.on('request', (request) => this.#judgeRequest(request));
    context.on('response', (response) => this.#judgeResponse(response));
    context.on('requestfailed', (request) => this.#judgeFailure(request));
  }

  /** A new tab. */
  tab() {
    return this.context.newPage();
  }

  /** Pages may answer with this status from now on. */
  expect(...statuses) {
    for (const status of statuses) this.expected.add(status);
  }

  /** The last request that reached the callback of `client`, taken off the list. */
  arrival(client) {
    const at = house.arrivals.findIndex((arrival) => arrival.client === client);
    assert.notEqual(at, -1, `nothing reached the callback of ${client}`);
    return house.arrivals.splice(at, 1)[0];
  }

  /** The value of a cookie of ours, or `undefined`. */
  async cookie(name) {
    const cookies = await this.context.cookies(house.issuer);
    return cookies.find((cookie) => cookie.name === name)?.value;
  }

  #watch(page) {
    page.on('pageerror', (error) => this.problems.push(`script: ${error.message}`));
    page.on('console', (message) => {
      if (!['error', 'warning'].includes(message.type())) return;
      // Chromium reports each error status of a page here; #judgeResponse has judged it.
      if (/^Failed to load resource: the server responded with a status of [45]/.test(message.text())) return;
      this.problems.push(`console: ${message.text()} at ${message.location().url}`);
    });
  }

  #judgeRequest(request) {
    const { origin } = new URL(request.url());
    const known = [house.issuer, house.site, house.elsewhere, house.chat];
    if (origin !== 'null' && !known.includes(origin)) this.problems.push(`third party: ${request.url()}`);
    if (request.isNavigationRequest() || request.url().startsWith('data:')) return;
    const from = new URL(request.frame().url()).origin;
    if (from === house.issuer && origin !== house.issuer) this.problems.push(`a page of ours loads ${request.url()}`);
  }

  #judgeFailure(request) {
    const reason = request.failure()?.errorText;
    // A browser that leaves a page drops what that page still loaded: a picture is nobody's fault then, a page itself would be.
    if (reason === 'net::ERR_ABORTED' && !request.isNavigationRequest()) return;
    this.problems.push(`failed: ${request.method()} ${request.url()} ${reason}`);
  }

  #judgeResponse(response) {
    const status = response.status();
    const ours = response.url().startsWith(house.issuer);
    if (status >= 400 && !(ours && response.request().isNavigationRequest() && this.expected.has(status))) {
      this.problems.push(`status ${status}: ${response.url()}`);
    }
    if (ours) this.headers.push({ url: response.url(), headers: response.headers() });
  }
}

/** Waits for an element and for the whole page around it: its styles and pictures, and the cursor where the page puts it. */
export async function appears(page, selector) {
  await page.waitForSelector(selector);
  await page.waitForLoadState();
}

/** Fills in the form and sends it. */
export async function signIn(page, who) {
  await page.fill('#username', who.username);
  await page.fill('#password', who.password);
  await page.click('#login-submit');
}

/** Guesses passwords until the page refuses to look at more, and returns the headers of that answer. */
export async function guess(page, who) {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const answered = page.waitForResponse((response) => response.request().method() === 'POST');
    await signIn(page, { ...who, password: `guess ${attempt}` });
    const response = await answered;
    await page.waitForLoadState();
    if (response.status() === 429) return response.headers();
  }
  return assert.fail('twenty guesses were not slowed');
}

/** Waits until the browser is at the callback of `client`. */
export function atCallback(page, client) {
  return page.waitForURL((url) => url.href.startsWith(`${house.site}/${client}/callback`));
}

/** Waits until the cursor is in the element of this id: a browser puts it there when the page is whole. */
export async function hasCursor(page, id) {
  await page.waitForFunction((wanted) => document.activeElement?.id === wanted, id);
}

/** The text of an element of a whole page, as a person sees it. */
export async function words(page, selector) {
  await appears(page, selector);
  return (await page.innerText(selector)).trim();
}
