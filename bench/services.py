"""The services that are compared: ours, the FastAPI twins, LangChain.

Each is started fresh, answers /chat and /embed_and_store on self.port, and
tells which processes are its own and which are its web server's.
"""

import os
import shutil
import subprocess
import tempfile
import time

import rig

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(HERE)
DEBIAN_PYTHON = "/usr/bin/python3"
CACHE = os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
    "chatsphere-bench")
KEY = "bench-key"
BOT = "bench"


def environment(upstream, tls):
    """What every service is told, under the names that all of them read."""
    gemini, pinecone = upstream.urls(tls)
    env = {k: v for k, v in os.environ.items()
           if k in ("PATH", "HOME", "LANG", "TMPDIR")}
    env.update(
        GOOGLE_API_KEY="bench-google", GOOGLE_GEMINI_BASE_URL=gemini,
        PINECONE_API_KEY="bench-pinecone", PINECONE_INDEX_HOST=pinecone,
        PINECONE_CONTROLLER_HOST=pinecone, INTERNAL_API_KEY=KEY,
        EMBEDDING_MODEL_NAME="gemini-embedding-001",
        EMBEDDING_DIMENSIONS="768",
        GENERATIVE_MODEL_NAME="gemini-3.8-flash")
    return env


class Service:
    """One way to do the job. front() is [] where no web server is needed."""

    name = "?"

    def __init__(self):
        self.procs, self.dir, self.port = [], None, None

    def check(self):
        """Raise rig.Missing where it cannot be run here."""

    def version(self):
        return ""

    def start(self, upstream, tls=False, in_flight=64):
        """Start, and return the seconds until the first answer."""
        self.dir = tempfile.mkdtemp(prefix="bench-" + self.name.split()[0] + "-")
        self.port = rig.free_port()
        began = time.monotonic()
        self.launch(upstream, tls, in_flight)
        rig.wait_until(
            self.name, 60, self.answers,
            lambda: all(p.poll() is None for p in self.procs))
        return time.monotonic() - began

    def answers(self):
        try:
            rig.get("http://127.0.0.1:%d/health" % self.port, 2.0)
            return True
        except OSError:
            return False

    def own(self):
        return [pid for p in self.procs for pid in rig.family(p.pid)]

    def front(self):
        return []

    def log(self):
        return os.path.join(self.dir, "log")

    def stop(self):
        for proc in reversed(self.procs):
            rig.stop(proc)
        self.procs = []
        if self.dir:
            shutil.rmtree(self.dir, ignore_errors=True)
            self.dir = None

    def launch(self, upstream, tls, in_flight):
        raise NotImplementedError


