"""memcached as it fails in the field: every answer stays right, none waits for it, and it is used again afterwards.

Two services have the same documents: one whose caches are all on and stand behind a relay that misbehaves, and one
without any. What the second answers is what the first must answer, whatever its memcached does.
"""
import concurrent.futures
import contextlib
import socket
import statistics
import threading
import time

import pytest

from conftest import Cloud
from faultproxy import FaultProxy
from harness import SLOW, Memcached, counter, in_time, temporary, unanswered, wait_until

BOT = "almanac"
PLACES = ["Aldgate", "Bermondsey", "Camden", "Deptford", "Ealing", "Finchley", "Greenwich", "Hackney", "Islington",
          "Kilburn", "Lambeth", "Mayfair"]
DOCS = [f"The library of {p} was opened in {1901 + 7 * i} and lends {300 + 11 * i} atlases." for i, p in enumerate(PLACES)]
QUESTIONS = [f"When was the library of {p} opened?" for p in PLACES]
CACHES = {"answer_cache": "exact", "memcached_timeout_ms": 50, "cache_budget_ms": 100, "threads": 32}
ADD = 0x02      # in memcached's binary protocol
# What a request may wait for caches in sum, an operation beyond the budget included, and what a busy machine may add.
BUDGET, SLACK = 0.15, 0.4 * SLOW


class Pair:
    """The service under test behind a relay, and what it must answer."""

    def __init__(self, emulator, directory, megabytes=16):
        self.emulator, self.ends = emulator, contextlib.ExitStack()
        with contextlib.ExitStack() as ends:
            self.memcached = Memcached(directory, megabytes=megabytes)
            ends.callback(lambda: self.memcached.stop())
            self.proxy = FaultProxy(self.memcached.socket)
            ends.callback(self.proxy.stop)
            plain = ends.enter_context(temporary())
            servers = {"memcached_servers": f"127.0.0.1:{self.proxy.port}"}
            self.cached = ends.enter_context(Cloud(emulator, directory, ["gemini"], {**CACHES, **servers}))
            self.plain = ends.enter_context(Cloud(emulator, plain, ["gemini"], {"threads": 32}))
            for cloud in (self.cached, self.plain):
                assert cloud.client.store(BOT, "libraries", DOCS).status == 200
            self.truth = {q: self.plain.client.chat(BOT, q).json["response"] for q in QUESTIONS}
            assert len(set(self.truth.values())) == len(QUESTIONS)
            self.ends = ends.pop_all()

    def ask(self, question):
        """Seconds; the answer was right."""
        start = time.monotonic()
        r = self.cached.client.chat(BOT, question)
        took = time.monotonic() - start
        assert r.status == 200, r
        assert r.json["response"] == self.truth[question], (question, r.json["response"])
        return took

    def uncached(self):
        """Seconds that each answer takes with no caches at all, just now."""
        times = []
        for q in QUESTIONS:
            start = time.monotonic()
            assert self.plain.client.chat(BOT, q).status == 200
            times.append(time.monotonic() - start)
        return times

    def how(self, question):
        r = self.cached.client.chat(BOT, question)
        assert r.status == 200 and r.json["response"] == self.truth[question], r
        return r.json["metadata"]["cache"]

    def well(self):
        """All as before: answers come from the cache again, and no worker has died."""
        self.proxy.mode = "ok"
        assert wait_until(lambda: [self.how(q) for q in QUESTIONS[:3]] == ["answer"] * 3, 15 * SLOW, 0.2)
        dead = [line for line in self.cached.service.logs().splitlines()
                if "killed by signal" in line or "AddressSanitizer" in line]
        assert not dead, dead[-3:]


@pytest.fixture(scope="module")
def pair(emulator):
    with temporary() as d:
        p = Pair(emulator, d)
        try:
            yield p
        finally:
            p.ends.close()


@pytest.fixture(autouse=True)
def calm(emulator):
    emulator.clear()
    yield
    emulator.clear()


def test_the_caches_answer(pair):
    pair.proxy.mode = "ok"
    # Where the machine is so busy that memcached takes its 50 ms, something is not kept the first time.
    assert wait_until(lambda: [pair.how(q) for q in QUESTIONS] == ["answer"] * len(QUESTIONS), 15 * SLOW, 0.1)
    hits = counter(pair.cached.client, "chatsphere_cache_requests_total", cache="answer", result="hit")
    assert hits >= len(QUESTIONS)


