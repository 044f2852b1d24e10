"""What is measured, one function a scenario, one dictionary a result."""

import json
import os
import statistics
import time
import urllib.request

import rig
import services

SLOW = rig.DELAYS
SLOW_MS = SLOW["embed"] + SLOW["query"] + SLOW["chat"]
MARK = "@@@@@@@@"
CHAT_BYTES = 856


class Bench:
    """What every scenario needs: where things are, bodies, the upstream."""

    def __init__(self, tools, workdir):
        self.tools, self.workdir = tools, workdir
        self.upstream = rig.Upstream(tools, workdir, services.BOT)
        self.load = rig.Load(tools, workdir)
        self.chat_body = self.write("chat.json", chat_body())
        self.store_body = self.write("store.json", store_body(MARK))
        self.direct_bodies = {
            name: self.write("direct-" + name + ".json", body)
            for name, body in direct_bodies().items()}

    def write(self, name, obj):
        path = os.path.join(self.workdir, name)
        with open(path, "w") as f:
            json.dump(obj, f, separators=(",", ":"))
        return path

    def chat(self, service, *args):
        return self.load.run(service.port, "/chat", self.chat_body,
                             services.KEY, *args, mark=MARK)

    def store(self, service, *args):
        return self.load.run(service.port, "/embed_and_store",
                             self.store_body, services.KEY, *args, mark=MARK)


def chat_body():
    """856 bytes with four turns of history, as in the reference run.

    The mark makes each question another: the same one at the same time would be
    answered once for all who ask it (single flight)."""
    def body(fill):
        return {
            "bot_id": services.BOT,
            "message": "How long is the warranty, and what about damage? " + MARK,
            "user_id": None,
            "history": [
                {"role": "user", "content": "Hello, I bought a device."},
                {"role": "assistant", "content": "Welcome! How can I help?"},
                {"role": "user", "content": "It is about the manual." + fill},
                {"role": "assistant", "content": "Please go on."},
            ],
            "config_params": {
                "agent_type": "rag", "temperature": 0.7, "retriever_k": 5,
                "chat_history_length": 10, "tools": [],
            },
            "stream": False,
        }
    short = len(json.dumps(body(""), separators=(",", ":")))
    return body((" I have read it from the first page to the last." * 20)
                [:CHAT_BYTES - short])


def store_body(number):
    """A hundred chunks of 780 characters, 80 kB, a new document each time."""
    sentence = "Chunk %02d says how the device is used, cleaned and kept. "
    return {
        "document_id": "doc-" + number,
        "chunks": [(sentence % n * 15)[:780] for n in range(100)],
        "metadata": {"bot_id": services.BOT},
    }


def direct_bodies():
    """The three calls behind one /chat, as the twins send them."""
    vector = [0.0123456789] * 768
    text = "The warranty covers parts and labor for two years. " * 15
    return {
        "embed": {"content": {"parts": [{"text": "How long?"}]}},
        "query": {"namespace": services.BOT, "topK": 5,
                  "includeMetadata": True, "vector": vector},
        "chat": {"contents": [{"role": "user", "parts": [{"text": text * 5}]}],
                 "generationConfig": {"temperature": 0.7}},
    }


def answer_of(service, body_file):
    """The parts of an answer that must be the same from everybody."""
    with open(body_file, "rb") as f:
        request = urllib.request.Request(
            "http://127.0.0.1:%d/chat" % service.port, f.read(), {
                "Content-Type": "application/json",
                "X-Internal-API-Key": services.KEY})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as reply:
        got = json.load(reply)
    meta = got["metadata"]
    return {
        "response": got["response"], "response_text": got["response_text"],
        "finish_reason": meta["finish_reason"],
        "tokens_used": meta["tokens_used"],
        "source_chunk_ids": meta["source_chunk_ids"],
        "sources": [(s["chunk_id"], s["document_id"], s["text"])
                    for s in meta["sources"]],
    }


class Meter:
    """CPU of the service, its web server and everybody else over a span."""

    def __init__(self, bench, service):
        self.bench, self.service = bench, service
        self.groups = {
            "own": service.own, "front": service.front,
            "upstream": bench.upstream.pids}
        self.before = {k: rig.cpu_by_thread(pids())
                       for k, pids in self.groups.items()}
        self.busy, self.steal = rig.machine_cpu()
        self.began = time.monotonic()

    def stop(self, load):
        seconds = time.monotonic() - self.began
        busy, steal = rig.machine_cpu()
        used, lost = {}, 0
        for name, pids in self.groups.items():
            used[name], gone = rig.cpu_between(
                self.before[name], rig.cpu_by_thread(pids()))
            lost += gone
        ours = sum(used.values()) + load["cpu_s"]
        return {
            "own_s": used["own"], "front_s": used["front"],
            "upstream_s": used["upstream"], "lost_threads": lost,
            "other_cores": max(0.0, (busy - self.busy - ours) / seconds),
            "steal_s": steal - self.steal,
        }


