// The applications that people come from and go back to: a few routes on http://localhost, and another site that one of them
// sends the browser on to.
import http from 'node:http';

/** Starts the servers, fills in `house.site` and `house.elsewhere`, and returns what ends them. */
export async function openApplications(house) {
  const site = await listening((request, response) => serveSite(house, request, response));
  const elsewhere = await listening((request, response) => page(response, 'Elsewhere', `<p id="elsewhere">${text(request.url)}</p>`));
  house.site = `http://localhost:${site.address().port}`;
  house.elsewhere = `http://elsewhere.test:${elsewhere.address().port}`;
  return async () => {
    await closed(site);
    await closed(elsewhere);
  };
}

/** A server on a free port of the loopback interface. */
export async function listening(handler) {
  const server = http.createServer((request, response) => {
    Promise.resolve(handler(request, response)).catch((error) => {
      response.writeHead(500).end(String(error.stack));
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** Ends a server with its connections. */
export function closed(server) {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
}

/** A whole page of an application. */
export function page(response, title, body) {
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  response.end(`<!doctype html><html lang="en"><head><title>${text(title)}</title><link rel="icon" href="data:,"></head><body>${body}</body></html>`);
}

/** Escapes for HTML. */
export function text(value) {
  return String(value).replace(/[&<>"']/g, (found) => `&#${found.charCodeAt(0)};`);
}

/** The body of a request. */
export async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

// /go?to=URL redirects; /send?to=URL shows a form that posts to URL; /open?to=URL opens a popup; /{client}/callback records what came.
async function serveSite(house, request, response) {
  const url = new URL(request.url, house.site);
  const to = url.searchParams.get('to');
  if (url.pathname === '/go') return response.writeHead(302, { location: to }).end();
  if (url.pathname === '/send') return sendPage(response, to);
  if (url.pathname === '/open') return openPage(response, to);
  const [, client, step] = url.pathname.split('/');
  if (step === 'bye') return page(response, 'Bye', `<p id="bye">Bye ${text(url.search)}</p>`);
  if (step !== 'callback') return response.writeHead(404).end();
  const parameters = request.method === 'POST' ? new URLSearchParams(await bodyOf(request)) : url.searchParams;
  house.arrivals.push({ client, method: request.method, parameters: Object.fromEntries(parameters), referer: request.headers.referer });
  if (client === 'hopper') return response.writeHead(302, { location: `${house.elsewhere}/landing` }).end();
  if (client === 'popup') return popupCallback(response);
  return page(response, 'Callback', `<p id="callback">${text(client)}</p>`);
}

function sendPage(response, to) {
  const url = new URL(to);
  const fields = [...url.searchParams].map(([name, value]) => `<input type="hidden" name="${text(name)}" value="${text(value)}">`);
  page(response, 'Send', `<form method="post" action="${text(url.origin + url.pathname)}">${fields.join('')}<button id="send">Send</button></form>`);
}

function openPage(response, to) {
  page(
    response,
    'Open',
    `<button id="open">Open</button><p id="heard"></p><script>
      addEventListener('message', (event) => { if (event.origin === location.origin) document.getElementById('heard').textContent = event.data; });
      document.getElementById('open').onclick = () => { window.popup = window.open(${JSON.stringify(to)}, 'login', 'width=651,height=331'); };
    </script>`,
  );
}

function popupCallback(response) {
  page(response, 'Done', `<script>window.opener.postMessage(new URL(location).searchParams.get('state'), location.origin); window.close();</script>`);
}
