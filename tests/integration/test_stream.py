"""POST /chat as server-sent events, through the real servers with their shipped files."""
import contextlib
import json
import os
import signal
import time

import pytest

import harness
import sse
from harness import PATIENT, SERVERS, Memcached, Service, in_time, temporary, wait_until

BEAT = 0.3
BOT, DOCS = "stars", ["The observatory opens its dome on clear nights.",
                      "A guided tour of the observatory takes ninety minutes."]
QUESTION = "How long does a guided tour of the observatory take?"


class Site:
    """A service with an emulated Gemini, memcached and one web server."""

    def __init__(self, emulator, server, config=None, env=None):
        self.emulator, self.server, self.config = emulator, server, config or {}
        self.extra = env or {}

    def __enter__(self):
        self.ends = contextlib.ExitStack()
        d = self.ends.enter_context(temporary())
        memcached = Memcached(d)
        self.ends.callback(memcached.stop)
        config = {"memcached_servers": memcached.socket, "heartbeat_ms": int(BEAT * 1000), "threads": 64,
                  "fallback": "none", **PATIENT, **self.config}
        env = {**self.emulator.env("gemini"), **self.extra}
        self.service = Service(d, config, env)
        self.ends.callback(self.service.stop)
        if self.server.pools:
            self.service.start()
        self.front = self.server(self.service)
        self.ends.callback(self.front.stop)
        self.front.start()
        self.port, self.client = self.front.port, self.front.client
        r = self.client.store(BOT, "observatory", DOCS)
        assert r.status == 200, r
        return self

    def __exit__(self, *exc):
        return self.ends.__exit__(*exc)

    def chat(self, message, params=None, **kw):
        return sse.chat(self.port, BOT, message, params, **kw)


@pytest.fixture(scope="module", params=list(SERVERS))
def site(request, emulator):
    server = SERVERS[request.param]
    if server.missing():
        pytest.skip(server.missing())
    with Site(emulator, server) as s:
        yield s


@pytest.fixture(autouse=True)
def no_faults(emulator):
    emulator.clear()
    yield
    emulator.clear()


def test_a_stream_is_the_plain_answer(site):
    plain = site.client.chat(BOT, QUESTION).json
    with site.chat(QUESTION) as s:
        events = sse.check(s.all())
    assert s.status == 200 and s.ended
    meta, done = events[0].data, events[-1].data
    assert sse.text(events) == plain["response"]
    expected = [{k: v for k, v in source.items() if k != "cited"} for source in plain["metadata"]["sources"]]
    assert meta["sources"] == expected and meta["model"]
    assert set(done) >= {"finish_reason", "model", "tokens_used", "cost_usd", "timings_ms", "cache", "degraded", "cited",
                         "request_id"}
    assert done["finish_reason"] == "stop" and done["tokens_used"] == plain["metadata"]["tokens_used"]
    assert done["cited"] == [i + 1 for i, c in enumerate(plain["metadata"]["sources"]) if c["cited"]]
    assert done["request_id"] == meta["request_id"] == s.headers["x-request-id"]


def test_the_description_is_true(site):
    jsonschema = pytest.importorskip("jsonschema", reason="python3-jsonschema is not installed")
    description = site.client.get("/openapi.json").json
    with site.chat(QUESTION) as s:
        events = sse.check(s.all())
    for name, e in (("Meta", events[0]), ("Delta", events[1]), ("Done", events[-1])):
        jsonschema.Draft202012Validator({"$schema": "https://json-schema.org/draft/2020-12/schema",
                                         "components": description["components"],
                                         "$ref": f"#/components/schemas/Stream{name}"}).validate(e.data)


def test_headers_let_nobody_hold_it_back(site):
    # A short answer may be complete before the server sends its head, and then has a length.
    with site.chat("EMU:ts=5 EMU:slow=50") as s:
        sse.check(s.all())
    assert s.headers["content-type"].startswith("text/event-stream")
    assert "no-store" in s.headers["cache-control"] and "no-transform" in s.headers["cache-control"]
    assert "content-encoding" not in s.headers and "content-length" not in s.headers


def test_accept_asks_for_a_stream_too(site):
    body = {"bot_id": BOT, "message": QUESTION}
    with sse.Stream(site.port, "/chat", body, accept="text/event-stream") as s:
        sse.check(s.all())


