"""Nothing that was replaced or deleted, and nothing of another's, ever comes out of a cache.

Each text carries a mark: its tenant, its document and its version. Whoever reads remembers what was acknowledged before
he asked; a mark of an older version, of a deleted document or of another tenant in what comes back is a lie.
"""
import contextlib
import hashlib
import os
import random
import re
import subprocess
import threading
import time

import pytest

from conftest import Cloud
from harness import BUILD, PATIENT, SLOW, Memcached, temporary

PROGRAM = os.path.join(BUILD, "cli/chatsphere")
STEPS = int(os.environ.get("CSA_FRESH_STEPS", "4000")) // SLOW
BOT, DOCUMENTS = "twin", 6
TENANTS = {"a": "key-of-tenant-a-0123456789abcdef", "b": "key-of-tenant-b-0123456789abcdef"}
MARK = re.compile(r"mark-([a-z])-(\d+)-(\d+)-end")
TOPICS = ["harbor", "orchard", "quarry", "viaduct", "windmill", "foundry"]


def text(tenant, document, version):
    return f"The {TOPICS[document]} has the number mark-{tenant}-{document}-{version}-end in the register."


def question(document):
    return f"Which number has the {TOPICS[document]} in the register?"


def keys_file(directory):
    path = os.path.join(directory, "keys")
    with open(path, "w") as f:
        for tenant, key in TENANTS.items():
            f.write(f"{tenant} sha256:{hashlib.sha256(key.encode()).hexdigest()} endpoints=* bots=* tenant={tenant}\n")
    return path


@contextlib.contextmanager
def cached(emulator, vendors, more=None):
    """A service with all caches on."""
    with temporary() as d:
        memcached = Memcached(d)
        try:
            config = {"memcached_servers": memcached.socket, "keys_file": keys_file(d), **PATIENT, **(more or {})}
            with Cloud(emulator, d, vendors, config) as cloud:
                cloud.memcached = memcached
                yield cloud
        finally:
            memcached.stop()


class World:
    """What is acknowledged: of each document its last version, and whether that was a deletion."""

    def __init__(self, client, tenant):
        self.client, self.tenant, self.key = client, tenant, TENANTS[tenant]
        self.lock = threading.Lock()
        self.acknowledged = {d: (0, False) for d in range(DOCUMENTS)}   # (version, is there)
        self.history = {d: [] for d in range(DOCUMENTS)}                # (when, version, is there)
        self.begun = dict.fromkeys(range(DOCUMENTS), 0)

    def acknowledge(self, document, version, there):
        with self.lock:
            self.acknowledged[document] = (version, there)
            self.history[document].append((time.monotonic(), version, there))

    def store(self, document):
        version = self.begun[document] = self.begun[document] + 1
        r = self.client.store(BOT, f"doc-{document}", [text(self.tenant, document, version)], key=self.key)
        assert r.status == 200, r
        self.acknowledge(document, version, True)

    def delete(self, document):
        there = self.acknowledged[document][1]
        version = self.begun[document] = self.begun[document] + 1
        r = self.client.request("DELETE", f"/documents/doc-{document}?bot_id={BOT}", key=self.key)
        assert r.status == (200 if there else 404), r
        self.acknowledge(document, version, False)

    def change(self, rng):
        document = rng.randrange(DOCUMENTS)
        if rng.random() < 0.35:
            self.delete(document)
        else:
            self.store(document)

    def known(self):
        with self.lock:
            return dict(self.acknowledged)

    def ask(self, document, client=None, extra="", answers=True):
        """Marks in the reply, and where it came from: passages alone, unless whole answers may be given again."""
        params = {"temperature": 0, "cache": True if answers else None}
        r = (client or self.client).chat(BOT, question(document) + extra, params, key=self.key)
        assert r.status == 200, r
        body = r.body.decode()
        return {(t, int(d), int(v)) for t, d, v in MARK.findall(body)}, r.json["metadata"]["cache"]

    def check(self, marks, before):
        """No mark is of another, or older than what was acknowledged before."""
        for tenant, document, version in marks:
            assert tenant == self.tenant, f"a text of tenant {tenant} for {self.tenant}"
            least, there = before[document]
            assert version >= least and (there or version > least), \
                f"{self.tenant}: version {version} of document {document} after {least} {'stored' if there else 'deleted'}"
            assert version <= self.begun[document]


