// @pinecone-database/pinecone against the Pinecone emulator.

import { Pinecone } from '@pinecone-database/pinecone';
import { assert, base, check, config, cosine, equal, fault, generation, last,
    rejects, stats } from './lib.mjs';

const client = (options = {}) => new Pinecone({ apiKey: 'pk',
    controllerHostUrl: base, ...options });
const pc = client();

// Indexes of the command line: see run.sh.
const cos = pc.index({ name: 'sdk-cosine', namespace: 'ns' });
const dot = pc.index({ name: 'sdk-dot', namespace: 'ns' });
const euc = pc.index({ name: 'sdk-euclid', namespace: 'ns' });

const records = [
	{ id: 'a', values: [1, 0, 0, 0], metadata: { g: 'x', n: 1,
	    tags: ['red', 'green'], on: true } },
	{ id: 'b#1', values: [0.8, 0.6, 0, 0], metadata: { g: 'y', n: 2.5,
	    tags: ['blue'] } },
	{ id: 'c', values: [0, 0, 1, 0], metadata: { g: 'x', n: 3 } },
];
const ids = (r) => r.matches.map((m) => m.id);
const query = (filter, more = {}) => cos.query({ vector: [1, 0, 0, 0],
    topK: 10, filter, ...more });

async function indexes() {
	await check('pinecone: describe and list', async () => {
		const d = await pc.describeIndex('sdk-cosine');
		equal([d.dimension, d.metric, d.host, d.status.ready],
		    [4, 'cosine', base, true]);
		const { indexes } = await pc.listIndexes();
		equal(indexes.map((i) => i.name),
		    ['sdk-cosine', 'sdk-dot', 'sdk-euclid']);
	});
	await check('pinecone: the version is the generation\'s', async () => {
		equal((await last('pinecone.index')).header[
		    'x-pinecone-api-version'],
		    generation === 20 ? '2026-04' : '2026-07');
	});
	await check('pinecone: create, configure, delete', async () => {
		const made = await pc.createIndex({ name: 'made', dimension: 8,
		    metric: 'dotproduct', waitUntilReady: true, spec:
		    { serverless: { cloud: 'aws', region: 'eu-west-1' } },
		    deletionProtection: 'enabled', tags: { a: '1' } });
		equal([made.dimension, made.metric], [8, 'dotproduct']);
		await rejects(pc.createIndex({ name: 'made', dimension: 8,
		    spec: { serverless: { cloud: 'aws', region: 'x' } } }),
		    'PineconeConflictError');
		await rejects(pc.deleteIndex('made'), 'PineconeBadRequestError',
		    {}, 'Deletion protection');
		const c = await pc.configureIndex({ name: 'made',
		    deletionProtection: 'disabled', tags: { b: '2' } });
		equal(c.tags, { a: '1', b: '2' });
		await pc.deleteIndex('made');
		await rejects(pc.describeIndex('made'), 'PineconeNotFoundError');
	});
	await check('pinecone: a sparse index', async () => {
		const s = await pc.createIndex({ name: 'sparse',
		    vectorType: 'sparse', metric: 'dotproduct',
		    waitUntilReady: true, spec: { serverless:
		    { cloud: 'aws', region: 'x' } } });
		equal([s.vectorType, s.metric], ['sparse', 'dotproduct']);
		const ix = pc.index({ name: 'sparse' });
		await ix.upsert({ records: [{ id: 's', sparseValues:
		    { indices: [7, 4000000000], values: [0.5, 1] } }] });
		const r = await ix.query({ topK: 1, sparseVector:
		    { indices: [4000000000], values: [2] } });
		equal([r.matches[0].id, r.matches[0].score], ['s', 2]);
		await pc.deleteIndex('sparse');
	});
}

