// SPDX-License-Identifier: BSD-2-Clause
// The Node side of the control protocol (runtime-glue/proto/README.md), loaded with --require before the application. The socket
// is unref()ed: it never keeps the process alive. Without CORTADO_GLUE it does nothing: that variable is taken out of the
// environment, since --require is passed on to workers and forked children, and only the first process is the agent's.
'use strict';

const path = process.env.CORTADO_GLUE;
delete process.env.CORTADO_GLUE;
if (path && require('node:worker_threads').isMainThread) start();

function start() {
  const net = require('node:net');
  const v8 = require('node:v8');
  const LINE_LIMIT = 1 << 20;
  const UNKNOWN_METHOD = -32601;
  const FAILED = -32603;

  const methods = {
    memory() {
      const h = v8.getHeapStatistics();
      const m = process.memoryUsage();
      return {
        heap: { init_bytes: 0, used_bytes: h.used_heap_size, committed_bytes: h.total_heap_size, max_bytes: h.heap_size_limit },
        non_heap: { init_bytes: 0, used_bytes: m.external, committed_bytes: m.external, max_bytes: -1 },
        pools: v8.getHeapSpaceStatistics().map((s) => ({
          name: s.space_name, type: 'heap', used_bytes: s.space_used_size, committed_bytes: s.space_size, max_bytes: -1,
        })),
        buffers: [{ name: 'array_buffers', count: -1, used_bytes: m.arrayBuffers, capacity_bytes: m.arrayBuffers }],
      };
    },
    'gc.run'() {
      const before = v8.getHeapStatistics().used_heap_size;
      v8.setFlagsFromString('--expose-gc');
      require('node:vm').runInNewContext('gc')();
      const after = v8.getHeapStatistics();
      return { before_bytes: before, after_bytes: after.used_heap_size, committed_bytes: after.total_heap_size };
    },
    info() {
      return {
        name: 'Node.js', vendor: '', version: process.versions.node, vm: 'V8', vm_version: process.versions.v8,
        uptime_seconds: process.uptime(), start_time: new Date(Date.now() - process.uptime() * 1000).toISOString(),
        options: process.execArgv, processors: require('node:os').cpus().length, collector: 'v8',
      };
    },
  };

  function answer(line) {
    let id = null;
    try {
      const request = JSON.parse(line);
      id = request.id ?? null;
      if (!Object.hasOwn(methods, request.method)) {
        return { jsonrpc: '2.0', id, error: { code: UNKNOWN_METHOD, message: String(request.method) } };
      }
      return { jsonrpc: '2.0', id, result: methods[request.method](request.params ?? {}) };
    } catch (e) {
      return { jsonrpc: '2.0', id, error: { code: FAILED, message: e.message } };
    }
  }

  const socket = net.connect(path);
  let pending = '';
  socket.setEncoding('utf8');
  socket.unref();
  socket.on('error', () => socket.destroy()); // an agent that is gone is no reason to end
  socket.on('connect', () => {
    const params = { runtime: 'node', version: process.versions.node, pid: process.pid, protocol: 1 };
    socket.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'hello', params })}\n`);
  });
  socket.on('data', (chunk) => {
    pending += chunk;
    if (pending.length > LINE_LIMIT) return socket.destroy();
    const lines = pending.split('\n');
    pending = lines.pop();
    for (const line of lines) socket.write(`${JSON.stringify(answer(line))}\n`);
  });
}
