import os

import pytest

from harness import SERVERS, Emulator, Memcached, Service, temporary


@pytest.fixture(scope="module", params=list(SERVERS))
def site(request):
    """The whole service behind each of the servers, nothing configured."""
    server = SERVERS[request.param]
    if server.missing():
        pytest.skip(server.missing())
    with temporary() as d:
        memcached = Memcached(d)
        service = Service(d, {"memcached_servers": memcached.socket})
        if server.pools:
            service.start()
        front = server(service).start()
        yield front
        front.stop()
        service.stop()
        memcached.stop()


@pytest.fixture(scope="module")
def emulator():
    if not os.path.exists(os.path.join(os.environ.get("CSA_BUILDDIR", ""), "tests/emu/emulator")):
        pytest.skip("the emulator is not built (libmicrohttpd)")
    with temporary() as d:
        emu = Emulator(d)
        yield emu
        emu.stop()


class Cloud:
    """A service that uses the emulated providers, behind lighttpd."""

    def __init__(self, emulator, directory, vendors, config=None, env=None):
        self.emulator = emulator
        self.service = Service(directory, config, {**emulator.env(*vendors), **(env or {})}).start()
        self.front = SERVERS["lighttpd"](self.service).start()
        self.client = self.front.client

    def stop(self):
        self.front.stop()
        self.service.stop()


@pytest.fixture(scope="module", params=["gemini+pinecone", "gemini", "openai"])
def cloud(request, emulator):
    emulator.reset()
    with temporary() as d:
        c = Cloud(emulator, d, request.param.split("+"))
        yield c
        c.stop()
