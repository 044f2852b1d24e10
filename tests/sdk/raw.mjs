// What no client library sends or shows, over plain HTTP.

import http from 'node:http';
import net from 'node:net';
import { assert, base, check, config, equal, fault, last, reset, stats }
    from './lib.mjs';

const { port } = new URL(base);

async function post(path, body, headers = {}) {
	const r = await fetch(base + path, { method: 'POST', headers,
	    body: typeof body === 'string' ? body : JSON.stringify(body) });
	const text = await r.text();
	let json;
	try { json = JSON.parse(text); } catch { /* not JSON */ }
	return { status: r.status, headers: r.headers, text, json };
}
const goog = { 'x-goog-api-key': 'gk' };
const gem = (body, headers = goog, method = 'generateContent',
    model = 'gemini-3.8-flash', version = 'v1beta') =>
    post(`/${version}/models/${model}:${method}`, body, headers);
const pine = { 'Api-Key': 'pk' };
const say = (text) => ({ contents: [{ parts: [{ text }] }] });

async function gemini() {
	await check('raw: the key as a parameter', async () => {
		equal((await post('/v1alpha/models/gemini-3.8-flash:' +
		    'generateContent?key=gk', say('x'))).status, 200);
		equal((await gem(say('x'), {})).status, 403);
	});
	await check('raw: snake_case, single quotes, trailing commas', async () => {
		const r = await gem(`{'system_instruction': {'parts':
		    [{'text': 'S'}]}, "contents": [{"parts":
		    [{"text": "EMU:echo"},]}], "generation_config":
		    {"max_output_tokens": 500,},}`);
		equal(r.status, 200, r.text);
		assert(r.text.includes('<<system>>\\nS'), r.text);
	});
	await check('raw: an unknown name is refused, unless not', async () => {
		const r = await gem({ ...say('x'), nonsense: 1 });
		equal([r.status, r.json.error.message], [400, 'Invalid JSON ' +
		    'payload received. Unknown name "nonsense": Cannot find ' +
		    'field.']);
		await config({ gemini_unknown_fields: false });
		equal((await gem({ ...say('x'), nonsense: 1 })).status, 200);
		await config({ gemini_unknown_fields: true });
	});
	await check('raw: empty contents', async () => {
		const r = await gem({ contents: [] });
		equal([r.status, r.json.error.status],
		    [400, 'INVALID_ARGUMENT']);
		assert(r.json.error.message.includes('contents is not specified'));
	});
	await check('raw: a bad key has both details', async () => {
		const { error } = (await gem(say('x'),
		    { 'x-goog-api-key': 'no' })).json;
		equal([error.code, error.details[0].reason,
		    error.details[1]['@type'].split('.').at(-1)],
		    [400, 'API_KEY_INVALID', 'LocalizedMessage']);
	});
	await check('raw: RetryInfo with the delay asked for', async () => {
		await fault({ match: 'gemini.generate', kind: 'retryinfo429',
		    retry_delay: '38.8s' });
		const { error } = (await gem(say('x'))).json;
		equal(error.details.at(-1), { '@type':
		    'type.googleapis.com/google.rpc.RetryInfo',
		    retryDelay: '38.8s' });
	});
	await check('raw: events end with CRLF, without [DONE]', async () => {
		const r = await post('/v1/models/gemini-3.8-flash:' +
		    'streamGenerateContent?alt=sse', say('EMU:len=20'), goog);
		equal(r.headers.get('content-type'), 'text/event-stream');
		const events = r.text.split('\r\n\r\n');
		equal(events.pop(), '');
		assert(events.length > 2);
		for (const e of events) JSON.parse(e.slice('data: '.length));
	});
	await check('raw: without alt=sse it is one array', async () => {
		const r = await gem(say('EMU:len=20'), goog,
		    'streamGenerateContent');
		assert(Array.isArray(r.json) && r.json.length > 2, r.text);
	});
	await check('raw: a batch with another model in it', async () => {
		const content = { parts: [{ text: 'x' }] };
		const r = await gem({ requests: [{ model:
		    'models/gemini-embedding-2', content }] }, goog,
		    'batchEmbedContents', 'gemini-embedding-001');
		equal(r.status, 400);
	});
	await check('raw: embedContent, and a task by number', async () => {
		const content = { parts: [{ text: 'x' }] };
		const of = async (taskType) => (await gem({ content, taskType,
		    outputDimensionality: 128 }, goog, 'embedContent',
		    'gemini-embedding-001')).json.embedding.values;
		equal(await of(1), await of('RETRIEVAL_QUERY'));
	});
	await check('raw: countTokens of a whole request', async () => {
		const request = { model: 'models/gemini-3.8-flash', ...say('abc'),
		    systemInstruction: { parts: [{ text: 'long system text' }] } };
		const part = await gem(say('abc'), goog, 'countTokens');
		const whole = await gem({ generateContentRequest: request }, goog,
		    'countTokens');
		assert(whole.json.totalTokens > part.json.totalTokens);
		equal((await gem({ ...say('x'), generateContentRequest: request },
		    goog, 'countTokens')).status, 400);
	});
	await check('raw: continuations, hop by hop', async () => {
		const body = say('EMU:len=30 EMU:hops=1');
		const one = (await gem(body, goog, 'generateContent',
		    'gemini-4-argon')).json;
		const [c] = one.candidates;
		equal(c.finishReason, 'CONTINUATION');
		const two = (await gem({ ...body, continuationToken:
		    c.continuationToken }, goog, 'generateContent',
		    'gemini-4-argon')).json;
		equal(two.candidates[0].finishReason, 'STOP');
		assert(two.usageMetadata.promptTokenCount >
		    one.usageMetadata.promptTokenCount);
		equal((await gem({ ...body, continuationToken: 'bm8=' }, goog,
		    'generateContent', 'gemini-4-argon')).status, 400);
	});
}

