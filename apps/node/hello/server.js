// SPDX-License-Identifier: BSD-2-Clause
// A small JSON service on Node's own http module. Environment: PORT (8080). Stops cleanly on SIGTERM and SIGINT.
'use strict';

const http = require('node:http');
const os = require('node:os');

const port = Number(process.env.PORT ?? 8080);
const MAX_BODY = 64 * 1024;
const greetings = new Map();
let requests = 0;

function answer(res, status, body) {
  const text = JSON.stringify(body);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  res.end(text);
}

async function readJson(req) {
  const parts = [];
  let size = 0;
  for await (const part of req) {
    size += part.length;
    if (size > MAX_BODY) throw Object.assign(new Error(`the body is larger than ${MAX_BODY} bytes`), { status: 413 });
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch (e) {
    throw Object.assign(new Error(e.message), { status: 400 });
  }
}

const routes = {
  'GET /': () => [200, { message: 'hello' }],
  'GET /health': () => [200, { status: 'up' }],
  'GET /stats': () => [200, {
    requests,
    greetings: greetings.size,
    uptime_seconds: Math.floor(process.uptime()),
    memory: process.memoryUsage(),
    cpus: os.cpus().length,
    node: process.version,
  }],
  'GET /greetings': () => [200, { greetings: Object.fromEntries(greetings) }],
  'POST /greetings': async (req) => {
    const { name, text } = await readJson(req);
    if (typeof name !== 'string' || typeof text !== 'string') return [400, { error: 'name and text must be strings' }];
    greetings.set(name, text);
    return [201, { name, text }];
  },
};

const server = http.createServer(async (req, res) => {
  requests++;
  const route = routes[`${req.method} ${new URL(req.url, 'http://service').pathname}`];
  if (!route) return answer(res, 404, { error: `no such resource: ${req.method} ${req.url}` });
  try {
    answer(res, ...(await route(req)));
  } catch (e) {
    answer(res, e.status ?? 500, { error: e.message });
  }
});

server.listen(port, () => console.log(`hello: listening on port ${port}`));
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    server.close(() => console.log(`hello: stopped after ${requests} requests`));
    server.closeIdleConnections();
  });
}
