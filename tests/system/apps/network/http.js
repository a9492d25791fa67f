// SPDX-License-Identifier: BSD-2-Clause
// Answers on port 8080, and plays the client where a test asks for it. Failures are 502 with the error's code.
'use strict';
const dns = require('dns');
const http = require('http');

const parts = {
  '/': async () => 'hello from node\n',
  '/fetch': async (url) => { const r = await fetch(url); return r.status + ' ' + await r.text(); },
  '/lookup': async (name) => (await dns.promises.lookup(name, { all: true })).map((a) => a.address).sort().join('\n'),
  '/resolve': async (name) => (await dns.promises.resolve4(name)).sort().join('\n'),
};

http.createServer(async (request, response) => {
  const url = new URL(request.url, 'http://localhost');
  try {
    response.end(await parts[url.pathname](decodeURIComponent(url.search.slice(1))));
  } catch (e) {
    response.statusCode = 502;
    response.end((e.cause || e).code || String(e));
  }
}).listen(8080, () => console.log('listening', process.argv.slice(2).join(' ')));
