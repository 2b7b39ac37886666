'use strict';
// The sandbox's way out, run after tunnel.cjs: an HTTP proxy on the sandbox's loopback. Each connection is one CONNECT stream to
// the host, which decides whether there is one.
/* global session, listen, endToEnd */
const http = require('node:http');
const { NGHTTP2_CANCEL } = require('node:http2').constants;

const server = http.createServer({ keepAlive: true, requestTimeout: 0 }, fetchPlain);
server.on('connect', connect);
listen(server, 'egress');

/** `CONNECT host:port`, as clients ask for TLS. */
function connect(request, socket, head) {
  socket.on('error', () => {});
  dial(
    request.url,
    (stream) => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      if (head.length > 0) stream.write(head);
      stream.pipe(socket);
      socket.pipe(stream);
      socket.on('close', () => stream.destroyed || stream.close(NGHTTP2_CANCEL));
      stream.on('close', () => socket.destroy());
    },
    (status, why) => {
      const head = [`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`, 'content-type: text/plain', 'connection: close'];
      socket.end(`${head.join('\r\n')}\r\ncontent-length: ${Buffer.byteLength(why)}\r\n\r\n${why}`);
    },
  );
}

/** `GET http://host/path`, as clients ask for plain HTTP. */
function fetchPlain(request, response) {
  request.on('error', () => {});
  response.on('error', () => {});
  const refuse = (status, why) => {
    request.resume();
    if (response.headersSent) return response.destroy();
    response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' });
    response.end(why);
  };
  const [, authority, rest] = /^http:\/\/([^/?#]+)([^#]*)/i.exec(request.url) ?? [];
  if (authority === undefined) return refuse(400, 'This is a proxy: it takes CONNECT, and http:// with a host.\n');
  const path = rest.startsWith('/') ? rest : `/${rest}`;
  const headers = { ...endToEnd(request.headers), host: authority, connection: 'close' };
  dial(
    /:\d+$/.test(authority) ? authority : `${authority}:80`,
    (stream) => {
      const asked = http.request({ createConnection: () => stream, method: request.method, path, headers });
      asked.on('response', (answer) => {
        response.writeHead(
          answer.statusCode,
          endToEnd(answer.headers, request.complete ? {} : { connection: 'close' }),
        );
        answer.on('error', () => response.destroy());
        answer.pipe(response);
      });
      asked.on('error', (error) => refuse(502, `${error.message}\n`));
      response.on('close', () => stream.destroyed || stream.close(NGHTTP2_CANCEL));
      request.pipe(asked);
    },
    refuse,
  );
}

/** Asks the host for a connection: `connected` with the stream that is one, or `refused` with a status and why. */
function dial(authority, connected, refused) {
  let stream;
  try {
    stream = session.request({ ':method': 'CONNECT', ':authority': authority });
  } catch (error) {
    return refused(502, `${error.message}\n`);
  }
  let isSettled = false;
  const settle = (how, ...what) => {
    if (isSettled) return;
    isSettled = true;
    how(...what);
  };
  stream.on('error', (error) => settle(refused, 502, `${error.message}\n`));
  stream.on('close', () => settle(refused, 502, `The way out closed with code ${stream.rstCode}.\n`));
  stream.on('response', (headers) => {
    const status = headers[':status'];
    if (status === 200) return settle(connected, stream);
    let why = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk) => {
      why += chunk;
    });
    stream.on('end', () => settle(refused, status, why));
  });
}
