// A mail server that keeps what it is given, as much of RFC 5321 as a sender needs.
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const patience = 15_000;
const mails = [];

/** Starts the server and returns its address and what ends it. */
export async function openMail() {
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy()));
    converse(socket);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url: `smtp://127.0.0.1:${server.address().port}`, close };
}

/** The link in the newest mail to `address`, as soon as there is one. */
export async function linkTo(address) {
  const deadline = Date.now() + patience;
  while (Date.now() < deadline) {
    const text = mails.findLast((mail) => mail.to === address)?.text;
    const link = text?.split('\n').find((line) => line.startsWith('http'));
    if (link) return link;
    await pause(20);
  }
  throw new Error(`no link to ${address} among the mails to ${mails.map((mail) => mail.to).join(', ')}`);
}

function converse(socket) {
  let pending = '';
  let to = '';
  let message;
  const answer = (line) => {
    const word = line.slice(0, 4).toUpperCase();
    if (word === 'EHLO') return '250-sink\r\n250 8BITMIME';
    if (word === 'RCPT') to = line.split(/[<>]/)[1];
    if (word === 'DATA') message = [];
    return { DATA: '354 go on', QUIT: '221 bye' }[word] ?? '250 ok';
  };
  const take = (line) => {
    if (message === undefined) return socket.write(`${answer(line)}\r\n`);
    if (line !== '.') return message.push(line.replace(/^\./, ''));
    mails.push({ to, text: textOf(message.join('\n')) });
    message = undefined;
    return socket.write('250 taken\r\n');
  };
  socket.write('220 sink ESMTP\r\n');
  socket.setEncoding('utf8').on('data', (chunk) => {
    const lines = (pending + chunk).split('\r\n');
    pending = lines.pop();
    lines.forEach(take);
  });
}

function textOf(message) {
  const end = message.indexOf('\n\n');
  const [head, body] = [message.slice(0, end), message.slice(end + 2)];
  const encoding = /^content-transfer-encoding: (\S+)/im.exec(head)?.[1].toLowerCase();
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString('utf8').replaceAll('\r\n', '\n');
  if (encoding !== 'quoted-printable') return body;
  const bytes = body.replaceAll('=\n', '').replace(/=([0-9A-F]{2})/g, (_, code) => String.fromCharCode(parseInt(code, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
