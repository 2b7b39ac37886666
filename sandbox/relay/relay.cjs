'use strict';
// The sandbox's way to a model. Serves HTTP/1.1 on the sandbox's loopback and carries each request as one HTTP/2 stream
// over this program's stdin and stdout to the host, which is the HTTP/2 server. Plain JavaScript without dependencies,
// for any node from 18 on. Nothing but HTTP/2 is ever written to stdout.
const http = require('node:http');
const http2 = require('node:http2');
const net = require('node:net');
const { Duplex } = require('node:stream');

/** Headers that mean something to one connection only (RFC 9110, 7.6.1), and what HTTP/2 states by itself. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'host',
  'expect',
  'http2-settings',
]);

const session = http2.connect('http://relay', {
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

const server = http.createServer({ keepAlive: true, requestTimeout: 0 }, carry);
// An idle connection that is closed just as the client uses it again looks to the client like a broken model.
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1', announce);

/** Tells the host the port, and only then is the relay ready. */
function announce() {
  const { port } = server.address();
  session
    .request({ ':method': 'POST', ':path': '/relay/ready', 'x-relay-port': String(port) }, { endStream: true })
    .resume();
}

function carry(request, response) {
  request.on('error', () => {});
  response.on('error', () => {});
  let stream;
  try {
    stream = session.request({ ...endToEnd(request.headers), ':method': request.method, ':path': request.url });
  } catch (error) {
    return fail(request, response, error);
  }
  stream.on('error', (error) => fail(request, response, error));
  stream.on('response', (headers) => answer(request, response, stream, headers));
  stream.on(
    'close',
    () => response.writableEnded || fail(request, response, new Error(`closed with code ${stream.rstCode}`)),
  );
  response.on('close', () => stream.destroyed || stream.close(http2.constants.NGHTTP2_CANCEL));
  request.pipe(stream);
}

function answer(request, response, stream, headers) {
  const status = headers[':status'];
  response.writeHead(status, endToEnd(headers, request.complete ? {} : { connection: 'close' }));
  response.flushHeaders();
  stream.pipe(response);
}

/** Before the headers a proper error; after them the connection breaks, so that a cut reply cannot look complete. */
function fail(request, response, error) {
  request.unpipe();
  request.resume();
  if (response.writableEnded || response.destroyed) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const message = `The way from the sandbox to the model gateway broke: ${error.message}`;
  response.writeHead(502, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: { message, type: 'server_error', param: null, code: 'relay_failed' } }));
}

function endToEnd(headers, kept = {}) {
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(':') && !HOP_BY_HOP.has(name)) kept[name] = value;
  }
  return kept;
}