# (row, mode)
FAULTS = [
    ("M-01-down", "down"),
    ("M-02-20ms", ("latency", 0.02)),
    ("M-02-200ms", ("latency", 0.2)),
    ("M-02-5s", ("latency", 5.0)),
    ("M-02-hang", "hang"),
    ("M-02-reset", "reset"),
    ("M-02-slices", "slice"),
    ("M-02-1kB-a-second", ("trickle", 1000)),
    ("M-03-every-reply-flipped", ("flip", 100)),
    ("M-03-some-replies-flipped", ("flip", 30)),
    ("an-HTTP-server", "http"),
]


@pytest.mark.parametrize("mode", [m for _, m in FAULTS], ids=[r for r, _ in FAULTS])
def test_memcached_misbehaves(pair, mode):
    """Every answer is right, and waits for caches no longer than the budget."""
    for attempt in range(6):
        pair.well()
        before = pair.uncached()
        pair.proxy.mode = mode
        times = [pair.ask(q) for q in QUESTIONS * 3]
        before += pair.uncached()
        worst = max(times) - max(before)
        # By now both workers have given it up, or it is merely slow: what each request still pays is one budget at most.
        late = statistics.median(times[len(QUESTIONS):]) - statistics.median(before)
        if worst < BUDGET + SLACK and late < BUDGET + SLACK / 4:
            break
    else:
        # Some of the times it may have been another's work on this machine.
        raise AssertionError((mode, worst, late, times))
    pair.well()


def test_the_breaker_stops_paying(pair):
    """A hung memcached costs a process a few time limits, and then nothing."""
    pair.well()
    pair.proxy.mode = "hang"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(pair.ask, QUESTIONS * 2))
    errors = counter(pair.cached.client, "chatsphere_cache_requests_total", result="error")
    start, asked = time.monotonic(), pair.proxy.swallowed
    for q in QUESTIONS:
        pair.ask(q)
    took = time.monotonic() - start
    assert counter(pair.cached.client, "chatsphere_cache_breaker_open") >= 1 or took > 4
    # Refused without asking: none of these waited. But for the probes, that is: one in three seconds of each worker.
    assert pair.proxy.swallowed - asked <= 2 * (1 + took / 3), (pair.proxy.swallowed - asked, took)
    assert counter(pair.cached.client, "chatsphere_cache_requests_total", result="error") > errors
    pair.well()

    def closed():
        """A breaker closes when it is asked; so that each worker is, many ask at once."""
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(pair.ask, QUESTIONS * 2))
        return counter(pair.cached.client, "chatsphere_cache_breaker_open") == 0
    assert wait_until(closed, 20 * SLOW, 0.3)


def test_stopped_and_started_under_load(pair):
    """M-01: no error while memcached goes and comes back, and hits again soon after."""
    pair.well()
    failures, ending = [], threading.Event()

    def load():
        i = 0
        while not ending.is_set():
            i += 1
            try:
                pair.ask(QUESTIONS[i % len(QUESTIONS)])
            except AssertionError as e:
                failures.append(e)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for t in threads:
        t.start()
    try:
        time.sleep(0.5)
        pair.memcached.stop()
        time.sleep(1.5)
        pair.memcached.start()
        back = wait_until(lambda: pair.how(QUESTIONS[0]) == "answer", 10 * SLOW, 0.1)
    finally:
        ending.set()
        for t in threads:
            t.join()
    assert not failures, failures[:3]
    assert back
    pair.well()


def test_flushed_under_load(pair, emulator):
    """M-04: after flush_all, many identical requests at once are one call of the model, not one each."""
    def calls():
        return emulator.stats()["ops"]["gemini.generate"]["requests"]

    for attempt in range(3):
        pair.well()
        emulator.fault("gemini.generate", count=-1, delay_ms=300)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(pair.memcached.socket)
            s.sendall(b"flush_all\r\n")
            assert s.recv(64).startswith(b"OK")
        before, silent = calls(), unanswered(pair.cached.client)
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            list(pool.map(pair.ask, [QUESTIONS[5]] * 50))
        emulator.clear()
        # Not even on a machine so busy that memcached takes its 50 ms is it one each.
        assert calls() - before < 25
        if unanswered(pair.cached.client) == silent:
            assert calls() - before <= 2
            return


