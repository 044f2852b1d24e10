// openai against the emulator of a compatible server.

import OpenAI from 'openai';
import { assert, base, check, collect, config, cosine, equal, fault,
    generation, last, length, rejects, stats } from './lib.mjs';

const client = (options = {}) => new OpenAI({ apiKey: 'ok',
    baseURL: `${base}/v1`, maxRetries: 0, ...options });
const ai = client();
const model = 'emu-chat';
const user = (content) => [{ role: 'user', content }];
const chat = (content, options = {}) => ai.chat.completions.create(
    { model, messages: user(content), ...options });

const tool = { type: 'function', function: { name: 'get_weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } },
    required: ['city'] } } };

async function chats() {
	await check('openai: a cited answer', async () => {
		const r = await ai.chat.completions.create({ model, messages: [
			{ role: 'system', content: '[1] Bees make honey.\n' +
			    '[2] Ants live in hills.\n' },
			{ role: 'user', content: 'Who lives in hills?' }] });
		equal(r.choices[0].message.content, 'Ants live in hills. [2]');
		equal(r.choices[0].finish_reason, 'stop');
		equal(r.usage.total_tokens,
		    r.usage.prompt_tokens + r.usage.completion_tokens);
		assert(r._request_id);
	});
	await check('openai: content in parts', async () => {
		const r = await chat([{ type: 'text', text: 'EMU:text=parts' }]);
		equal(r.choices[0].message.content, 'parts');
	});
	await check('openai: several choices', async () => {
		equal((await chat('EMU:text=x', { n: 3 })).choices.length, 3);
	});
	await check('openai: max_tokens cuts', async () => {
		const r = await chat('EMU:len=100', { max_completion_tokens: 5 });
		equal(r.choices[0].finish_reason, 'length');
		equal(r.choices[0].message.content.length, 20);
	});
	await check('openai: json_object', async () => {
		JSON.parse((await chat('x', { response_format:
		    { type: 'json_object' } })).choices[0].message.content);
	});
	await check('openai: content filter, no text', async () => {
		const r = await chat('EMU:safety');
		equal([r.choices[0].finish_reason, r.choices[0].message.content],
		    ['content_filter', null]);
	});
	await check('openai: a tool call and its answer', async () => {
		const r = await chat('EMU:toolcall', { tools: [tool] });
		const { message, finish_reason } = r.choices[0];
		equal(finish_reason, 'tool_calls');
		const [call] = message.tool_calls;
		equal(Object.keys(JSON.parse(call.function.arguments)), ['city']);
		const end = await ai.chat.completions.create({ model,
		    tools: [tool], messages: [...user('EMU:toolcall'), message,
		    { role: 'tool', tool_call_id: call.id, content: 'sun' }] });
		equal(end.choices[0].finish_reason, 'stop');
	});
}

async function streams() {
	await check('openai: a stream is the answer in pieces', async () => {
		const c = await collect(await chat('EMU:len=40',
		    { stream: true }));
		const text = c.map((x) => x.choices[0].delta.content ?? '');
		equal(text.join(''),
		    (await chat('EMU:len=40')).choices[0].message.content);
		equal(c[0].choices[0].delta.role, 'assistant');
		equal(c.at(-1).choices[0].finish_reason, 'stop');
		assert(c.every((x) => x.id === c[0].id && x.usage == null));
	});
	await check('openai: include_usage adds one chunk', async () => {
		const c = await collect(await chat('EMU:len=4', { stream: true,
		    stream_options: { include_usage: true } }));
		equal(c.at(-1).choices, []);
		equal(c.at(-1).usage.total_tokens, c.at(-1).usage.prompt_tokens +
		    c.at(-1).usage.completion_tokens);
	});
	await check('openai: the stream helper collects a tool call', async () => {
		const s = ai.chat.completions.stream({ model, tools: [tool],
		    messages: user('EMU:toolcall=2') });
		const m = await s.finalMessage();
		equal(m.tool_calls.length, 2);
		equal(m.tool_calls[1].function.name, 'get_weather');
	});
	await check('openai: error in mid-stream is an APIError', async () => {
		await fault({ match: 'openai.chat', kind: 'error_midstream' });
		await rejects(chat('EMU:len=40', { stream: true }).then(collect),
		    'APIError', {}, 'The server had an error');
	});
	await check('openai: a stream cut short throws', async () => {
		await fault({ match: 'openai.chat', kind: 'cut_midstream' });
		await rejects(chat('EMU:len=40', { stream: true }).then(collect),
		    'Error');
	});
	await check('openai: leaving a stream is noticed', async () => {
		const before = (await stats()).disconnects.count;
		const s = await chat('EMU:len=400 EMU:slow=50', { stream: true });
		for await (const c of s) if (c) break;
		await new Promise((r) => setTimeout(r, 150));
		equal((await stats()).disconnects.count, before + 1);
	});
}

const embed = async (input, options = {}) => (await ai.embeddings.create(
    { model: 'text-embedding-3-small', input, ...options }))
	.data.map((d) => d.embedding);