async function pinecone() {
	await check('raw: an unknown API version', async () => {
		const get = async (v) => (await fetch(`${base}/indexes`,
		    { headers: { ...pine, 'X-Pinecone-Api-Version': v } })).status;
		equal([await get('2031-01'), await get('2025-10')], [400, 200]);
	});
	await check('raw: 401 is plain text', async () => {
		const r = await post('/query', {}, { 'Api-Key': 'no' });
		equal([r.status, r.json], [401, undefined]);
		assert(r.headers.get('content-type').startsWith('text/plain'));
	});
	await check('raw: two envelopes', async () => {
		const v = await post('/query', { topK: 0 }, pine);
		equal([v.json.code, v.json.details], [3, []]);
		const c = await fetch(`${base}/indexes/none`, { headers: pine });
		equal((await c.json()).error.code, 'NOT_FOUND');
	});
	await check('raw: LSN headers, both pairs, per namespace', async () => {
		await config({ visibility_delay_ms: 200 });
		const w = await post('/vectors/upsert', { namespace: 'lsn',
		    vectors: [{ id: '1', values: [1, 0, 0, 0] },
		    { id: '2', values: [1, 0, 0, 0] }] }, pine);
		equal(w.json, { upsertedCount: 2 });
		equal([w.headers.get('x-pinecone-request-lsn'),
		    w.headers.get('x-pinecone-lsn-committed')], ['2', '2']);
		const q = () => post('/query', { namespace: 'lsn', topK: 5,
		    vector: [1, 0, 0, 0] }, pine);
		const early = await q();
		equal([early.headers.get('x-pinecone-max-indexed-lsn'),
		    early.json.matches.length], ['0', 0]);
		await new Promise((r) => setTimeout(r, 250));
		const late = await q();
		equal([late.headers.get('x-pinecone-lsn-reconciled'),
		    late.json.matches.length], ['2', 2]);
		await config({ visibility_delay_ms: 0 });
	});
	await check('raw: half of an upsert, and the truth about it', async () => {
		await fault({ match: 'pinecone.upsert', kind: 'partial_upsert',
		    count: 1 });
		const vectors = ['a', 'b', 'c', 'd'].map((id) =>
		    ({ id, values: [1, 0, 0, 0] }));
		const r = await post('/vectors/upsert', { namespace: 'half',
		    vectors }, pine);
		equal(r.json, { upsertedCount: 2 });
		const s = await post('/describe_index_stats', {}, pine);
		equal(s.json.namespaces.half, { vectorCount: 2 });
	});
	await check('raw: matches of another namespace', async () => {
		await post('/vectors/upsert', { namespace: 'secret', vectors: [
		    { id: 'theirs', values: [1, 0, 0, 0] }] }, pine);
		await fault({ match: 'pinecone.query', kind: 'foreign' });
		const r = await post('/query', { namespace: 'half', topK: 9,
		    vector: [1, 0, 0, 0] }, pine);
		const ids = r.json.matches.map((m) => m.id);
		assert(ids.includes('theirs') && !ids.includes('a'), `${ids}`);
		equal(r.json.namespace, 'half');
	});
	await check('raw: other indexes have a path of their own', async () => {
		const r = await (await fetch(`${base}/indexes/sdk-dot`,
		    { headers: pine })).json();
		equal(r.host, `${base}/_ix/sdk-dot`);
		equal((await (await fetch(`${r.host}/describe_index_stats`,
		    { method: 'POST', headers: pine })).json()).metric,
		    'dotproduct');
	});
}