def test_every_piece_comes_when_it_was_sent(site):
    """EMU:ts writes the emulator's clock into each piece; ours is the same one."""
    def latest():
        with site.chat("EMU:ts=12 EMU:slow=100") as s:
            events = sse.check(s.all())
        late = []
        for e in events[1:-1]:
            for stamp in e.data["text"].split(";"):
                if stamp.startswith("TS="):
                    late.append(e.at - int(stamp[3:]) / 1e9)
        assert len(late) == 12
        return max(late)
    # What is held back until the end is more than a second late.
    in_time(latest, 0.5, 6)


def test_it_begins_at_once_and_beats(site, emulator):
    emulator.fault("gemini.embed", delay_ms=3000)
    emulator.fault("gemini.stream", delay_ms=3000)
    # One that was asked before would need no vector.
    with site.chat(QUESTION + " And how loud?") as s:
        events = sse.check(s.all())
    assert s.headed - s.started < 2.5, s.headed - s.started
    assert events[0].at - s.started > 2.9
    before = [c for c in s.comments if c < events[0].at]
    after = [c for c in s.comments if c > events[0].at]
    assert len(before) >= 3 and len(after) >= 3, (len(before), len(after))


@pytest.mark.parametrize("body,status", [
    ({"bot_id": BOT, "stream": True}, 400),
    ({"bot_id": BOT, "message": "x", "stream": "yes"}, 400),
    ({"bot_id": "a/b", "message": "x", "stream": True}, 422),
    ({"bot_id": BOT, "message": " ", "stream": True}, 422),
])
def test_a_mistake_is_a_status(site, body, status):
    with sse.Stream(site.port, "/chat", body) as s:
        assert s.status == status and s.headers["content-type"].startswith("application/json")
        assert s.body()["status"] == "error"


def test_no_key_is_a_status(site):
    with site.chat("x", key="wrong") as s:
        assert s.status == 401


@pytest.mark.parametrize("kind", ["reset", "truncate"])
def test_cut_in_the_middle_is_an_error_event(site, emulator, kind):
    emulator.fault("gemini.stream", kind=kind, at=1500)
    with site.chat("EMU:len=400 EMU:slow=1") as s:
        events = sse.check(s.all())
    assert s.ended and events[-1].name == "error"
    error = events[-1].data
    assert error["error"]["source"] == "gemini" and error["error"]["code"] == "provider_unavailable"
    assert error["status"] == "error" and error["request_id"] == events[0].data["request_id"]


def test_a_deadline_in_the_middle_is_an_error_event(site):
    with site.chat("EMU:ts=100 EMU:slow=100", headers={"X-Request-Timeout-Ms": "2000"}) as s:
        events = sse.check(s.all())
    assert events[-1].name == "error" and events[-1].data["error"]["code"] == "deadline_exceeded"
    # The whole of it takes ten.
    assert 1.8 < events[-1].at - s.started < 5


def test_characters_are_never_cut(site):
    text = "Grüße aus 東京, čeština, 🙂🙃 und Ω. " * 20
    with site.chat("EMU:text=" + text) as s:
        events = sse.check(s.all())
    assert sse.text(events).strip() == text.strip()
    assert "\ufffd" not in sse.text(events)


def departures(emulator):
    """Calls of ours that the emulated provider saw broken off."""
    return emulator.stats()["disconnects"]["count"]


def gone(site, phase):
    out = 0
    for line in site.client.get("/metrics").body.decode().splitlines():
        if line.startswith("chatsphere_client_gone_total") and 'endpoint="chat"' in line and f'phase="{phase}"' in line:
            out += float(line.rpartition(" ")[2])
    return out


@pytest.mark.parametrize("phase,op", [("retrieve", "gemini.embed"), ("generate", "gemini.stream"), ("stream", None)])
def test_leaving_ends_the_upstream_call(site, emulator, phase, op):
    if op is not None:
        emulator.fault(op, delay_ms=8000)
    before = gone(site, phase)
    left = departures(emulator)
    s = site.chat("EMU:ts=80 EMU:slow=100")
    if phase == "stream":
        events = s.events()
        for _ in range(4):
            next(events)
    else:
        assert wait_until(lambda: (emulator.stats()["ops"].get(op) or {}).get("in_flight", 0) == 1, 5), emulator.stats()
    start = time.monotonic()
    s.close()
    # Apache tells only when it is written to; then two writes are needed.
    assert wait_until(lambda: departures(emulator) > left, 7), emulator.stats()["disconnects"]
    # Who does not leave hears all of it in eight.
    assert time.monotonic() - start < 4 * BEAT + 3
    assert wait_until(lambda: gone(site, phase) == before + 1, 5), (phase, before)