class Ours(Service):
    """The service as it is deployed: three pools and lighttpd."""

    name = "chatsphere"
    pools = ("chat", "embed_and_store", "status")
    kept_dir = None		# set by --keep: a place to look at afterwards

    def __init__(self, build, source=SOURCE):
        super().__init__()
        self.build, self.source = build, source
        self.lighttpd = None

    def program(self, name):
        for place in ("fcgi", "."):
            path = os.path.join(self.build, place, name)
            if os.access(path, os.X_OK):
                return path
        raise rig.Missing("%s is not built in %s" % (name, self.build))

    def check(self):
        for name in ("chatsphere-prefork",) + tuple(
                p + ".fcgi" for p in self.pools):
            self.program(name)
        for tool in ("spawn-fcgi", "lighttpd"):
            if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin"):
                raise rig.Missing("%s is not installed" % tool)

    def version(self):
        rev = subprocess.run(
            ["git", "-C", self.source, "rev-parse", "--short", "HEAD"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return rev.stdout.strip()

    def configure(self, upstream, tls, in_flight):
        """Defaults, but for places, and threads for the requests in flight."""
        workers = max(2, os.cpu_count() or 2)
        conf = os.path.join(self.dir, "chatsphere.conf")
        for d in ("data", "run"):
            os.mkdir(os.path.join(self.dir, d))
        with open(conf, "w") as f:
            f.write("data_dir = %s/data\nrun_dir = %s/run\n" % (
                self.dir, self.dir))
            f.write("log_file = %s\nlog_level = warn\n" % self.log())
            f.write("max_requests = 0\nqueue_timeout_ms = 10000\n")
            f.write("workers = %d\n" % workers)
            if in_flight > 64:
                # One worker may get more than its share: room for that.
                f.write("threads = %d\nqueue = %d\n" % (
                    in_flight * 3 // 4, in_flight))
            if tls:
                f.write("ca_file = %s\n" % upstream.bundle)
        front = os.path.join(self.dir, "lighttpd.conf")
        with open(front, "w") as f:
            f.write(LIGHTTPD_CONF % {
                "port": self.port, "dir": self.dir, "source": self.source})
        return conf, front

    def launch(self, upstream, tls, in_flight):
        env = environment(upstream, tls)
        conf, front = self.configure(upstream, tls, in_flight)
        for pool in self.pools:
            self.procs.append(rig.start(
                ["spawn-fcgi", "-n", "-s",
                 "%s/run/%s.sock" % (self.dir, pool), "-b", "1024", "--",
                 self.program("chatsphere-prefork"), "-c", conf, "--",
                 self.program(pool + ".fcgi"), "-c", conf],
                self.log(), env))
        # lighttpd shuns a socket that it once found missing.
        rig.wait_until("a pool's socket", 10, lambda: all(
            os.path.exists("%s/run/%s.sock" % (self.dir, p))
            for p in self.pools))
        self.lighttpd = rig.start(
            ["/usr/sbin/lighttpd", "-D", "-f", front], self.log(), env)
        self.procs.append(self.lighttpd)

    def own(self):
        return [pid for p in self.procs if p is not self.lighttpd
                for pid in rig.family(p.pid)]

    def front(self):
        return rig.family(self.lighttpd.pid) if self.lighttpd else []


LIGHTTPD_CONF = """
server.port = %(port)d
server.bind = "127.0.0.1"
server.document-root = "%(dir)s"
server.errorlog = "%(dir)s/lighttpd.log"
server.upload-dirs = ( "%(dir)s/run" )
server.max-connections = 4096
server.max-fds = 16384
server.listen-backlog = 4096
server.max-keep-alive-requests = 1000000
var.chatsphere_run = "%(dir)s/run"
include "%(source)s/conf/lighttpd/chatsphere.conf"
"""


class Peer(Service):
    """A FastAPI program under uvicorn, uvloop and httptools."""

    def __init__(self, name, module, python=DEBIAN_PYTHON, needs=(),
                 workers=1, install=()):
        super().__init__()
        self.name, self.module, self.python = name, module, python
        self.needs, self.workers, self.install = needs, workers, install

    def check(self):
        if self.install:
            self.python = make_venv(self.name, self.install)
        missing = subprocess.run(
            [self.python, "-c", "import uvicorn, uvloop, httptools, %s"
             % ", ".join(self.needs)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if missing.returncode != 0:
            raise rig.Missing(missing.stderr.strip().splitlines()[-1])

    def version(self):
        names = ["fastapi", "pydantic"] + [
            n.replace("_", "-") for n in self.needs
            if n not in ("fastapi", "ujson")]
        code = ("import sys\nfrom importlib.metadata import version as v\n"
                "print('python', sys.version.split()[0])\n"
                "[print(n, v(n)) for n in %r]" % (names,))
        out = subprocess.run([self.python, "-c", code], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return ", ".join(out.stdout.split("\n")).strip(", ")

    def launch(self, upstream, tls, in_flight):
        env = environment(upstream, tls)
        env["PYTHONDONTWRITEBYTECODE"] = "1"
        if tls:
            env["PEER_CA_FILE"] = upstream.bundle
        self.procs.append(rig.start(
            [self.python, "-m", "uvicorn", "--app-dir",
             os.path.join(HERE, "peers"), self.module + ":app",
             "--host", "127.0.0.1", "--port", str(self.port),
             "--workers", str(self.workers), "--backlog", "4096",
             "--loop", "uvloop", "--http", "httptools", "--no-access-log",
             "--log-level", "warning"], self.log(), env))


def make_venv(name, packages):
    """A virtual environment in the user's cache, made once."""
    home = os.path.join(CACHE, "venv-" + name.replace(" ", "-"))
    python = os.path.join(home, "bin", "python")
    done = os.path.join(home, "complete")
    if os.path.exists(done):
        return python
    shutil.rmtree(home, ignore_errors=True)
    os.makedirs(CACHE, exist_ok=True)
    for argv in ([DEBIAN_PYTHON, "-m", "venv", home],
                 [python, "-m", "pip", "install", "--quiet", *packages]):
        ran = subprocess.run(argv, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True)
        if ran.returncode != 0:
            last = (ran.stderr.strip().splitlines() or ["?"])[-1]
            raise rig.Missing("%s: %s" % (argv[-1], last))
    open(done, "w").close()
    return python


COMMON = ("fastapi", "uvicorn", "uvloop", "httptools", "ujson")


def all_services(build):
    """Ours first; the order is that of each round."""
    return [
        Ours(build),
        Peer("aiohttp-debian", "twin_aiohttp",
             needs=("fastapi", "aiohttp", "ujson")),
        Peer("aiohttp-newest", "twin_aiohttp",
             needs=("fastapi", "aiohttp", "ujson"),
             install=COMMON + ("aiohttp",)),
        Peer("httpx-debian", "twin_httpx", needs=("fastapi", "httpx")),
        Peer("langchain", "langchain_agent",
             needs=("fastapi", "langchain", "langchain_google_genai",
                    "langchain_pinecone"),
             install=COMMON + ("langchain", "langchain-google-genai",
                               "langchain-pinecone")),
    ]
