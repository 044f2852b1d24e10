// @google/genai against the Gemini emulator.

import { GoogleGenAI } from '@google/genai';
import { assert, base, check, collect, config, cosine, equal, fault,
    generation, last, length, rejects, stats } from './lib.mjs';

const model = 'gemini-3.8-flash';
const client = (options = {}, apiKey = 'gk') =>
    new GoogleGenAI({ apiKey, httpOptions: { baseUrl: base, ...options } });
const ai = client();
const ask = (contents, config, m = model) =>
    ai.models.generateContent({ model: m, contents, config });
const stream = (contents, config) =>
    ai.models.generateContentStream({ model, contents, config });

const sources = '[1] The cat sleeps in the attic.\n\n' +
    '[2] The warranty of the lawn mower lasts seven years.\n';

const weather = { functionDeclarations: [{ name: 'get_weather',
    description: 'Weather of a city', parameters: { type: 'OBJECT',
    properties: { city: { type: 'STRING' }, days: { type: 'INTEGER' } } } }] };

async function answers() {
	await check('gemini: an answer quotes and cites its source', async () => {
		const r = await ask(`${sources}\nHow long is the warranty?`);
		equal(r.text,
		    'The warranty of the lawn mower lasts seven years. [2]');
		equal(r.candidates[0].finishReason, 'STOP');
		equal(r.modelVersion, model);
		assert(r.responseId);
	});
	await check('gemini: nothing fits, and it says so', async () => {
		equal((await ask(`${sources}\nWho won the chess final?`)).text,
		    "I don't know.");
	});
	await check('gemini: usage adds up', async () => {
		const u = (await ask('EMU:len=50 EMU:think=7')).usageMetadata;
		equal(u.thoughtsTokenCount, 7);
		equal(u.totalTokenCount, u.promptTokenCount +
		    u.candidatesTokenCount + u.thoughtsTokenCount);
		equal(u.promptTokensDetails[0].tokenCount, u.promptTokenCount);
	});
	await check('gemini: system text and history arrive', async () => {
		const r = await ask([
			{ role: 'user', parts: [{ text: 'first' }] },
			{ role: 'model', parts: [{ text: 'second' }] },
			{ role: 'user', parts: [{ text: 'EMU:echo' }] },
		], { systemInstruction: 'be brief' });
		equal(r.text, '<<system>>\nbe brief\n<<user>>\nfirst\n' +
		    '<<model>>\nsecond\n<<user>>\nEMU:echo\n');
	});
	await check('gemini: a chat keeps its turns', async () => {
		const chat = ai.chats.create({ model });
		await chat.sendMessage({ message: 'EMU:text=one' });
		const r = await chat.sendMessage({ message: 'EMU:echo' });
		assert(r.text.includes('<<model>>\none'), r.text);
	});
	await check('gemini: thoughts are shown on request', async () => {
		const r = await ask('EMU:text=x', { thinkingConfig:
		    { includeThoughts: true, thinkingLevel: 'LOW' } });
		assert(r.candidates[0].content.parts[0].thought === true);
		equal(r.text, 'x');
	});
	await check('gemini: JSON by schema', async () => {
		const r = await ask('anything', { responseMimeType:
		    'application/json', responseSchema: { type: 'OBJECT',
		    properties: { n: { type: 'INTEGER' },
		    s: { type: 'STRING' } } } });
		const o = JSON.parse(r.text);
		equal([typeof o.n, typeof o.s], ['number', 'string']);
	});
	await check('gemini: a retired model answers as its successor', async () => {
		equal((await ask('EMU:text=x', {}, 'gemini-2.5-flash'))
		    .modelVersion, 'gemini-3.5-flash-lite');
	});
	await check('gemini: the version segment is the generation\'s', async () => {
		await ask('EMU:text=x');
		const e = await last('gemini.generate');
		assert(e.target.startsWith(generation === 20 ? '/v1beta/' :
		    '/v1/'), e.target);
		equal(e.header['x-goog-api-key'], 'gk');
	});
}