def test_a_broken_stream_is_resumed(site):
    body = json.dumps({"bot_id": BOT, "message": "EMU:ts=10 EMU:slow=20", "stream": True})
    with sse.Stream(site.port, "/chat", body) as s:
        whole = sse.check(s.all())
    for seen in (0, 3, len(whole) - 2, len(whole) - 1):
        with sse.Stream(site.port, "/chat", body, headers={"Last-Event-ID": whole[seen].id}) as s:
            assert s.status == 200
            rest = s.all()
        assert [(e.id, e.name, e.data) for e in rest] == [(e.id, e.name, e.data) for e in whole[seen + 1:]]


def test_nobody_else_can_resume(site):
    body = {"bot_id": BOT, "message": QUESTION, "stream": True}
    with sse.Stream(site.port, "/chat", body) as s:
        events = sse.check(s.all())
    other = {"bot_id": BOT, "message": QUESTION + " Please.", "stream": True}
    for last, b, status in ((events[0].id, other, 404), ("0123456789abcdef.0", body, 404), ("nonsense", body, 400)):
        with sse.Stream(site.port, "/chat", b, headers={"Last-Event-ID": last}) as s:
            assert s.status == status, (last, s.status)


def test_who_left_finds_it_cancelled(site, emulator):
    body = json.dumps({"bot_id": BOT, "message": "EMU:ts=60 EMU:slow=100", "stream": True})
    s = sse.Stream(site.port, "/chat", body)
    events = s.events()
    seen = [next(events) for _ in range(5)]
    left = departures(emulator)
    s.close()
    assert wait_until(lambda: departures(emulator) > left, 5)
    with sse.Stream(site.port, "/chat", body, headers={"Last-Event-ID": seen[-1].id}) as s:
        rest = s.all()
    assert rest[-1].name == "error" and rest[-1].data["error"]["code"] == "cancelled"


def test_a_time_of_grace_lets_it_go_on(emulator):
    body = json.dumps({"bot_id": BOT, "message": "EMU:ts=20 EMU:slow=100", "stream": True})
    with Site(emulator, SERVERS["lighttpd"], {"resume_grace_ms": 10000, "heartbeat_ms": 2000}) as site:
        s = sse.Stream(site.port, "/chat", body)
        events = s.events()
        seen = [next(events) for _ in range(5)]
        s.close()
        with sse.Stream(site.port, "/chat", body, headers={"Last-Event-ID": seen[-1].id}) as s:
            rest = s.all()
    sse.check(seen + rest)
    assert rest[-1].name == "done" and sse.text(seen + rest).count("TS=") == 20


def test_ending_the_service_ends_streams_in_words(emulator):
    with Site(emulator, SERVERS["lighttpd"], {"drain_ms": 3000}) as site:
        short = site.chat("EMU:ts=20 EMU:slow=50")
        long = site.chat("EMU:ts=200 EMU:slow=50")
        quick, slow = short.events(), long.events()
        first, other = next(quick), next(slow)
        start = time.monotonic()
        os.kill(site.service.masters["chat"].pid, signal.SIGTERM)
        finished = sse.check([first] + list(quick))
        cut = sse.check([other] + list(slow))
        took = time.monotonic() - start
        short.close()
        long.close()
    assert finished[-1].name == "done"
    assert cut[-1].name == "error" and cut[-1].data["error"]["code"] == "overloaded" and cut[-1].data["error"]["retryable"]
    # The long one takes ten.
    assert took < 6


def test_two_hundred_streams_at_once(emulator):
    """None lost, none out of order, none mixed up with another."""
    n, pieces = 200, 100
    with Site(emulator, SERVERS["lighttpd"], {"threads": 128}) as site:
        streams = [site.chat(f"EMU:ts={pieces} EMU:slow=10", headers={"X-Request-Id": f"s{i}"}) for i in range(n)]
        for i, s in enumerate(streams):
            events = sse.check(s.all())
            s.close()
            assert events[-1].name == "done" and events[0].data["request_id"] == f"s{i}"
            stamps = [int(t[3:]) for t in sse.text(events).split(";") if t.startswith("TS=")]
            assert len(stamps) == pieces and stamps == sorted(stamps)
        assert harness.wait_until(lambda: "panic" not in site.service.logs(), 1)