async function vectors() {
	await check('pinecone: upsert and query', async () => {
		await cos.upsert({ records });
		const r = await query(undefined, { includeMetadata: true });
		equal(ids(r), ['a', 'b#1', 'c']);
		equal(r.matches.map((m) => m.score.toFixed(6)),
		    ['1.000000', '0.800000', '0.000000']);
		equal(r.matches[1].metadata, records[1].metadata);
		equal(r.matches[0].values, []);
		equal(r.namespace, 'ns');
		assert(r.usage.readUnits >= 1);
	});
	await check('pinecone: values on request, topK heeded', async () => {
		const r = await query(undefined, { includeValues: true, topK: 1 });
		equal(r.matches.map((m) => m.values), [[1, 0, 0, 0]]);
		equal(r.matches[0].metadata, undefined);
	});
	await check('pinecone: query by id', async () => {
		equal(ids(await cos.query({ id: 'c', topK: 1 })), ['c']);
	});
	await check('pinecone: another namespace is empty', async () => {
		equal(ids(await pc.index({ name: 'sdk-cosine', namespace:
		    'other' }).query({ vector: [1, 0, 0, 0], topK: 3 })), []);
	});
	await check('pinecone: fetch decodes ids, leaves out the missing', async () => {
		const r = await cos.fetch({ ids: ['a', 'b#1', 'nope'] });
		equal(Object.keys(r.records).sort(), ['a', 'b#1']);
		equal(r.records['b#1'].values.length, 4);
	});
	await check('pinecone: update merges metadata, replaces values', async () => {
		await cos.update({ id: 'a', metadata: { n: 9, k: 'new' } });
		await cos.update({ id: 'a', values: [0, 1, 0, 0] });
		const { a } = (await cos.fetch({ ids: ['a'] })).records;
		equal(a.values, [0, 1, 0, 0]);
		equal([a.metadata.n, a.metadata.k, a.metadata.g], [9, 'new', 'x']);
		await cos.upsert({ records: [records[0]] });
		const again = (await cos.fetch({ ids: ['a'] })).records.a;
		equal(again.metadata, records[0].metadata, 'after upsert');
	});
	await check('pinecone: list in order, by prefix, page by page', async () => {
		const many = Array.from({ length: 25 }, (_, i) => ({
			id: `doc1#${String(i).padStart(2, '0')}`,
			values: [1, i, 0, 0] }));
		await cos.upsert({ records: many });
		const got = [];
		let token;
		do {
			const r = await cos.listPaginated({ prefix: 'doc1#',
			    limit: 10, paginationToken: token });
			got.push(...r.vectors.map((v) => v.id));
			token = r.pagination?.next;
		} while (token);
		equal(got, many.map((m) => m.id));
		await cos.deleteMany({ ids: got });
		equal((await cos.listPaginated({ prefix: 'doc1#' })).vectors, []);
	});
	await check('pinecone: statistics', async () => {
		const s = await cos.describeIndexStats();
		equal([s.dimension, s.totalRecordCount, s.namespaces.ns],
		    [4, 3, { recordCount: 3 }]);
	});
	await check('pinecone: fetch and update by metadata', async () => {
		const r = await cos.fetchByMetadata({ filter: { g: 'x' } });
		equal(Object.keys(r.records), ['a', 'c']);
		await cos.update({ filter: { g: 'x' }, metadata: { seen: true } });
		equal(ids(await query({ seen: true })), ['a', 'c']);
	});
	await check('pinecone: euclidean is a distance', async () => {
		await euc.upsert({ records: [{ id: 'far', values: [3, 0, 0, 0] },
		    { id: 'near', values: [1, 1, 0, 0] }] });
		const r = await euc.query({ vector: [1, 0, 0, 0], topK: 2 });
		equal(r.matches.map((m) => [m.id, m.score]),
		    [['near', 1], ['far', 4]]);
	});
	await check('pinecone: sparse and dense add up', async () => {
		await dot.upsert({ records: [{ id: 'h', values: [1, 0, 0, 0],
		    sparseValues: { indices: [5, 9], values: [0.5, 2] } }] });
		const r = await dot.query({ topK: 1, vector: [2, 0, 0, 0],
		    sparseVector: { indices: [9], values: [3] } });
		equal(r.matches[0].score, 8);
	});
	await check('pinecone: cosine stores sparse, but does not search it', async () => {
		await cos.upsert({ records: [{ id: 'sp', values: [0, 0, 0, 1],
		    sparseValues: { indices: [1], values: [1] } }] });
		await rejects(cos.query({ topK: 1, vector: [1, 0, 0, 0],
		    sparseVector: { indices: [1], values: [1] } }),
		    'PineconeBadRequestError', {}, 'sparse');
		await cos.deleteOne({ id: 'sp' });
	});
}