async function emptyShapes() {
	await check('gemini: blocked prompt', async () => {
		const r = await ask('EMU:block');
		equal(r.text, undefined);
		equal(r.candidates, undefined);
		equal(r.promptFeedback.blockReason, 'SAFETY');
	});
	await check('gemini: blocked candidate', async () => {
		const r = await ask('EMU:safety');
		equal(r.text, undefined);
		equal(r.candidates[0].finishReason, 'SAFETY');
		equal(r.candidates[0].content, undefined);
		assert(r.candidates[0].safetyRatings.some((x) => x.blocked));
	});
	await check('gemini: any other finish reason', async () => {
		equal((await ask('EMU:finish=RECITATION'))
		    .candidates[0].finishReason, 'RECITATION');
	});
	await check('gemini: thinking ate the budget', async () => {
		const r = await ask('EMU:len=50',
		    { maxOutputTokens: 10 });
		equal(r.text, undefined);
		equal(r.candidates[0].finishReason, 'MAX_TOKENS');
		equal(r.candidates[0].content.parts, undefined);
		equal(r.usageMetadata.thoughtsTokenCount, 10);
	});
	await check('gemini: a cut answer says MAX_TOKENS', async () => {
		const r = await ask('EMU:len=500 EMU:think=5',
		    { maxOutputTokens: 20 });
		equal(r.candidates[0].finishReason, 'MAX_TOKENS');
		equal(r.text.length, 60);
	});
	await check('gemini: a candidate without text', async () => {
		equal((await ask('EMU:empty')).text, undefined);
	});
}

async function streams() {
	await check('gemini: a stream is the answer in pieces', async () => {
		const chunks = await collect(await stream('EMU:len=40'));
		assert(chunks.length > 5, `${chunks.length} chunks`);
		equal(chunks.map((c) => c.text).join(''),
		    (await ask('EMU:len=40')).text);
		equal(chunks.filter((c) => c.candidates[0].finishReason)
		    .length, 1);
		equal(chunks.at(-1).candidates[0].finishReason, 'STOP');
		assert(chunks.every((c) => c.usageMetadata &&
		    c.responseId === chunks[0].responseId));
	});
	await check('gemini: a blocked prompt in a stream', async () => {
		const [c] = await collect(await stream('EMU:block'));
		equal(c.promptFeedback.blockReason, 'SAFETY');
	});
	await check('gemini: seven-byte writes split characters', async () => {
		await fault({ match: 'gemini.stream', kind: 'drip', step: 7,
		    chunk_delay_ms: 0 });
		const c = await collect(await stream('EMU:text=日本語のテキスト äöü'));
		equal(c.map((x) => x.text).join(''), '日本語のテキスト äöü');
	});
	for (const kind of ['error_midstream', 'error_midstream_bare'])
		await check(`gemini: ${kind} is an ApiError`, async () => {
			await fault({ match: 'gemini.stream', kind });
			await rejects(stream('EMU:len=40').then(collect),
			    'ApiError', { status: 503 });
		});
	await check('gemini: a stream cut short throws', async () => {
		await fault({ match: 'gemini.stream', kind: 'cut_midstream' });
		await rejects(stream('EMU:len=40').then(collect), 'TypeError',
		    {}, 'terminated');
	});
	await check('gemini: a last event without its blank line', async () => {
		await fault({ match: 'gemini.stream', kind: 'no_blank' });
		await rejects(stream('EMU:len=40').then(collect), 'Error', {},
		    'Incomplete JSON segment');
	});
	await check('gemini: an error before the first byte is JSON', async () => {
		await fault({ match: 'gemini.stream', kind: 'status',
		    status: 500 });
		await rejects(stream('x').then(collect), 'ApiError',
		    { status: 500 });
	});
	await check('gemini: leaving a stream is noticed', async () => {
		const before = (await stats()).disconnects.count;
		const abort = new AbortController();
		const s = await stream('EMU:len=400 EMU:slow=50',
		    { abortSignal: abort.signal });
		try {
			for await (const c of s) if (c) abort.abort();
		} catch { /* the abort */ }
		await new Promise((r) => setTimeout(r, 150));
		equal((await stats()).disconnects.count, before + 1);
	});
}

async function tools() {
	await check('gemini: a function call and its answer', async () => {
		const q = { role: 'user', parts: [{ text: 'EMU:toolcall' }] };
		const config = { tools: [weather] };
		const r = await ask([q], config);
		const [call] = r.functionCalls;
		equal([call.name, typeof call.args.city, typeof call.args.days],
		    ['get_weather', 'string', 'number']);
		assert(call.id && r.candidates[0].content.parts[0]
		    .thoughtSignature);
		equal(r.candidates[0].finishReason, 'STOP');
		const back = { role: 'user', parts: [{ functionResponse:
		    { id: call.id, name: call.name,
		    response: { output: 'sunny' } } }] };
		const end = await ask([q, r.candidates[0].content, back],
		    config);
		assert(end.text.includes('sunny'), end.text);
	});
	await check('gemini: parallel calls, one signature', async () => {
		const r = await ask('EMU:toolcall=2', { tools: [weather] });
		const p = r.candidates[0].content.parts;
		equal(p.map((x) => Boolean(x.thoughtSignature)), [true, false]);
	});
	await check('gemini: mode ANY calls without being asked', async () => {
		const r = await ask('hi', { tools: [weather], toolConfig:
		    { functionCallingConfig: { mode: 'ANY' } } });
		equal(r.functionCalls.length, 1);
	});
	const unsigned = [
		{ role: 'user', parts: [{ text: 'q' }] },
		{ role: 'model', parts: [{ functionCall:
		    { name: 'get_weather', args: {} } }] },
		{ role: 'user', parts: [{ functionResponse:
		    { name: 'get_weather', response: { output: 1 } } }] },
	];
	await check('gemini: a missing signature is refused', async () => {
		await rejects(ask(unsigned, { tools: [weather] }), 'ApiError',
		    { status: 400 }, 'thought_signature');
	});
	await check('gemini: and is not asked of older models', async () => {
		await config({ gemini_route_retired: false });
		await ask(unsigned, { tools: [weather] }, 'gemini-2.5-pro');
		await config({ gemini_route_retired: true });
	});
}

