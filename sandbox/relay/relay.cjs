'use strict';
// The sandbox's way to a model, run after tunnel.cjs. Serves HTTP/1.1 on the sandbox's loopback and carries each request as one
// HTTP/2 stream to the host.
/* global session, listen, endToEnd */
const http = require('node:http');
const { NGHTTP2_CANCEL } = require('node:http2').constants;

listen(http.createServer({ keepAlive: true, requestTimeout: 0 }, carry), 'relay');

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
  response.on('close', () => stream.destroyed || stream.close(NGHTTP2_CANCEL));
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
