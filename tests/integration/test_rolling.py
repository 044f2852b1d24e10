"""Workers are replaced while requests run: none fails."""
import os
import signal
import threading
import time

import pytest

from conftest import plain_site
from harness import SERVERS, wait_until


@pytest.fixture(params=["lighttpd", "apache_proxy", "nginx"])
def site(request):
    if SERVERS[request.param].missing():
        pytest.skip(SERVERS[request.param].missing())
    with plain_site(SERVERS[request.param]) as front:
        yield front


class Load:
    """Clients that ask without a pause and count what fails."""

    def __init__(self, client, n=4):
        self.client, self.stop, self.ok, self.failed = client, threading.Event(), 0, []
        self.threads = [threading.Thread(target=self.run) for _ in range(n)]

    def run(self):
        while not self.stop.is_set():
            try:
                r = self.client.chat("rolling", "Where does the red wagon stand?", timeout=20)
                if r.status == 200:
                    self.ok += 1
                else:
                    self.failed.append(r)
            except OSError as e:
                self.failed.append(e)

    def more(self, n):
        """So many more are answered, or something fails: then what comes next comes in the middle of them."""
        seen = self.ok
        return wait_until(lambda: self.ok >= seen + n or self.failed, 30)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for t in self.threads:
            t.join()


def roll(site, number=signal.SIGHUP):
    before = set(site.service.workers("chat"))
    os.kill(site.service.masters["chat"].pid, number)
    return before, lambda: len(site.service.workers("chat")) == len(before) and not before & set(site.service.workers("chat"))


def test_rolling_replacement_loses_no_request(site):
    assert site.client.store("rolling", "w", ["The red wagon stands behind the barn."]).status == 200
    with Load(site.client) as load:
        for _ in range(5):
            before, replaced = roll(site)
            assert wait_until(replaced, 30), "the workers were not replaced"
            assert load.more(20)
    assert load.failed == []


def test_the_master_replaces_itself_and_loses_nothing(site):
    master = site.service.masters["chat"].pid
    with Load(site.client) as load:
        for n in range(3):
            os.kill(master, signal.SIGUSR2)
            assert wait_until(lambda: site.service.masters["chat"].tail(1 << 20).count(" 2 taken over") > n, 30)
            assert load.more(15) and len(site.service.workers("chat")) == 2
        before, replaced = roll(site)
        assert wait_until(replaced, 30), "the new master does not know its workers"
        assert load.more(15)
    assert load.failed == []
    assert site.service.masters["chat"].alive()


def test_a_broken_configuration_keeps_the_old_workers(site):
    before = set(site.service.workers("chat"))
    with open(site.service.conf, "a") as f:
        f.write("no_such_option = 1\n")
    os.kill(site.service.masters["chat"].pid, signal.SIGHUP)
    assert wait_until(lambda: "the old workers stay" in site.service.masters["chat"].tail(), 30)
    time.sleep(0.5)
    assert set(site.service.workers("chat")) == before
    assert site.client.chat("rolling", "hello?").status == 200
    assert "no_such_option" in site.service.masters["chat"].tail()


def test_a_new_configuration_arrives_with_the_new_workers(site):
    site.service.options["retriever_search_k"] = 2
    site.service.write_conf()
    assert site.client.store("k", "k", [f"Number {i} of the same words." for i in range(9)]).status == 200
    assert len(site.client.chat("k", "Which number of the same words?").json["metadata"]["sources"]) == 5
    before, replaced = roll(site)
    assert wait_until(replaced, 30)
    assert len(site.client.chat("k", "Which number of the same words?").json["metadata"]["sources"]) == 2