async function errors() {
	const rows = [
		['retryinfo429', 429, 'GenerateRequestsPerMinute'],
		['perday429', 429, 'GenerateRequestsPerDay'],
		['plain429', 429, 'Resource has been exhausted'],
		['html', 502, '502 Bad Gateway'],
	];
	for (const [kind, status, text] of rows)
		await check(`gemini: ${kind} is an ApiError`, async () => {
			await fault({ match: 'gemini.generate', kind });
			await rejects(ask('x'), 'ApiError', { status }, text);
			equal((await (await fetch(`${base}/_emu/faults`))
			    .json())[0].hits, 1, 'attempts');
		});
	for (const status of [400, 403, 404, 500, 503, 504])
		await check(`gemini: status ${status} is an ApiError`, async () => {
			await fault({ match: 'gemini.*', kind: 'status', status });
			await rejects(ask('x'), 'ApiError', { status });
		});
	await check('gemini: a bad key is 400 API_KEY_INVALID', async () => {
		await rejects(client({}, 'wrong').models.generateContent(
		    { model, contents: 'x' }), 'ApiError', { status: 400 },
		    'API_KEY_INVALID');
	});
	await check('gemini: an unknown model is 404', async () => {
		await rejects(ask('x', {}, 'gemini-2.0-flash'), 'ApiError',
		    { status: 404 }, 'is not found for API version ' +
		    `${generation === 20 ? 'v1beta' : 'v1'}, or is not ` +
		    'supported for generateContent');
	});
	await check('gemini: an embedder does not generate', async () => {
		await rejects(ask('x', {}, 'gemini-embedding-001'), 'ApiError',
		    { status: 404 });
	});
	await check('gemini: a bad temperature is 400', async () => {
		await rejects(ask('x', { temperature: 3 }), 'ApiError',
		    { status: 400 }, 'temperature');
	});
	await check('gemini: minimal thinking is refused where it is', async () => {
		await rejects(ask('x', { thinkingConfig:
		    { thinkingLevel: 'MINIMAL' } }), 'ApiError',
		    { status: 400 }, 'MINIMAL');
		await ask('x', { thinkingConfig: { thinkingLevel: 'MINIMAL' } },
		    'gemini-3.6-flash');
	});
	await check('gemini: retries when told to', async () => {
		const before = (await stats('gemini.generate')).requests;
		await fault({ match: 'gemini.generate', kind: 'status',
		    status: 503, count: 2 });
		const r = await client({ retryOptions: { attempts: 3,
		    initialDelay: 0.05 } }).models.generateContent(
		    { model, contents: 'EMU:text=ok' });
		equal(r.text, 'ok');
		equal((await stats('gemini.generate')).requests - before, 3);
	});
	await check('gemini: a timeout ends a hanging call', async () => {
		await fault({ match: 'gemini.generate', kind: 'hang' });
		await rejects(client({ timeout: 300 }).models.generateContent(
		    { model, contents: 'x' }), 'Error');
	});
	await check('gemini: a reset connection throws', async () => {
		await fault({ match: 'gemini.generate', kind: 'reset' });
		await rejects(ask('x'), 'Error');
	});
}

const embed = async (contents, config, m = 'gemini-embedding-001') =>
    (await ai.models.embedContent({ model: m, contents, config }))
	.embeddings.map((e) => e.values);

