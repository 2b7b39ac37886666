'use strict';
// What programs inside a sandbox begin with that carry requests to the host: an HTTP/2 session over this program's stdin and
// stdout, with the host as its server. Plain JavaScript without dependencies, for any node from 18 on. Nothing but HTTP/2 is
// ever written to stdout.
const { createHash } = require('node:crypto');
const http2 = require('node:http2');
const net = require('node:net');
const { Duplex } = require('node:stream');

/** Headers that mean something to one connection only (RFC 9110, 7.6.1), and what HTTP/2 states by itself. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'host',
  'expect',
  'http2-settings',
]);

const session = http2.connect('http://host', {
  // Sockets of their own: process.stdout would block the whole program while the host is slow to read.
  createConnection: () =>
    Duplex.from({
      readable: new net.Socket({ fd: 0, readable: true, writable: false }),
      writable: new net.Socket({ fd: 1, readable: false, writable: true }),
    }),
  maxSessionMemory: 128,
});
session.on('error', () => process.exit(1));
session.on('close', () => process.exit(0));

/**
 * Listens on the loopback, tells the host the port, and only then is the tunnel ready. The port is the same each time that
 * this is tried again, as long as nothing else has it: programs print it.
 */
// biome-ignore lint/correctness/noUnusedVariables: for the program that follows
function listen(server, name) {
  // An idle connection that is closed just as the client uses it again looks to the client like a broken host.
  server.keepAliveTimeout = 0;
  server.once('error', () => server.listen(0, '127.0.0.1'));
  server.listen(usualPort(name), '127.0.0.1');
  server.once('listening', () => {
    const { port } = server.address();
    const ready = { ':method': 'POST', ':path': '/tunnel/ready', 'x-tunnel-port': String(port) };
    session.request(ready, { endStream: true }).resume();
  });
}

/** Below those that the system hands out; where sandboxes share the loopback, each has its own. */
function usualPort(name) {
  const hash = createHash('sha256')
    .update(`${name} ${process.env.CLADE_SANDBOX ?? ''}`)
    .digest();
  return 20_000 + (hash.readUInt32BE() % 10_000);
}

// biome-ignore lint/correctness/noUnusedVariables: for the program that follows
function endToEnd(headers, kept = {}) {
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(':') && !HOP_BY_HOP.has(name)) kept[name] = value;
  }
  return kept;
}