async function filters() {
	const rows = [
		['$eq', { g: { $eq: 'x' } }, ['a', 'c']],
		['bare value', { g: 'y' }, ['b#1']],
		['$ne', { g: { $ne: 'x' } }, ['b#1']],
		['$gt', { n: { $gt: 1 } }, ['b#1', 'c']],
		['$gte and $lt', { n: { $gte: 1, $lt: 3 } }, ['a', 'b#1']],
		['$lte', { n: { $lte: 2.5 } }, ['a', 'b#1']],
		['$in', { g: { $in: ['y', 'z'] } }, ['b#1']],
		['$nin', { g: { $nin: ['x'] } }, ['b#1']],
		['a list, any element', { tags: { $in: ['blue', 'green'] } },
		    ['a', 'b#1']],
		['a list, $eq', { tags: 'red' }, ['a']],
		['$exists', { tags: { $exists: false } }, ['c']],
		['a boolean', { on: true }, ['a']],
		['$and', { $and: [{ g: 'x' }, { n: { $gt: 1 } }] }, ['c']],
		['$or', { $or: [{ g: 'y' }, { n: 3 }] }, ['b#1', 'c']],
		['two fields', { g: 'x', n: 3 }, ['c']],
	];
	for (const [name, filter, want] of rows)
		await check(`pinecone: filter ${name}`, async () => {
			equal(ids(await query(filter)), want);
		});
	for (const [name, filter] of [['unknown operator',
	    { g: { $like: 'x' } }], ['$gt of a string', { n: { $gt: 'x' } }],
	    ['$and without a list', { $and: { g: 'x' } }],
	    ['top-level $not', { $not: [{ g: 'x' }] }]])
		await check(`pinecone: filter refused: ${name}`, async () => {
			await rejects(query(filter), 'PineconeBadRequestError');
		});
}

async function deletes() {
	await check('pinecone: deleting what is not there is fine', async () => {
		await cos.deleteOne({ id: 'never' });
	});
	await check('pinecone: delete by filter, then all', async () => {
		await cos.deleteMany({ filter: { g: 'x' } });
		equal(ids(await query()), ['b#1']);
		await cos.deleteAll();
		equal(ids(await query()), []);
	});
	await check('pinecone: deleting in no namespace is 404', async () => {
		await rejects(pc.index({ name: 'sdk-cosine', namespace: 'none' })
		    .deleteAll(), 'PineconeNotFoundError');
	});
	await check('pinecone: namespaces', async () => {
		const made = await cos.createNamespace({ name: 'fresh' });
		equal(made.recordCount, 0);
		await rejects(cos.createNamespace({ name: 'fresh' }),
		    'PineconeConflictError');
		const all = await cos.listNamespaces();
		equal(all.namespaces.map((n) => n.name), ['fresh', 'ns']);
		await cos.deleteNamespace('fresh');
		await rejects(cos.describeNamespace('fresh'),
		    'PineconeNotFoundError');
	});
}