async function embeddings() {
	await check('gemini: 001 embeds each text', async () => {
		const e = await embed(['one text', 'another']);
		equal(e.map((v) => v.length), [3072, 3072]);
		assert(Math.abs(length(e[0]) - 1) < 1e-3);
		const q = await last('gemini.embed');
		assert(q.target.endsWith(':batchEmbedContents'));
		equal(q.json.requests[0].model, 'models/gemini-embedding-001');
	});
	await check('gemini: 001 cut to 768 has not length one', async () => {
		const [v] = await embed(['some text'],
		    { outputDimensionality: 768 });
		equal(v.length, 768);
		assert(Math.abs(length(v) - 1) > 0.01, `${length(v)}`);
		const [w] = await embed(['some text']);
		assert(cosine(v, w.slice(0, 768)) > 0.999999);
	});
	await check('gemini: 001 heeds the task', async () => {
		const [q] = await embed(['t x'], { taskType: 'RETRIEVAL_QUERY' });
		const [d] = await embed(['t x'],
		    { taskType: 'RETRIEVAL_DOCUMENT' });
		const c = cosine(q, d);
		assert(c < 0.9999 && c > 0.8, `${c}`);
	});
	await check('gemini: like texts are near', async () => {
		const [a, b, c] = await embed([
			'How long does the warranty of the mower last?',
			'The lawn mower warranty lasts two years.',
			'Bananas ripen faster in a paper bag.']);
		assert(cosine(a, b) > cosine(a, c) + 0.2,
		    `${cosine(a, b)} ${cosine(a, c)}`);
	});
	await check('gemini: embedding-2 joins the parts', async () => {
		const e = await embed(['a', 'b'], { outputDimensionality: 256 },
		    'gemini-embedding-2');
		equal(e.length, 1);
		assert(Math.abs(length(e[0]) - 1) < 1e-3);
	});
	await check('gemini: embedding-2 ignores the task', async () => {
		const m = 'gemini-embedding-2';
		const [q] = await embed(['t'], { taskType: 'RETRIEVAL_QUERY' }, m);
		const [d] = await embed(['t'], { taskType: 'CLUSTERING' }, m);
		equal(q, d);
	});
	await check('gemini: 101 texts are too many', async () => {
		await rejects(embed(Array(101).fill('x')), 'ApiError',
		    { status: 400 }, 'at most 100 requests can be in one batch');
	});
	await check('gemini: dimensions out of range', async () => {
		await rejects(embed(['x'], { outputDimensionality: 5000 }),
		    'ApiError', { status: 400 });
	});
}

async function rest() {
	await check('gemini: countTokens agrees with usage', async () => {
		const n = await ai.models.countTokens({ model,
		    contents: 'EMU:text=a b c' });
		const r = await ask('EMU:text=a b c');
		equal(n.totalTokens, r.usageMetadata.promptTokenCount);
	});
	await check('gemini: models, page by page', async () => {
		const all = await collect(await ai.models.list(
		    { config: { pageSize: 4 } }));
		assert(all.length > 10, `${all.length}`);
		assert(all.some((m) => m.name === `models/${model}`));
		equal((await ai.models.get({ model })).name, `models/${model}`);
		await rejects(ai.models.get({ model: 'no-such' }), 'ApiError',
		    { status: 404 });
	});
	await check('gemini: a cache lives and dies', async () => {
		const c = await ai.caches.create({ model, config: { ttl: '60s',
		    displayName: 'd', contents: sources } });
		assert(c.name.startsWith('cachedContents/'));
		const r = await ask('How long is the warranty?',
		    { cachedContent: c.name });
		equal(r.usageMetadata.cachedContentTokenCount,
		    c.usageMetadata.totalTokenCount);
		assert(r.text.endsWith('[2]'), r.text);
		const all = await collect(await ai.caches.list());
		equal(all.map((x) => x.name), [c.name]);
		const u = await ai.caches.update({ name: c.name,
		    config: { ttl: '1s' } });
		assert(u.expireTime < c.expireTime);
		await new Promise((done) => setTimeout(done, 1100));
		await rejects(ai.caches.get({ name: c.name }), 'ApiError',
		    { status: 404 });
		await rejects(ask('x', { cachedContent: c.name }), 'ApiError',
		    { status: 403 });
	});
	await check('gemini: a cache is deleted', async () => {
		const c = await ai.caches.create({ model,
		    config: { contents: 'x' } });
		await ai.caches.delete({ name: c.name });
		await rejects(ai.caches.get({ name: c.name }), 'ApiError',
		    { status: 404 });
	});
	if (generation === 22)
		await check('gemini: the SDK follows continuations', async () => {
			const before = (await stats('gemini.generate')).requests;
			const r = await ask('EMU:len=30 EMU:hops=2', {},
			    'gemini-4-argon');
			equal(r.text, (await ask('EMU:len=30')).text);
			equal((await stats('gemini.generate')).requests - before,
			    4);
		});
}

export async function gemini() {
	for (const part of [answers, emptyShapes, streams, tools, errors,
	    embeddings, rest])
		await part();
}
