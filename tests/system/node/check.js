// SPDX-License-Identifier: BSD-2-Clause
// What a Node service touches: timers, files, an HTTP round trip, workers, child processes, os.
const { execFileSync, spawnSync } = require('child_process');
const { Worker, isMainThread, parentPort } = require('worker_threads');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const os = require('os');

if (!isMainThread) {
	parentPort.on('message', (n) => parentPort.postMessage(n * 2));
	return;
}

async function main() {
	fs.mkdirSync('/tmp/a/b', { recursive: true });
	fs.writeFileSync('/tmp/a/b/file', 'text');
	console.log('file', fs.readFileSync('/tmp/a/b/file', 'utf8'), fs.readdirSync('/tmp/a').join());
	await new Promise((done) => setTimeout(done, 20));
	console.log('hash', crypto.createHash('sha256').update('x').digest('hex').slice(0, 8));
	const server = http.createServer((req, res) => req.pipe(res));
	await new Promise((done) => server.listen(0, '127.0.0.1', done));
	const url = `http://127.0.0.1:${server.address().port}/`;
	for (let i = 0; i < 20; i++) {
		const answer = await (await fetch(url, { method: 'POST', body: 'n' + i })).text();
		if (answer !== 'n' + i)
			throw new Error('answer ' + answer);
	}
	server.close();
	server.closeAllConnections();
	console.log('http done');
	const worker = new Worker(__filename);
	const twice = await new Promise((done) => { worker.on('message', done); worker.postMessage(21); });
	await worker.terminate();
	console.log('worker', twice);
	console.log('child', execFileSync('/usr/bin/busybox', ['echo', 'out']).toString().trim(), spawnSync('/usr/bin/busybox', ['false']).status);
	console.log('os', os.platform(), os.cpus().length > 0, os.totalmem() > 50e6, process.memoryUsage().rss > 1e6);
	process.exitCode = 9;
}

main();