async function embeddings() {
	await check('openai: base64 when nothing is said', async () => {
		const e = await embed(['a', 'b']);
		equal(e.map((v) => v.length), [1536, 1536]);
		equal((await last('openai.embed')).json.encoding_format,
		    'base64');
		assert(Math.abs(length(e[0]) - 1) < 1e-3);
	});
	await check('openai: floats are the same vector', async () => {
		const [a] = await embed('some text');
		const [b] = await embed('some text', { encoding_format: 'float' });
		assert(cosine(a, b) > 0.99999999);
	});
	await check('openai: dimensions', async () => {
		const [v] = await embed('x', { dimensions: 256 });
		equal(v.length, 256);
		assert(Math.abs(length(v) - 1) < 1e-3);
		await rejects(embed('x', { dimensions: 9999 }),
		    'BadRequestError', { status: 400 });
	});
	await check('openai: lists of tokens', async () => {
		const e = await embed([[1, 2, 3], [4, 5]]);
		equal(e.length, 2);
	});
	await check('openai: an empty text is refused', async () => {
		await rejects(embed(['a', '']), 'BadRequestError',
		    { status: 400, param: 'input' });
	});
	await check('openai: query and passage differ by name', async () => {
		const [q] = await embed('same', { model: 'e5-query' });
		const [p] = await embed('same', { model: 'e5-passage' });
		const c = cosine(q, p);
		assert(c > 0.8 && c < 0.9999, `${c}`);
	});
}

async function errors() {
	const rows = [[400, 'BadRequestError'], [401, 'AuthenticationError'],
	    [403, 'PermissionDeniedError'], [404, 'NotFoundError'],
	    [409, 'ConflictError'], [422, 'UnprocessableEntityError'],
	    [429, 'RateLimitError'], [500, 'InternalServerError'],
	    [503, 'InternalServerError']];
	for (const [status, name] of rows)
		await check(`openai: ${status} is a ${name}`, async () => {
			await fault({ match: 'openai.*', kind: 'status', status });
			await rejects(chat('x'), name, { status });
		});
	await check('openai: a bad key', async () => {
		await rejects(client({ apiKey: 'wrong' }).models.list().then(
		    (p) => p.data), 'AuthenticationError',
		    { status: 401, code: 'invalid_api_key' });
	});
	await check('openai: an unknown model', async () => {
		await rejects(chat('x', { model: 'no-such-model' }),
		    'NotFoundError', { status: 404, code: 'model_not_found' });
	});
	await check('openai: no messages', async () => {
		await rejects(ai.chat.completions.create({ model, messages: [] }),
		    'BadRequestError', { status: 400, param: 'messages' });
	});
	const shapes = [['vllm', 404, 'NotFoundError'], ['llama', 404, undefined],
	    ['ollama', null, 'not_found_error']];
	for (const [shape, code, type] of shapes)
		await check(`openai: errors as ${shape} writes them`, async () => {
			await config({ openai_error_shape: shape });
			const e = await rejects(chat('x', { model: 'no-such' }),
			    'NotFoundError', { status: 404, code });
			if (type) equal(e.type, type);
			await config({ openai_error_shape: 'openai' });
		});
	await check('openai: errors as TEI writes them, batch of 32', async () => {
		await config({ openai_error_shape: 'tei' });
		await rejects(embed(Array(33).fill('x')),
		    'UnprocessableEntityError', { status: 422 });
		await config({ openai_error_shape: 'openai' });
	});
	await check('openai: 503 is retried twice', async () => {
		const before = (await stats('openai.chat')).requests;
		await fault({ match: 'openai.chat', kind: 'status', status: 503,
		    count: 2 });
		const r = await client({ maxRetries: 2 }).chat.completions.create(
		    { model, messages: user('EMU:text=ok') });
		equal(r.choices[0].message.content, 'ok');
		equal((await stats('openai.chat')).requests - before, 3);
	});
	await check('openai: Retry-After is obeyed', async () => {
		await fault({ match: 'openai.chat', kind: 'retry_after',
		    retry_after: 1, count: 1 });
		const from = Date.now();
		await client({ maxRetries: 1 }).chat.completions.create(
		    { model, messages: user('EMU:text=ok') });
		const ms = Date.now() - from;
		assert(ms >= 950 && ms < 2500, `${ms} ms`);
	});
	await check('openai: an HTML answer is an error', async () => {
		await fault({ match: 'openai.chat', kind: 'html' });
		await rejects(chat('x'), 'InternalServerError', { status: 502 });
	});
	await check('openai: a timeout ends a hanging call', async () => {
		await fault({ match: 'openai.chat', kind: 'hang' });
		await rejects(client({ timeout: 300 }).chat.completions.create(
		    { model, messages: user('x') }),
		    'APIConnectionTimeoutError');
	});
	await check('openai: a reset is an APIConnectionError', async () => {
		await fault({ match: 'openai.chat', kind: 'reset' });
		await rejects(chat('x'), 'APIConnectionError');
	});
}

async function models() {
	await check('openai: models, and one with a slash', async () => {
		const all = await collect(await ai.models.list());
		assert(all.some((m) => m.id === 'Qwen/Qwen3-8B'));
		equal((await ai.models.retrieve('Qwen/Qwen3-8B')).id,
		    'Qwen/Qwen3-8B');
		await rejects(ai.models.retrieve('no-such'), 'NotFoundError');
	});
	await check('openai: Google\'s own compatible surface', async () => {
		const g = new OpenAI({ apiKey: 'gk', maxRetries: 0,
		    baseURL: `${base}/v1beta/openai` });
		const r = await g.chat.completions.create({ model:
		    'gemini-3.8-flash', messages: user('EMU:text=hi') });
		equal(r.choices[0].message.content, 'hi');
		await rejects(g.embeddings.create({ model: 'gemini-embedding-001',
		    input: Array(101).fill('x') }), 'BadRequestError');
	});
	await check('openai: the SDK says who it is', async () => {
		await chat('x');
		const h = (await last('openai.chat')).header;
		equal(h.authorization, 'Bearer ok');
		assert(h['user-agent'].startsWith(`OpenAI/JS ` +
		    (generation === 20 ? '6.' : '7.')), h['user-agent']);
	});
}

export async function openai() {
	for (const part of [chats, streams, embeddings, errors, models])
		await part();
}
