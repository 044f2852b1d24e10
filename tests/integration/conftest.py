import contextlib
import os

import pytest

from harness import PATIENT, SERVERS, Emulator, Memcached, Service, temporary

# Those with the longest jobs, so that none of them is left for the end.
LONGEST = ["test_caches", "test_cache_fresh", "test_faults", "test_answer_cache", "test_fallback", "test_doctor"]


def shared(item):
    """What a test has in common with others: its file, and the fixtures of it that more than one test uses."""
    found = []
    for name, defs in sorted(item._fixtureinfo.name2fixturedefs.items()):
        if defs[-1].scope == "module" and name != "emulator":
            at = item.callspec.indices.get(name, 0) if hasattr(item, "callspec") else 0
            found.append(f"{name}{at}")
    return ".".join([item.path.stem, *(found or [item.name.replace("@", "")])])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """For xdist's loadgroup: tests that share a service run in one worker, which starts it once; long ones first."""
    items.sort(key=lambda item: (LONGEST + [item.path.stem]).index(item.path.stem))
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            item.add_marker(pytest.mark.xdist_group(shared(item)))


@pytest.fixture(scope="module", params=list(SERVERS))
def site(request):
    """The whole service behind each of the servers, nothing configured."""
    server = SERVERS[request.param]
    if server.missing():
        pytest.skip(server.missing())
    with temporary() as d, contextlib.ExitStack() as ends:
        memcached = Memcached(d)
        ends.callback(memcached.stop)
        service = Service(d, {"memcached_servers": memcached.socket, **PATIENT})
        ends.callback(service.stop)
        if server.pools:
            service.start()
        front = server(service)
        ends.callback(front.stop)
        yield front.start()


@pytest.fixture(scope="module")
def emulator():
    if not os.path.exists(os.path.join(os.environ.get("CSA_BUILDDIR", ""), "tests/emu/emulator")):
        pytest.skip("the emulator is not built (libmicrohttpd)")
    with temporary() as d:
        emu = Emulator(d)
        try:
            yield emu
        finally:
            emu.stop()


class Cloud:
    """A service that uses the emulated providers, behind lighttpd where nothing else is asked for."""

    def __init__(self, emulator, directory, vendors, config=None, env=None, server="lighttpd"):
        self.emulator = emulator
        self.service = Service(directory, config, {**emulator.env(*vendors), **(env or {})})
        self.front = SERVERS[server](self.service)
        self.client = self.front.client

    def __enter__(self):
        try:
            self.service.start()
            self.front.start()
        except AssertionError:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.front.stop()
        self.service.stop()


@pytest.fixture(scope="module", params=["gemini+pinecone", "gemini", "openai"])
def cloud(request, emulator):
    emulator.reset()
    with temporary() as d, Cloud(emulator, d, request.param.split("+")) as c:
        yield c


@contextlib.contextmanager
def plain_site(server, config=None):
    """A service of a test's own behind a server."""
    with temporary() as d, contextlib.ExitStack() as ends:
        service = Service(d, config)
        ends.callback(service.stop)
        service.start()
        front = server(service)
        ends.callback(front.stop)
        yield front.start()