@pytest.mark.parametrize("vendors", [[], ["gemini"]], ids=["extractive", "gemini"])
def test_random_steps_over_two_tenants(emulator, vendors):
    """One after the other: what is read is exactly what is there."""
    emulator.reset()
    rng = random.Random(20261124)
    with cached(emulator, vendors) as cloud:
        worlds = [World(cloud.client, t) for t in TENANTS]
        came = {"miss": 0, "retrieval": 0, "answer": 0}
        seen = 0
        for _ in range(STEPS):
            world, other = rng.sample(worlds, 2)
            if rng.random() < 0.06:
                world.change(rng)
                continue
            document = rng.randrange(DOCUMENTS)
            marks, cache = world.ask(document, extra=rng.choice(["", "", " ", "\n"]), answers=rng.random() < 0.5)
            came[cache] += 1
            seen += len(marks)
            world.check(marks, world.known())
            version, there = world.known()[document]
            assert ((world.tenant, document, version) in marks) == there, (marks, document, version, there)
        # The caches were there to lie.
        asked = sum(came.values())
        assert came["miss"] < asked / 2 and min(came["answer"], came["retrieval"]) > asked / 6, came
        assert seen > asked / 2
        print(f"{vendors}: {came}")


@pytest.mark.parametrize("vendors", [[], ["gemini"]], ids=["extractive", "gemini"])
def test_readers_and_writers_at_the_same_time(emulator, vendors):
    """What was acknowledged before a question was asked holds for its answer."""
    emulator.reset()
    with cached(emulator, vendors, {"threads": 32}) as cloud:
        worlds = [World(cloud.client, t) for t in TENANTS]
        stop, problems, came = threading.Event(), [], {"miss": 0, "retrieval": 0, "answer": 0}

        def guarded(work, seed):
            rng = random.Random(seed)
            try:
                while not stop.is_set():
                    work(rng)
            except BaseException as e:
                problems.append(e)
                stop.set()

        def writer(world):
            def work(rng):
                world.change(rng)
                stop.wait(rng.random() * 0.1)
            return work

        def reader(world):
            def work(rng):
                before = world.known()
                marks, cache = world.ask(rng.randrange(DOCUMENTS), answers=rng.random() < 0.5)
                came[cache] += 1
                world.check(marks, before)
            return work
        threads = [threading.Thread(target=guarded, args=(writer(w), i)) for i, w in enumerate(worlds)]
        threads += [threading.Thread(target=guarded, args=(reader(w), 10 * i + j)) for i, w in enumerate(worlds) for j in range(3)]
        for t in threads:
            t.start()
        stop.wait(10)
        stop.set()
        for t in threads:
            t.join()
        if problems:
            raise problems[0]
        assert min(came["answer"], came["retrieval"]) > 20, came
        print(f"{vendors}: {came}")


# ---- two hosts: a store and a run_dir of their own, one memcached, one index ----

@pytest.fixture(scope="module")
def hosts(emulator):
    emulator.reset()
    with temporary() as shared, temporary() as one, temporary() as two:
        memcached = Memcached(shared)
        try:
            config = {"memcached_servers": memcached.socket, "keys_file": keys_file(shared), **PATIENT}
            with Cloud(emulator, one, ["gemini", "pinecone"], config) as a, Cloud(emulator, two, ["gemini", "pinecone"], config) as b:
                yield a, b
        finally:
            memcached.stop()


