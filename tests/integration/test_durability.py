"""What was acknowledged is there, whatever dies."""
import http.client
import os
import random
import signal
import statistics
import threading
import time

import pytest

from conftest import plain_site
from harness import SERVERS, wait_until

FACT = "The lighthouse at Cape Farewell was first lit in the year 1870."
QUESTION = "When was the lighthouse at Cape Farewell first lit?"


@pytest.fixture
def site():
    with plain_site(SERVERS["lighttpd"]) as front:
        yield front


def found(client):
    r = client.chat("capes", QUESTION)
    return r.status == 200 and "1870" in r.json["response"]


def test_found_by_a_fresh_process_after_kill_9_of_every_worker(site):
    assert site.client.store("capes", "farewell", [FACT]).status == 200
    for pool in ("chat", "embed_and_store"):
        before = site.service.workers(pool)
        assert len(before) >= 2
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: len(set(site.service.workers(pool)) - set(before)) >= 2), "no new workers"
    assert found(site.client)


def test_found_after_a_restart_of_everything(site):
    assert site.client.store("capes", "farewell", [FACT]).status == 200
    site.stop()
    site.service.stop()
    site.service.start()
    site.start()
    assert found(site.client)


def test_a_200_is_durable_when_the_pool_dies_at_once(site):
    """Store in a loop, kill -9 all workers at random moments, then look for all that was acknowledged."""
    acknowledged, stop = [], threading.Event()

    def writer(n):
        i = 0
        while not stop.is_set():
            i += 1
            name = f"w{n}x{i}"
            try:
                if site.client.store("durable", name, [f"Record {name} is safe."], timeout=10).status == 200:
                    acknowledged.append(name)
            except (OSError, http.client.HTTPException):
                pass
    threads = [threading.Thread(target=writer, args=(n,)) for n in range(3)]
    for t in threads:
        t.start()
    for _ in range(8):
        # Somewhere in the middle of the next ones.
        seen = len(acknowledged)
        wait_until(lambda: len(acknowledged) >= seen + 2, 30)
        time.sleep(random.random() * 0.1)
        for pid in site.service.workers("embed_and_store"):
            os.kill(pid, signal.SIGKILL)
    stop.set()
    for t in threads:
        t.join()
    assert len(acknowledged) > 10
    for name in acknowledged:
        r = site.client.chat("durable", f"record {name}", {"retriever_k": 1})
        assert r.json["metadata"]["source_chunk_ids"] == [f"{name}-chunk-0"], name


def test_a_killed_worker_is_replaced_at_once(site):
    """After the first second of its life: chatsphere-prefork(8)."""
    time.sleep(1.2)
    took = []
    for _ in range(5):
        before = site.service.workers("chat")
        os.kill(before[0], signal.SIGKILL)
        start = time.monotonic()
        assert wait_until(lambda: len(site.service.workers("chat")) == len(before) and
                          before[0] not in site.service.workers("chat"), 30)
        took.append(time.monotonic() - start)
        time.sleep(1.2)
    assert statistics.median(took) < 1, took
    assert "the next attempt is in" not in site.service.masters["chat"].tail(1 << 20)