def per_thousand(meter, load):
    n = max(1, load["requests"])
    return {
        "cpu_own": meter["own_s"] * 1000 / n,
        "cpu_front": meter["front_s"] * 1000 / n,
        "cpu": (meter["own_s"] + meter["front_s"]) * 1000 / n,
        "upstream_cpu": meter["upstream_s"] * 1000 / n,
    }


def measured(bench, service, run, scenario, **more):
    """Run a load under the meter and make the result of both."""
    meter = Meter(bench, service)
    load = run()
    used = meter.stop(load)
    out = {"scenario": scenario, "service": service.name,
           "failures": rig.failures(load), "load": load}
    out.update(used)
    out.update(per_thousand(used, load))
    out.update(more)
    return out


def direct_ms(bench, seconds):
    """p50 of the three upstream calls one after the other, and their sum."""
    gemini, pinecone = bench.upstream.ports
    model = "/v1beta/models/gemini-3.8-flash"
    out = {}
    for name, port, path in (
            ("embed", gemini, "/v1beta/models/gemini-embedding-001"
             ":embedContent"),
            ("query", pinecone, "/query"),
            ("chat", gemini, model + ":generateContent")):
        got = bench.load.run(port, path, bench.direct_bodies[name],
                             services.KEY, "-c", 1, "-d", seconds)
        out[name] = got["ms"]["p50"]
    out["sum"] = sum(out.values())
    return out


def warm_session(bench, service, seconds, rates, results):
    """Everything that wants a warm service and an upstream at 0 ms."""
    bench.upstream.delays({})
    ready = service.start(bench.upstream)
    results({"scenario": "start", "service": service.name,
             "ready_s": ready, "idle_kb": rig.pss_kb(service.own()),
             "front_kb": rig.pss_kb(service.front())})
    answer = answer_of(service, bench.chat_body)
    bench.chat(service, "-c", 16, "-d", max(1.0, seconds / 3))

    bench.upstream.stats(reset=True)
    got = measured(bench, service, lambda: bench.chat(
        service, "-c", 16, "-d", seconds), "chat c=16")
    calls = bench.upstream.stats()
    got["calls_per_chat"] = (calls["embed"] + calls["batch"] + calls["query"]
                             + calls["chat"]) / max(1, got["load"]["requests"])
    got["connections"] = calls["connections"]
    results(got)

    direct = direct_ms(bench, min(0.5, seconds / 4))
    got = measured(bench, service, lambda: bench.chat(
        service, "-c", 1, "-d", max(1.0, seconds / 2)), "chat c=1",
        direct_ms=direct)
    got["added_ms"] = got["load"]["ms"]["p50"] - direct["sum"]
    results(got)

    for rate in rates:
        results(measured(bench, service, lambda: bench.chat(
            service, "-r", rate, "-w", 0.5, "-d", seconds),
            "chat open %d/s" % rate))

    bench.store(service, "-c", 2, "-d", 0.5)
    results(measured(bench, service, lambda: bench.store(
        service, "-c", 2, "-d", seconds), "store c=2"))
    service.stop()
    return answer


def in_flight(bench, service, n, tls, seconds, results):
    """Memory with n slow requests under way; every connection is new."""
    bench.upstream.delays(SLOW)
    service.start(bench.upstream, tls=tls, in_flight=n)
    idle = rig.pss_kb(service.own())
    bench.upstream.stats(reset=True)
    connected = bench.upstream.tls_connections()
    peak = rig.PssPeak(service.own)
    front = rig.PssPeak(service.front)
    got = measured(bench, service, lambda: bench.chat(
        service, "-c", n, "-d", seconds, "-t", 60),
        "in flight %d %s" % (n, "https" if tls else "http"))
    loaded, front_kb = peak.stop(), front.stop()
    calls = bench.upstream.stats()
    got.update(idle_kb=idle, loaded_kb=loaded, front_kb=front_kb,
               kb_per_request=loaded / n, kb_over_idle=(loaded - idle) / n,
               held_by_upstream=calls["waiting_peak"],
               upstream_connections=calls["connections"],
               tls_connections=bench.upstream.tls_connections() - connected,
               ideal_rate=n * 1000 / SLOW_MS)
    results(got)
    service.stop()


def cold_burst(bench, service, n, results):
    """n requests at once on a service that has opened no connection yet."""
    bench.upstream.delays(SLOW)
    service.start(bench.upstream, tls=True, in_flight=n)
    connected = bench.upstream.tls_connections()
    got = measured(bench, service, lambda: bench.chat(
        service, "-n", n, "-t", 60), "cold burst %d https" % n)
    got["tls_connections"] = bench.upstream.tls_connections() - connected
    got["over_upstream"] = got["load"]["ms"]["p50"] / SLOW_MS - 1
    results(got)
    service.stop()


def median(values):
    return statistics.median(values) if values else None