class Reader(threading.Thread):
    """Asks without pause, and remembers when it asked and what it read."""

    def __init__(self, world, client):
        super().__init__()
        self.world, self.client, self.over, self.error = world, client, threading.Event(), None
        self.read, self.came = [], {"miss": 0, "retrieval": 0, "answer": 0}

    def run(self):
        n = 0
        try:
            while not self.over.is_set():
                n += 1
                start = time.monotonic()
                marks, cache = self.world.ask(n % DOCUMENTS, self.client, answers=n // DOCUMENTS % 2 == 0)
                self.came[cache] += 1
                self.read.append((start, marks))
        except BaseException as e:
            self.error = e

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()

    def late(self, patience):
        """(seconds, mark) of what was read of an older state so long after the acknowledgement of a newer one."""
        out = []
        for start, marks in self.read:
            for tenant, document, version in marks:
                assert tenant == self.world.tenant
                for when, newer, there in self.world.history[document]:
                    if (newer > version or (newer == version and not there)) and start > when + patience:
                        out.append((start - when, (document, version, newer)))
        return out[:10]


def test_two_hosts_see_every_change_within_a_second(hosts):
    a, b = hosts
    world, rng = World(a.client, "a"), random.Random(7)
    for d in range(DOCUMENTS):
        world.store(d)
    with Reader(world, a.client) as here, Reader(world, b.client) as there:
        for _ in range(3):
            # In a storm of changes ...
            for _ in range(25):
                world.change(rng)
                time.sleep(rng.random() * 0.2)
            for d in range(DOCUMENTS):
                world.store(d)
            # ... and when all has been quiet for so long that what the index says is kept.
            time.sleep(13)
    for reader in (here, there):
        if reader.error:
            raise reader.error
    assert here.late(0) == []
    assert there.late(1.0) == []
    # The other host has none of it in its store, and all of it was there to be quoted from the caches.
    assert min(there.came["retrieval"], there.came["answer"]) > 50, there.came
    assert len({m for _, marks in there.read for m in marks}) > 10
    print(f"here {here.came}, there {there.came}")


def test_the_other_host_tells_of_nothing_that_was_deleted_while_it_slept(hosts):
    """Asked once, quiet for long, asked again a second after the deletion."""
    a, b = hosts
    world = World(a.client, "b")
    world.store(0)
    time.sleep(11)
    for answers, came in ((False, "retrieval"), (True, "answer")):
        for _ in range(3):
            marks, cache = world.ask(0, b.client, answers=answers)
        assert marks == {("b", 0, 1)} and cache == came, (marks, cache)
    world.delete(0)
    time.sleep(1)
    for answers in (False, True):
        marks, cache = world.ask(0, b.client, answers=answers)
        assert marks == set() and cache == "miss", (marks, cache)


# ---- by hand ----

def chatsphere(service, *args):
    return subprocess.run([PROGRAM, "cache", *args, "-c", service.conf], env=service.env, capture_output=True, text=True, timeout=60)


def how(world, n=1):
    return [world.ask(0, answers=False)[1] for _ in range(n)]


def counted(cloud, result):
    page = cloud.client.get("/metrics").body.decode()
    m = re.search(r'^chatsphere_cache_requests_total\{cache="retrieval",result="%s"\} (\d+)$' % result, page, re.M)
    return int(m[1]) if m else 0


def test_flush_and_stats(emulator):
    emulator.reset()
    with cached(emulator, ["gemini"]) as cloud:
        worlds = [World(cloud.client, t) for t in TENANTS]
        for w in worlds:
            w.store(0)
            assert how(w, 3) == ["miss", "retrieval", "retrieval"]
        run = chatsphere(cloud.service, "flush", BOT, "-t", "a")
        assert run.returncode == 0 and "generation raised" in run.stdout and "told" in run.stdout, run
        assert how(worlds[0]) == ["miss"]
        # Each worker looks at the token once a second.
        time.sleep(1)
        assert how(worlds[0], 3)[1:] == ["retrieval", "retrieval"]
        assert how(worlds[1]) == ["retrieval"]
        # A bot of nobody: nothing is made for it.
        run = chatsphere(cloud.service, "flush", "nobody")
        assert run.returncode == 0 and "no documents on this host" in run.stdout, run
        assert not os.path.exists(os.path.join(cloud.service.data, "bots", "nobody.db"))
        run = chatsphere(cloud.service, "stats")
        row = next(line.split() for line in run.stdout.splitlines() if line.startswith("retrieval"))
        assert run.returncode == 0 and int(row[1]) == counted(cloud, "hit") > 5, run.stdout
        assert int(row[2]) == counted(cloud, "miss") > 2, run.stdout
        assert "embedding" in run.stdout and "flights" in run.stdout
        # What it says without memcached.
        cloud.memcached.stop()
        run = chatsphere(cloud.service, "flush", BOT, "-t", "a")
        assert run.returncode == 1 and "generation raised" in run.stdout and "other hosts may give old answers" in run.stderr, run
        cloud.memcached.start()
        for args in (["flush"], ["flush", ".."], ["flush", BOT, "-t", "a.b"], ["stats", BOT], ["fly"], []):
            assert chatsphere(cloud.service, *args).returncode == 2, args


def test_stats_of_no_service_makes_no_file(emulator):
    with temporary() as d:
        conf = os.path.join(d, "conf")
        with open(conf, "w") as f:
            f.write(f"run_dir = {d}/run\ndata_dir = {d}/data\n")
        os.makedirs(f"{d}/run")
        env = {"PATH": os.environ["PATH"], "INTERNAL_API_KEY": "k" * 32}
        run = subprocess.run([PROGRAM, "cache", "stats", "-c", conf], env=env, capture_output=True, text=True)
        assert run.returncode == 1 and "no pool has run" in run.stderr, run
        run = subprocess.run([PROGRAM, "cache", "flush", "b", "-c", conf], env=env, capture_output=True, text=True)
        assert run.returncode == 0 and "none is configured" in run.stdout, run
        assert os.listdir(f"{d}/run") == [] and not os.path.exists(f"{d}/data")