@pytest.mark.parametrize("how", ["garble", "lose"])
def test_a_claim_that_got_no_answer(emulator, how):
    """memcached has noted who leads, but the reply never came: nobody waits for a leader who does not know of it."""
    with temporary() as d, contextlib.ExitStack() as ends:
        memcached = Memcached(d)
        ends.callback(memcached.stop)
        proxy = FaultProxy(memcached.socket)
        ends.callback(proxy.stop)
        options = {**CACHES, "answer_cache": "off", "memcached_servers": f"127.0.0.1:{proxy.port}"}
        cloud = ends.enter_context(Cloud(emulator, d, ["gemini"], options))
        assert cloud.client.store(BOT, "libraries", DOCS).status == 200
        proxy.mode = (how, ADD)
        for q in QUESTIONS[:3]:
            for _ in range(2):
                start = time.monotonic()
                r = cloud.client.chat(BOT, q)
                assert r.status == 200 and r.json["metadata"]["cache"] != "answer", r
                # A lease of three seconds is what they would wait for.
                assert time.monotonic() - start < 2 * SLOW
            # Not refused, for then nothing would have been claimed.
            assert counter(cloud.client, "chatsphere_cache_breaker_open") == 0


def test_hardly_any_memory(emulator):
    """M-05: everything is thrown out all the time; nothing goes wrong."""
    with temporary() as d:
        pair = Pair(emulator, d, megabytes=2)
        try:
            filler = [f"Note {i}: the tide table of harbor {i * 7919 % 1000} has {i} entries. " + "Filler words. " * 20 for i in range(1200)]
            for i in range(0, len(filler), 400):
                assert pair.cached.client.store("filler", f"part-{i}", filler[i:i + 400], timeout=120).status == 200
            for _ in range(3):
                for q in QUESTIONS:
                    pair.ask(q)
        finally:
            pair.ends.close()


@pytest.fixture(scope="module")
def pool(emulator):
    """Three servers that share the keys, each behind a relay of its own."""
    with temporary() as d, contextlib.ExitStack() as ends:
        proxies = []
        for i in range(3):
            m = Memcached(d, f"mc{i}")
            ends.callback(m.stop)
            proxies.append(FaultProxy(m.socket))
            ends.callback(proxies[-1].stop)
        servers = ",".join(f"127.0.0.1:{p.port}" for p in proxies)
        cloud = ends.enter_context(Cloud(emulator, d, ["gemini"], {**CACHES, "memcached_servers": servers}))
        cloud.proxies = proxies
        assert cloud.client.store(BOT, "libraries", DOCS).status == 200
        yield cloud


def answers(cloud, pair_truth=None):
    out = []
    for q in QUESTIONS:
        r = cloud.client.chat(BOT, q)
        assert r.status == 200, r
        assert pair_truth is None or r.json["response"] == pair_truth[q]
        out.append(r.json["metadata"]["cache"])
    return out


@pytest.mark.parametrize("mode", ["down", "hang"])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_one_of_three_is_dead(pool, which, mode):
    """The others go on serving; answers that are theirs are still hits, unless the bot's generation is on the dead one."""
    for p in pool.proxies:
        p.mode = "ok"
    assert wait_until(lambda: answers(pool) == ["answer"] * len(QUESTIONS), 20 * SLOW, 0.3)
    truth = {q: pool.client.chat(BOT, q).json["response"] for q in QUESTIONS}
    pool.proxies[which].mode = mode
    for _ in range(2):
        answers(pool, truth)

    def attempt():
        start = time.monotonic()
        seen = answers(pool, truth)
        assert "answer" in seen or set(seen) == {"miss"}
        return time.monotonic() - start
    in_time(attempt, len(QUESTIONS) * (BUDGET + SLACK / 2))
    pool.proxies[which].mode = "ok"


def test_one_of_three_comes_and_goes(pool):
    """M-06: whatever it forgot or kept meanwhile, no answer is old."""
    for p in pool.proxies:
        p.mode = "ok"
    assert wait_until(lambda: answers(pool) == ["answer"] * len(QUESTIONS), 20 * SLOW, 0.3)
    for version in range(6):
        pool.proxies[1].mode = "down" if version % 2 == 0 else "ok"
        docs = [d.replace("was opened in", f"was opened, says edition {version}, in") for d in DOCS]
        assert pool.client.store(BOT, "libraries", docs).status == 200
        for q in QUESTIONS[:6]:
            r = pool.client.chat(BOT, q)
            assert r.status == 200 and f"edition {version}" in r.json["response"], (version, r)
        time.sleep(0.3)
    pool.proxies[1].mode = "ok"
