// openai against this service: its face of the OpenAI API, behind lighttpd.

import OpenAI from 'openai';
import { assert, check, collect, equal, fault, generation, rejects, stats }
    from './lib.mjs';

const [url, key, lesser] = (process.env.CSA_V1 ?? '').split(' ');
const client = (options = {}) => new OpenAI({ apiKey: key,
    baseURL: `${url}/v1`, maxRetries: 0, ...options });
const question = 'What do tickets for the ferry cost?';
const chat = (content, options = {}, ai = client()) =>
    ai.chat.completions.create({ model: 'harbor',
    messages: [{ role: 'user', content }], ...options });
const text = (chunks) => chunks.map((c) =>
    c.choices[0]?.delta?.content ?? '').join('');

async function until(what, ms = 5000) {
	for (const end = Date.now() + ms; Date.now() < end;) {
		if (await what()) return true;
		await new Promise((r) => setTimeout(r, 20));
	}
	return false;
}

async function chats() {
	await check('v1: a cited answer with its sources', async () => {
		const r = await chat(question);
		const { message, finish_reason } = r.choices[0];
		assert(message.content.includes('three euros'), message.content);
		equal([message.role, message.refusal, finish_reason],
		    ['assistant', null, 'stop']);
		equal([r.object, r.model], ['chat.completion', 'harbor']);
		equal(r.usage.total_tokens,
		    r.usage.prompt_tokens + r.usage.completion_tokens);
		equal(r.id, `chatcmpl-${r._request_id}`);
		const cited = r.chatsphere.sources.filter((s) => s.cited);
		assert(cited.some((s) => s.chunk_id === 'doc-chunk-1'));
		equal(r.chatsphere.model, 'emu-chat');
	});
	await check('v1: a conversation, parts, parameters', async () => {
		const ai = client();
		const r = await ai.chat.completions.create({ model: 'harbor',
		    temperature: 0, max_completion_tokens: 200, n: 1, seed: 7,
		    top_p: 1, user: 'u', metadata: { a: 'b' }, store: false,
		    response_format: { type: 'text' },
		    messages: [{ role: 'developer', content: 'Be brief.' },
		    { role: 'user', content: 'Hello' },
		    { role: 'assistant', content: 'Hello!' },
		    { role: 'user', content: [
		    { type: 'text', text: 'What do tickets' },
		    { type: 'text', text: 'for the ferry cost?' }] }],
		    chatsphere: { retriever_k: 1 } });
		assert(r.choices[0].message.content.includes('three euros'));
		equal(r.chatsphere.sources.length, 1);
	});
	await check('v1: max_tokens cuts', async () => {
		const r = await chat('EMU:len=100', { max_tokens: 5 });
		equal(r.choices[0].finish_reason, 'length');
	});
	await check('v1: what was blocked says so', async () => {
		const r = await chat('EMU:safety');
		equal(r.choices[0].finish_reason, 'content_filter');
		assert(r.choices[0].message.content.trim());
	});
}

async function streams() {
	await check('v1: a stream is the answer in pieces', async () => {
		const c = await collect(await chat(question, { stream: true }));
		equal(text(c),
		    (await chat(question)).choices[0].message.content);
		equal(c[0].choices[0].delta.role, 'assistant');
		assert(c[0].chatsphere.sources.length > 0);
		equal(c.at(-1).choices[0].finish_reason, 'stop');
		assert(c.every((x) => x.id === c[0].id && x.usage == null));
	});
	await check('v1: include_usage adds one chunk', async () => {
		const c = await collect(await chat(question, { stream: true,
		    stream_options: { include_usage: true } }));
		equal(c.at(-1).choices, []);
		equal(c.at(-1).usage, (await chat(question)).usage);
		assert(c.slice(0, -1).every((x) => x.usage === null));
	});
	await check('v1: the stream helper puts it together', async () => {
		const ai = client();
		const s = ai.chat.completions.stream({ model: 'harbor',
		    messages: [{ role: 'user', content: question }],
		    stream_options: { include_usage: true } });
		const r = await s.finalChatCompletion();
		assert(r.choices[0].message.content.includes('three euros'));
		assert((await s.totalUsage()).total_tokens > 0);
	});
	await check('v1: heartbeats are no chunks', async () => {
		await fault({ match: 'openai.chat', delay_ms: 900 });
		const c = await collect(await chat(question, { stream: true }));
		assert(text(c).includes('three euros'));
	});
	await check('v1: a failure in the middle is an APIError', async () => {
		await fault({ match: 'openai.chat', kind: 'truncate', at: 3000 });
		const s = await chat('EMU:len=400 EMU:slow=1', { stream: true });
		const e = await rejects(collect(s), 'APIError');
		equal([e.code, e.error.source], ['provider_unavailable',
		    'openai']);
	});
	await check('v1: aborting ends the upstream call', async () => {
		const left = (await stats()).disconnects.count;
		const s = await chat('EMU:ts=80 EMU:slow=100', { stream: true });
		let n = 0;
		for await (const c of s) {
			if (c.choices[0]?.delta?.content && ++n === 3)
				s.controller.abort();
		}
		equal(n, 3);
		assert(await until(async () =>
		    (await stats()).disconnects.count > left, 2000));
	});
}