async function errors() {
	const put = (record) => cos.upsert({ records: [record] });
	await check('pinecone: wrong dimension, in the recorded words', async () => {
		await rejects(put({ id: 'x', values: [1, 2, 3] }),
		    'PineconeBadRequestError', {}, 'Vector dimension 3 does ' +
		    'not match the dimension of the index 4');
		await rejects(cos.query({ vector: [1], topK: 1 }),
		    'PineconeBadRequestError', {}, 'Query vector dimension 1 ' +
		    'does not match the dimension of the index 4');
	});
	const bad = [
		['a zero vector', { id: 'x', values: [0, 0, 0, 0] }, 'non-zero'],
		['null metadata', { id: 'x', values: [1, 0, 0, 0],
		    metadata: { k: null } }, 'null'],
		['nested metadata', { id: 'x', values: [1, 0, 0, 0],
		    metadata: { k: { a: 1 } } }, 'Metadata value'],
		['41 KB of metadata', { id: 'x', values: [1, 0, 0, 0],
		    metadata: { k: 'x'.repeat(41000) } }, '40960'],
		['an id of 513', { id: 'x'.repeat(513), values: [1, 0, 0, 0] },
		    '512'],
	];
	for (const [name, record, text] of bad)
		await check(`pinecone: ${name} is refused`, async () => {
			await rejects(put(record), 'PineconeBadRequestError', {},
			    text);
		});
	await check('pinecone: 1,001 records and 3 MB are too much', async () => {
		const many = (n, metadata) => Array.from({ length: n },
		    (_, i) => ({ id: `m${i}`, values: [1, 0, 0, 0], metadata }));
		await rejects(cos.upsert({ records: many(1001) }),
		    'PineconeBadRequestError', {}, '1000');
		await rejects(cos.upsert({ records: many(100,
		    { t: 'x'.repeat(30000) }) }), 'PineconeBadRequestError', {},
		    'message length too large');
	});
	await check('pinecone: a bad key, in plain text', async () => {
		await rejects(client({ apiKey: 'wrong' }).listIndexes(),
		    'PineconeAuthorizationError');
	});
	// This SDK wraps what it would retry, even when it may not retry at all.
	const wrapped = 'PineconeMaxRetriesExceededError';
	const statuses = [[400, 'PineconeBadRequestError'],
	    [404, 'PineconeNotFoundError'], [409, 'PineconeConflictError'],
	    [422, 'PineconeUnprocessableEntityError'],
	    [429, 'PineconeUnmappedHttpError'], [500, wrapped], [501, wrapped],
	    [503, wrapped]];
	for (const [status, name] of statuses)
		await check(`pinecone: ${status} is a ${name}`, async () => {
			await fault({ match: 'pinecone.*', kind: 'status', status });
			const once = client({ maxRetries: 0 });
			await rejects(once.index({ host: base }).query({ topK: 1,
			    vector: [1, 0, 0, 0] }), name);
			await rejects(once.describeIndex('sdk-dot'), name);
		});
	await check('pinecone: 503 is retried, 429 is not', async () => {
		const count = async () => (await stats('pinecone.query')).requests;
		let before = await count();
		await fault({ match: 'pinecone.query', kind: 'status',
		    status: 503, count: 2 });
		await query();
		equal(await count() - before, 3, '503');
		before = await count();
		await fault({ match: 'pinecone.query', kind: 'retry_after',
		    count: 1 });
		await rejects(query(), 'PineconeUnmappedHttpError');
		equal(await count() - before, 1, '429');
	});
	await check('pinecone: a reset is a PineconeConnectionError', async () => {
		await fault({ match: 'pinecone.query', kind: 'reset' });
		await rejects(query(), 'PineconeConnectionError');
	});
	await check('pinecone: writes show after their delay', async () => {
		await config({ visibility_delay_ms: 300 });
		await put({ id: 'late', values: [1, 0, 0, 0] });
		equal(ids(await query()), []);
		await new Promise((r) => setTimeout(r, 350));
		equal(ids(await query()), ['late']);
		await config({ visibility_delay_ms: 0 });
		await cos.deleteAll();
	});
}

