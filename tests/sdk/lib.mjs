// What the checks share: counting, comparing, and the emulator's controls.

export const base = process.env.EMU_URL;
if (!base) throw new Error('EMU_URL is not set');

export const generation = process.version.startsWith('v20') ? 20 : 22;

const totals = { passed: 0, failed: 0 };

export function result() {
	return totals;
}

// One claim.  Faults and settings of the claim before do not reach it.
export async function check(name, claim) {
	await fetch(`${base}/_emu/faults`, { method: 'DELETE' });
	try {
		await claim();
		totals.passed++;
		console.log(`ok   node${generation} ${name}`);
	} catch (e) {
		totals.failed++;
		console.log(`FAIL node${generation} ${name}: ${e?.stack ?? e}`);
	}
}

export function assert(condition, message) {
	if (!condition) throw new Error(message ?? 'assertion failed');
}

export function equal(got, want, what = 'value') {
	const g = JSON.stringify(got), w = JSON.stringify(want);
	if (g !== w) throw new Error(`${what}: got ${g}, want ${w}`);
}

// The promise must reject, with an error of this class name and these members.
export async function rejects(promise, className, members = {}, text) {
	let e;
	try {
		await promise;
	} catch (error) {
		e = error;
	}
	assert(e, `expected ${className}, but the call succeeded`);
	const names = [];
	for (let o = e; o; o = Object.getPrototypeOf(o))
		names.push(o.constructor?.name);
	assert(names.includes(className) || e.name === className,
	    `expected ${className}, got ${e.name} (${names}): ${e.message}`);
	for (const [k, v] of Object.entries(members)) equal(e[k], v, `error.${k}`);
	if (text) assert(String(e.message).includes(text),
	    `message lacks "${text}": ${e.message}`);
	return e;
}

export async function fault(rule) {
	const r = await fetch(`${base}/_emu/faults`,
	    { method: 'POST', body: JSON.stringify(rule) });
	assert(r.ok, `fault rule refused: ${await r.text()}`);
}

export async function config(settings) {
	const r = await fetch(`${base}/_emu/config`,
	    { method: 'POST', body: JSON.stringify(settings) });
	assert(r.ok, `setting refused: ${await r.text()}`);
}

export async function stats(op) {
	const s = await (await fetch(`${base}/_emu/stats`)).json();
	return op ? s.ops[op] : s;
}

// The last request of an operation, as it came over the wire.
export async function last(op) {
	const log = await (await fetch(
	    `${base}/_emu/log?op=${op}&limit=1`)).json();
	assert(log.length === 1, `no ${op} in the log`);
	const [e] = log;
	e.header = Object.fromEntries(
	    e.headers.map(([k, v]) => [k.toLowerCase(), v]));
	e.json = e.body ? JSON.parse(e.body) : undefined;
	return e;
}

export async function reset() {
	await fetch(`${base}/_emu/reset`, { method: 'POST' });
}

export function cosine(a, b) {
	let dot = 0, x = 0, y = 0;
	for (let i = 0; i < a.length; i++) {
		dot += a[i] * b[i];
		x += a[i] * a[i];
		y += b[i] * b[i];
	}
	return dot / Math.sqrt(x * y);
}

export const length = (a) => Math.sqrt(a.reduce((s, x) => s + x * x, 0));

export async function collect(iterable) {
	const all = [];
	for await (const x of iterable) all.push(x);
	return all;
}