async function errors() {
	const nobody = client({ apiKey: 'sk-wrong' });
	const few = client({ apiKey: lesser });
	await check('v1: AuthenticationError', () => rejects(
	    chat(question, {}, nobody), 'AuthenticationError',
	    { status: 401, code: 'invalid_api_key' }));
	await check('v1: PermissionDeniedError', () => rejects(
	    chat(question, { model: 'moons' }, few), 'PermissionDeniedError',
	    { status: 403, code: 'forbidden', type: 'permission_error' }));
	await check('v1: NotFoundError', () => rejects(
	    client().models.retrieve('nobody'), 'NotFoundError',
	    { status: 404, code: 'model_not_found', param: 'model' }));
	await check('v1: NotFoundError for another API', () => rejects(
	    client().responses.create({ model: 'harbor', input: 'x' }),
	    'NotFoundError', { status: 404, code: 'not_found' }));
	await check('v1: BadRequestError', () => rejects(
	    chat(question, { n: 2 }), 'BadRequestError', { status: 400,
	    param: 'n', type: 'invalid_request_error' }));
	await check('v1: a picture is a BadRequestError', () => rejects(
	    chat([{ type: 'text', text: 'x' }, { type: 'image_url',
	    image_url: { url: 'https://example.org/x.png' } }]),
	    'BadRequestError', { param: 'messages[0].content[1]' }));
	await check('v1: UnprocessableEntityError', () => rejects(
	    chat(question, { temperature: 3 }), 'UnprocessableEntityError',
	    { status: 422, param: 'temperature', code: 'invalid_value' }));
	await check('v1: a provider\'s fault is told as its own', async () => {
		await fault({ match: 'openai.chat', kind: 'status', status: 400 });
		const e = await rejects(chat(question), 'InternalServerError',
		    { status: 502, code: 'provider_error' });
		equal(e.error.source, 'openai');
		assert(e.requestID === e.error.request_id && e.requestID);
	});
	await check('v1: what cannot succeed is tried once', async () => {
		await fault({ match: 'openai.chat', kind: 'status', status: 400 });
		let sent = 0;
		const ai = client({ maxRetries: 2, fetch: (...a) => {
			sent++;
			return fetch(...a);
		} });
		await rejects(chat(question, {}, ai), 'InternalServerError');
		equal(sent, 1, 'requests');
	});
}

async function models() {
	await check('v1: models are the bots', async () => {
		const list = (await client().models.list()).data;
		equal(list.map((m) => m.id), ['harbor', 'moons']);
		const all = await collect(await client().models.list());
		equal(all.length, 2);
		equal(await client().models.retrieve('moons').then((m) => m.id),
		    'moons');
		equal(list[0].object, 'model');
	});
	await check('v1: models of a lesser key', async () => {
		const ai = client({ apiKey: lesser });
		equal((await ai.models.list()).data.map((m) => m.id), ['harbor']);
		await rejects(ai.models.retrieve('moons'), 'NotFoundError');
	});
}

async function embeddings() {
	const model = 'text-embedding-3-small', input = ['one', 'two'];
	await check('v1: embeddings, base64 unasked', async () => {
		const ai = client();
		const plain = await ai.embeddings.create({ model, input,
		    encoding_format: 'float' });
		// The client asks for base64 itself, and decodes it.
		const packed = await ai.embeddings.create({ model, input });
		equal(packed.data.length, 2);
		packed.data.forEach(({ embedding, index }, i) => {
			equal([index, embedding.length], [i, 256]);
			embedding.forEach((x, j) => assert(Math.abs(
			    x - plain.data[i].embedding[j]) < 1e-6));
		});
		assert(plain.usage.total_tokens > 0);
	});
	await check('v1: dimensions are what they are', async () => {
		const ai = client();
		equal((await ai.embeddings.create({ model, input: 'x',
		    dimensions: 256 })).data[0].embedding.length, 256);
		await rejects(ai.embeddings.create({ model, input: 'x',
		    dimensions: 255 }), 'BadRequestError',
		    { param: 'dimensions' });
		await rejects(ai.embeddings.create({ model, input: [1, 2] }),
		    'BadRequestError', { param: 'input[0]' });
		await rejects(ai.embeddings.create({ model: 'ada', input }),
		    'NotFoundError', { code: 'model_not_found' });
	});
}

export async function v1() {
	if (!url) {
		console.log(`# node${generation} v1: no service to ask`);
		return;
	}
	await chats();
	await streams();
	await errors();
	await models();
	await embeddings();
}
