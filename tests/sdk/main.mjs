// Run all checks, or those named: node main.mjs [gemini|pinecone|openai|raw|v1]...

import { gemini } from './gemini.mjs';
import { openai } from './openai.mjs';
import { pinecone } from './pinecone.mjs';
import { reset, result } from './lib.mjs';
import { rawHttp } from './raw.mjs';
import { v1 } from './v1.mjs';

const all = { gemini, pinecone, openai, raw: rawHttp, v1 };
const wanted = process.argv.length > 2 ? process.argv.slice(2) :
    Object.keys(all);

for (const name of wanted) {
	await reset();
	await all[name]();
}
const { passed, failed } = result();
console.log(`# node ${process.version}: ${passed} ${failed}`);
process.exit(failed ? 1 : 0);