// One request on a socket of our own; what came back until it closed.
function wire(text, onData) {
	return new Promise((done) => {
		const s = net.connect(Number(port), '127.0.0.1');
		const got = { text: '', error: null };
		s.on('connect', () => s.write(text));
		s.on('data', (d) => {
			got.text += d.toString('latin1');
			onData?.(s, got);
		});
		s.on('error', (e) => { got.error = e.code; });
		s.on('close', () => done(got));
		s.setTimeout(3000, () => s.destroy());
	});
}
const raw = (body, extra = '') => 'POST /v1/models/gemini-3.8-flash:' +
    'generateContent?key=gk HTTP/1.1\r\nHost: x\r\nConnection: close\r\n' +
    `${extra}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const hello = JSON.stringify(say('EMU:text=hello'));

async function faults() {
	const bodyOf = (t) => t.slice(t.indexOf('\r\n\r\n') + 4);
	const whole = bodyOf((await wire(raw(hello))).text);
	const on = (kind, more = '') => wire(raw(hello,
	    `X-Emu-Fault: ${kind}${more}\r\n`));

	await check('raw: cut at every byte of an answer', async () => {
		for (let at = 0; at < whole.length; at += 7) {
			const r = await on('truncate', `; at=${at}`);
			assert(r.text.includes(`Content-Length: ${whole.length}`),
			    r.text);
			equal(bodyOf(r.text).length, at, `cut at ${at}`);
		}
	});
	await check('raw: an RST, not a FIN', async () => {
		equal((await on('reset')).error, 'ECONNRESET');
		equal(await on('close'), { text: '', error: null });
	});
	await check('raw: an RST in the body', async () => {
		// Node 20 tells of the RST at times, the missing bytes always.
		const r = await on('reset_midbody', '; at=10');
		equal(bodyOf(r.text).length, 10);
		assert(r.error === null || r.error === 'ECONNRESET', r.error);
	});
	await check('raw: bytes that are not HTTP', async () => {
		assert((await on('bad_http')).text.startsWith('SSH-2.0'));
	});
	await check('raw: rubbish, empty, wrong types, redirect, deep', async () => {
		for (const kind of ['garbage', 'empty', 'wrong_type',
		    'empty_object', 'wrong_ctype', 'html']) {
			const r = await on(kind);
			assert(/^HTTP\/1.1 (200|502)/.test(r.text), r.text);
		}
		assert((await on('redirect')).text.startsWith('HTTP/1.1 307'));
		const deep = bodyOf((await on('deep', '; size=50')).text);
		equal(deep, '['.repeat(50) + ']'.repeat(50));
	});
	await check('raw: a big answer is valid JSON of that size', async () => {
		const t = bodyOf((await on('big', '; size=300000')).text);
		equal(JSON.parse(t).filler.length, 300000);
	});
	await check('raw: a broken byte in the text', async () => {
		assert(bodyOf((await on('bad_utf8')).text).includes('\xff'));
	});
	await check('raw: Retry-After as asked', async () => {
		assert(/\r\nRetry-After: 7\r\n/.test((await on('status',
		    '; status=503; retry_after=7')).text));
	});
	await check('raw: a delay delays, and costs no thread', async () => {
		const from = Date.now();
		await Promise.all(Array.from({ length: 200 }, () => wire(
		    raw(hello, 'X-Emu-Delay-Ms: 300\r\n'))));
		const ms = Date.now() - from;
		assert(ms >= 290 && ms < 1500, `${ms} ms for 200 at once`);
	});
	await check('raw: a client that leaves during the delay', async () => {
		const before = (await stats()).disconnects.count;
		const gone = wire(raw(hello, 'X-Emu-Delay-Ms: 5000\r\n'));
		const s = net.connect(Number(port), '127.0.0.1', () => {
			s.write(raw(hello, 'X-Emu-Fault: hang\r\n'));
			setTimeout(() => s.resetAndDestroy(), 100);
		});
		await new Promise((r) => setTimeout(r, 250));
		const now = await stats();
		equal(now.disconnects.count, before + 1);
		const d = now.disconnects.recent.at(-1);
		equal([d.op, d.phase], ['gemini.generate', 'hang']);
		assert(now.now_ms - d.t_ms < 200, 'its time');
		assert(d.after_ms >= 80 && d.after_ms < 200, `${d.after_ms}`);
		assert(now.in_flight >= 1, 'the other still waits');
		await gone;	// leaves by its own timeout of 3 s
	});
	await check('raw: skip, count and every', async () => {
		const pattern = async (n) => {
			const s = [];
			for (let i = 0; i < n; i++)
				s.push((await gem(say('x'))).status);
			return s;
		};
		await fault({ match: 'gemini.generate', kind: 'status',
		    status: 500, skip: 1, count: 2 });
		equal(await pattern(5), [200, 500, 500, 200, 200]);
		await fetch(`${base}/_emu/faults`, { method: 'DELETE' });
		await fault({ match: 'gemini.*', kind: 'status', status: 503,
		    every: 2 });
		equal(await pattern(4), [200, 503, 200, 503]);
	});
	await check('raw: a rule for one text only', async () => {
		await fault({ match: '*', contains: 'poison', kind: 'status',
		    status: 500 });
		equal([(await gem(say('food'))).status,
		    (await gem(say('poison'))).status], [200, 500]);
	});
	await check('raw: delays of rules add to a fault', async () => {
		await fault([{ match: 'gemini.*', delay_ms: 100 },
		    { match: 'gemini.*', kind: 'status', status: 500 },
		    { match: '*', delay_ms: 100 }]);
		const from = Date.now();
		equal((await gem(say('x'))).status, 500);
		assert(Date.now() - from >= 195, `${Date.now() - from} ms`);
	});
	await check('raw: bad rules are refused', async () => {
		for (const bad of ['{"kind":"nonsense"}', '{"what":1}', '[1]', '{'])
			equal((await post('/_emu/faults', bad)).status, 400, bad);
	});
}

async function control() {
	await check('raw: the log has the bytes that came', async () => {
		const body = JSON.stringify({ ...say('ümläut "q"') });
		await post('/v1/models/gemini-3.8-flash:generateContent?key=gk',
		    body, { 'X-Mine': 'yes' });
		const e = await last('gemini.generate');
		equal([e.method, e.body, e.header['x-mine'], e.body_bytes],
		    ['POST', body, 'yes', Buffer.byteLength(body)]);
		assert(e.target.endsWith('?key=gk'));
	});
	await check('raw: a timed stream tells when it was sent', async () => {
		const r = await post('/v1/models/gemini-3.8-flash:' +
		    'streamGenerateContent?alt=sse', say('EMU:ts=5 EMU:slow=20'),
		    goog);
		const t = [...r.text.matchAll(/TS=(\d{20});/g)]
		    .map((m) => BigInt(m[1]));
		equal(t.length, 5);
		for (let i = 1; i < 5; i++)
			assert(t[i] - t[i - 1] >= 19_000_000n, `${t}`);
	});
	await check('raw: connections are counted', async () => {
		await reset();
		const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
		const one = () => new Promise((ok, no) => {
			http.request(`${base}/v1/models?key=gk`, { agent }, (r) => {
				r.resume();
				r.on('end', ok);
			}).on('error', no).end();
		});
		const before = (await stats()).connections.opened;
		for (let i = 0; i < 5; i++) await one();
		const s = await stats();
		equal(s.ops['gemini.models'].requests, 5);
		assert(s.connections.opened - before <= 2,
		    `${s.connections.opened - before} connections`);
		agent.destroy();
	});
	await check('raw: reset forgets everything', async () => {
		await post('/vectors/upsert', { vectors: [{ id: '1',
		    values: [1, 0, 0, 0] }] }, pine);
		await fault({ match: '*', kind: 'html' });
		await reset();
		const s = await post('/describe_index_stats', {}, pine);
		equal([s.status, s.json.totalVectorCount], [200, 0]);
		equal(await (await fetch(`${base}/_emu/log?op=gemini.*`)).json(),
		    []);
	});
}

export async function rawHttp() {
	for (const part of [gemini, pinecone, faults, control]) await part();
}
