// A person without JavaScript: cookie jar, redirects one by one, the login form and the consent form found by their ids.
import http from 'node:http';
import https from 'node:https';

const MAX_STEPS = 15;

/** Ends the script with one sentence and exit code 1. */
export function fail(sentence) {
  throw new Deviation(sentence);
}

export function check(condition, sentence) {
  if (!condition) fail(sentence);
}

export class Deviation extends Error {}

/** The settings that every script takes from the environment. */
export function settings() {
  const need = (name) => process.env[name] || fail(`set ${name} in the environment`);
  return {
    issuer: need('ISSUER'),
    clientId: need('CLIENT_ID'),
    clientSecret: process.env.CLIENT_SECRET || '',
    redirectUri: need('REDIRECT_URI'),
    username: need('USERNAME'),
    password: need('PASSWORD'),
    service: process.env.SERVICE_ID ? { id: process.env.SERVICE_ID, secret: need('SERVICE_SECRET') } : undefined,
    audience: process.env.AUDIENCE || process.env.ISSUER,
    roles: process.env.EXPECT_ROLES ? JSON.parse(process.env.EXPECT_ROLES) : undefined,
    // "no" for a client that may not introspect; a public client never may.
    introspects: Boolean(process.env.CLIENT_SECRET) && process.env.INTROSPECT !== 'no',
    insecure: need('ISSUER').startsWith('http:'),
  };
}

/** Runs a script: one JSON line and exit code 0, or one sentence on standard error and exit code 1. */
export async function run(client, flow) {
  try {
    const result = await flow(settings());
    process.stdout.write(`${JSON.stringify({ client, ...result })}\n`);
  } catch (error) {
    const where = error instanceof Deviation ? '' : `\n${error.stack}`;
    const cause = error.cause ? ` (${describe(error.cause)})` : '';
    process.stderr.write(`${client}: ${error.message}${cause}${where}\n`);
    process.exitCode = 1;
  }
}

function describe(cause) {
  if (cause instanceof Error) return cause.message;
  try {
    return JSON.stringify(cause);
  } catch {
    return String(cause);
  }
}

/** Follows an authorization URL, signs in and consents where asked, and returns the URL of the callback, which is not requested. */
export async function authorize(url, { redirectUri, username, password }) {
  const jar = new Map();
  let request = { method: 'GET', url: String(url), site: 'none' };
  let signedIn = false;
  for (let step = 0; step < MAX_STEPS; step += 1) {
    if (request.url.startsWith(redirectUri)) return new URL(request.url);
    const answer = await exchange(request, jar);
    const location = answer.headers.location;
    if (location) {
      check([302, 303].includes(answer.status), `a redirect with status ${answer.status} at ${request.url}`);
      request = { method: 'GET', url: new URL(location, request.url).href, site: request.site };
      continue;
    }
    check(answer.status === 200, `status ${answer.status} at ${request.url}: ${plain(answer.body)}`);
    const forms = parseForms(answer.body);
    const login = forms.find((form) => form.ids.has('username') && form.ids.has('password'));
    const consent = forms.find((form) => form.ids.has('consent-allow'));
    if (login && !signedIn) {
      signedIn = true;
      request = press(login, 'login-submit', request.url, { username, password });
    } else if (consent) {
      request = press(consent, 'consent-allow', request.url, {});
    } else {
      fail(`stuck at ${request.url}: ${plain(answer.body)}`);
    }
  }
  return fail(`more than ${MAX_STEPS} steps from ${url}`);
}

function press(form, button, page, values) {
  const fields = new URLSearchParams(form.fields);
  for (const [name, value] of Object.entries(values)) fields.set(name, value);
  const pressed = form.buttons.find((known) => known.id === button);
  check(pressed, `no #${button} in its form at ${page}`);
  if (pressed.name) fields.set(pressed.name, pressed.value || '');
  const url = new URL(pressed.formaction || form.action || page, page).href;
  const headers = { origin: new URL(page).origin, referer: page };
  return { method: 'POST', url, body: fields.toString(), headers, site: 'same-origin' };
}

function exchange({ method, url, body, headers, site }, jar) {
  const target = new URL(url);
  const library = target.protocol === 'https:' ? https : http;
  const sent = {
    accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
    'accept-language': 'en',
    'sec-fetch-site': site,
    'sec-fetch-mode': 'navigate',
    'sec-fetch-dest': 'document',
    ...headers,
  };
  const cookies = [...jar].filter(([, cookie]) => target.pathname.startsWith(cookie.path));
  if (cookies.length > 0) sent.cookie = cookies.map(([name, cookie]) => `${name}=${cookie.value}`).join('; ');
  if (body !== undefined) {
    sent['content-type'] = 'application/x-www-form-urlencoded';
    sent['content-length'] = Buffer.byteLength(body);
  }
  return new Promise((resolve, reject) => {
    const request = library.request(target, { method, headers: sent, timeout: 20000 }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        for (const line of response.headers['set-cookie'] || []) store(jar, line);
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString('utf8') });
      });
    });
    request.on('timeout', () => request.destroy(new Error(`no answer from ${url} in 20 s`)));
    request.on('error', reject);
    request.end(body);
  });
}

// All pages of the flow are on one host, so the jar is keyed by name alone.
function store(jar, line) {
  const [pair, ...attributes] = line.split(';').map((part) => part.trim());
  const name = pair.slice(0, pair.indexOf('='));
  const value = pair.slice(pair.indexOf('=') + 1);
  const attribute = (wanted) => attributes.find((known) => known.toLowerCase().startsWith(`${wanted}=`))?.slice(wanted.length + 1);
  const dead = Number(attribute('max-age') ?? 1) <= 0 || Date.parse(attribute('expires') ?? '') <= Date.now();
  if (dead) jar.delete(name);
  else jar.set(name, { value, path: attribute('path') || '/' });
}

function parseForms(html) {
  const forms = [];
  for (const [, head, inside] of html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)) {
    const form = { action: attributesOf(head).action, fields: [], buttons: [], ids: new Set() };
    for (const [, element, text] of inside.matchAll(/<(input|button)\b((?:"[^"]*"|'[^']*'|[^>"'])*)>/gi)) {
      const known = attributesOf(text);
      if (known.id) form.ids.add(known.id);
      const type = (known.type || (element.toLowerCase() === 'button' ? 'submit' : 'text')).toLowerCase();
      if (type === 'submit') form.buttons.push(known);
      else if (known.name && (type !== 'checkbox' || 'checked' in known)) form.fields.push([known.name, known.value || '']);
    }
    forms.push(form);
  }
  return forms;
}

function attributesOf(text) {
  const found = {};
  for (const [, name, double, single, bare] of text.matchAll(/([^\s"'=/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"']+)))?/g)) {
    found[name.toLowerCase()] = decode(double ?? single ?? bare ?? '');
  }
  return found;
}

function decode(text) {
  const named = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(amp|lt|gt|quot|apos));/gi, (_, hex, decimal, name) =>
    name ? named[name.toLowerCase()] : String.fromCodePoint(parseInt(hex || decimal, hex ? 16 : 10)),
  );
}

function plain(html) {
  return html
    .replace(/<(script|style)[\s\S]*?<\/\1>/gi, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 300);
}