async function inference() {
	const model = 'multilingual-e5-large';
	const embed = (inputs, inputType) => pc.inference.embed({ model, inputs,
	    parameters: { inputType, truncate: 'END' } });

	await check('pinecone: embed, dense', async () => {
		const q = await embed(['the warranty of the mower'], 'query');
		const p = await embed(['a mower has a warranty',
		    'bananas ripen'], 'passage');
		equal([q.model, q.vectorType, q.data[0].values.length],
		    [model, 'dense', 1024]);
		const [v] = q.data;
		assert(cosine(v.values, p.data[0].values) >
		    cosine(v.values, p.data[1].values) + 0.2);
		assert(q.usage.totalTokens > 0);
	});
	await check('pinecone: embed, sparse', async () => {
		const r = await pc.inference.embed({ model:
		    'pinecone-sparse-english-v0', inputs: ['red red fox'],
		    parameters: { inputType: 'passage', returnTokens: true } });
		const [s] = r.data;
		equal([r.vectorType, s.sparseIndices.length,
		    s.sparseValues.length], ['sparse', 2, 2]);
	});
	await check('pinecone: rerank', async () => {
		const r = await pc.inference.rerank({ model: 'bge-reranker-v2-m3',
		    query: 'how long is the warranty', topN: 2, documents:
		    ['cats sleep', 'the warranty is two years long', 'dogs'] });
		equal([r.data.length, r.data[0].index], [2, 1]);
		equal(r.data[0].document.text, 'the warranty is two years long');
		assert(r.data[0].score > r.data[1].score && r.data[0].score <= 1);
	});
	await check('pinecone: models', async () => {
		const all = await pc.inference.listModels({ type: 'embed' });
		assert(all.models.every((m) => m.type === 'embed'));
		equal((await pc.inference.getModel(model)).defaultDimension, 1024);
		await rejects(pc.inference.getModel('no-such'),
		    'PineconeNotFoundError');
		await rejects(pc.inference.embed({ model: 'no-such',
		    inputs: ['x'] }), 'PineconeNotFoundError');
	});
	await check('pinecone: integrated records', async () => {
		await pc.createIndexForModel({ name: 'texts', cloud: 'aws',
		    region: 'us-east-1', waitUntilReady: true, embed: { model,
		    fieldMap: { text: 'body' } } });
		const ix = pc.index({ name: 'texts', namespace: 'n' });
		await ix.upsertRecords({ records: [
			{ id: '1', body: 'The warranty lasts two years.', k: 'w' },
			{ _id: '2', body: 'Cats sleep all day long.', k: 'c' }] });
		const r = await ix.searchRecords({ query: { topK: 2, inputs:
		    { text: 'how long is the warranty' } }, fields: ['k'],
		    rerank: { model: 'bge-reranker-v2-m3', rankFields: ['body'],
		    topN: 1 } });
		equal(r.result.hits.map((h) => [h.id ?? h._id, h.fields]),
		    [['1', { k: 'w' }]]);
		const f = await ix.searchRecords({ query: { topK: 2, inputs:
		    { text: 'warranty' }, filter: { k: 'c' } } });
		equal(f.result.hits.length, 1);
		const lines = Array.from({ length: 97 }, (_, i) =>
		    ({ _id: `${i}`, body: 'x' }));
		await rejects(ix.upsertRecords({ records: lines }),
		    'PineconeBadRequestError', {}, '96');
		await pc.deleteIndex('texts');
	});
}

async function documents() {
	if (generation === 20) return;
	await check('pinecone: documents of 2026-07', async () => {
		await pc.createIndex({ name: 'docs', waitUntilReady: true,
		    deployment: { deploymentType: 'managed', cloud: 'aws',
		    region: 'us-east-1' }, schema: { fields: {
		    emb: { type: 'dense_vector', dimension: 3,
		    metric: 'cosine' } } } });
		const ix = pc.index({ name: 'docs' });
		const namespace = 'd';
		const up = await ix.upsertDocuments({ namespace, documents: [
			{ _id: 'x', emb: [1, 0, 0], body: 'red fox' },
			{ _id: 'y', emb: [0, 1, 0], body: 'blue whale' }] });
		equal(up.upsertedCount, 2);
		const s = await ix.searchDocuments({ namespace, topK: 1,
		    includeFields: ['body'], scoreBy: [{ type: 'dense_vector',
		    fields: ['emb'], values: [0.9, 0.1, 0] }] });
		equal([s.matches[0]._id, s.matches[0].body], ['x', 'red fox']);
		const t = await ix.searchDocuments({ namespace, topK: 5,
		    scoreBy: [{ type: 'text', fields: ['body'],
		    query: 'the whale' }] });
		equal(t.matches.map((m) => m._id), ['y']);
		await ix.updateDocuments({ namespace,
		    documents: [{ _id: 'y', body: 'grey whale' }] });
		const f = await ix.fetchDocuments({ namespace, ids: ['y'] });
		equal(f.documents.y.body, 'grey whale');
		equal((await ix.listDocuments({ namespace })).documents.length,
		    2);
		await ix.deleteDocuments({ namespace, ids: ['x'] });
		equal((await ix.listDocuments({ namespace })).documents.length,
		    1);
		await pc.deleteIndex('docs');
	});
}

export async function pinecone() {
	for (const part of [indexes, vectors, filters, deletes, errors,
	    inference, documents])
		await part();
}
