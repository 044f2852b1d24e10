"""Real servers and the real programs, started in a temporary directory.

Everything listens on unix sockets or free loopback ports and is stopped by
process id. CSA_BUILDDIR names the build, CSA_SRCDIR the sources; the server
configurations are the shipped files, included by a few lines that set the
directory and the port.
"""
import contextlib
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SRC = os.environ.get("CSA_SRCDIR") or os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("CSA_BUILDDIR") or os.path.join(SRC, "build")
# A tool to run every worker under, valgrind with its options say.
WRAP = shlex.split(os.environ.get("CSA_WRAP", ""))
SLOW = 10 if WRAP else 1
# Where a busy machine is not what is tested: memcached may take its time.
PATIENT = {"memcached_timeout_ms": 2000, "cache_budget_ms": 10000}
KEY = "integration-test-key-0123456789abcdef"
POOLS = ("chat", "embed_and_store", "status")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, timeout=10.0, every=0.02):
    """Wait for what() to be true; returns its value, None where it is not when time is over."""
    end = time.monotonic() + timeout
    while True:
        # The last look is begun when time is over: who was stalled in between has missed nothing.
        last = time.monotonic() >= end
        value = what()
        if value:
            return value
        if last:
            return None
        time.sleep(every)


def in_time(attempt, limit, tries=3):
    """One of the attempts takes less than limit: a busy machine stalls some of them, wrong code makes every one late.

    An attempt returns its seconds.
    """
    took = []
    while len(took) < tries:
        took.append(attempt())
        if took[-1] < limit:
            return
    raise AssertionError(f"{took} s, {limit} s is the limit")


class Process:
    """A child in the foreground whose output goes to a log file."""

    def __init__(self, name, argv, log, env=None, cwd=None):
        self.name, self.log = name, log
        self.file = open(log, "ab")
        self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.file, stderr=self.file,
                                      env=env, cwd=cwd, start_new_session=True)
        self.pid = self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def kill(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def stop(self, number=signal.SIGTERM, timeout=40):
        self.kill(number)
        try:
            self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.popen.wait()
            raise AssertionError(f"{self.name} did not end when told to: {self.tail()}")
        finally:
            self.file.close()
        return self.popen.returncode

    def tail(self, n=2000):
        with open(self.log, "rb") as f:
            return f.read()[-n:].decode("utf-8", "replace")


def children(pid):
    """Process ids of a process's children."""
    out = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/children") as f:
            out += [int(p) for p in f.read().split()]
    return out


def comm(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as f:
        return f.read().strip()
    return ""


class Service:
    """The pools under spawn-fcgi and chatsphere-prefork."""

    def __init__(self, directory, config=None, env=None):
        self.dir = directory
        self.run = os.path.join(directory, "run")
        self.data = os.path.join(directory, "data")
        for d in (self.run, self.data):
            os.makedirs(d, exist_ok=True)
        self.conf = os.path.join(directory, "chatsphere.conf")
        self.options = {"data_dir": self.data, "run_dir": self.run, "workers": 2, "threads": 16,
                        "log_level": "debug"}
        self.options.update(config or {})
        self.env = clean_env(env)
        self.masters = {}
        self.write_conf()

    def write_conf(self):
        with open(self.conf, "w") as f:
            for name, value in self.options.items():
                f.write(f"{name} = {value}\n")

    def socket(self, pool):
        return os.path.join(self.run, f"{pool}.sock")

    def start_pool(self, pool):
        argv = ["spawn-fcgi", "-n", "-s", self.socket(pool), "-M", "0660", "-b", "1024", "--",
                os.path.join(BUILD, "fcgi/chatsphere-prefork"), "-c", self.conf, "--",
                *WRAP, os.path.join(BUILD, f"fcgi/{pool}.fcgi"), "-c", self.conf]
        self.masters[pool] = Process(pool, argv, os.path.join(self.dir, f"{pool}.log"), self.env)

    def start(self):
        for pool in POOLS:
            self.start_pool(pool)
        for pool in POOLS:
            wait_until(lambda: self.ready(pool) or self.refused(pool), 60 * SLOW)
            assert self.ready(pool), f"{pool} did not start: {self.masters[pool].tail()}"
        return self

    def ready(self, pool):
        """All workers have read their configuration and accept."""
        started = self.masters[pool].tail(1 << 20).rpartition("workers, 0 taken over")[2]
        return started.count(" is ready after ") >= int(self.options["workers"])

    def refused(self, pool):
        """There is no use in waiting."""
        return not self.masters[pool].alive() or "refused its configuration" in self.masters[pool].tail(1 << 20)

    def workers(self, pool):
        """Process ids of a pool's workers."""
        with contextlib.suppress(FileNotFoundError):
            return [p for p in children(self.masters[pool].pid) if WRAP or comm(p) == f"{pool}.fcgi"[:15]]
        return []

    def stop(self):
        problems = []
        for pool, master in self.masters.items():
            try:
                master.stop()
            except AssertionError as e:
                problems.append(str(e))
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.socket(pool))
        self.masters = {}
        assert not problems, problems

    def logs(self):
        out = ""
        for pool in POOLS:
            with contextlib.suppress(FileNotFoundError), open(os.path.join(self.dir, f"{pool}.log"), errors="replace") as f:
                out += f.read()
        return out


def clean_env(extra=None):
    """The environment without a setting of ours in it."""
    prefixes = ("GOOGLE", "GEMINI", "OPENAI", "PINECONE", "EMBEDDING", "GENERATIVE", "RETRIEVER", "CHATSPHERE",
                "MEMCACHED", "INTERNAL_", "REQUEST_", "STORE_", "INGESTION_")
    env = {k: v for k, v in os.environ.items() if not k.startswith(prefixes)}
    env["INTERNAL_API_KEY"] = KEY
    env.update(extra or {})
    return env


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:600]!r}>"


class Client:
    """One request a connection, so that nothing is hidden by reuse."""

    def __init__(self, port):
        self.port = port

    def request(self, method, path, body=None, headers=None, key=KEY, timeout=60):
        h = {"Content-Type": "application/json"} if body is not None else {}
        if key is not None:
            h["X-Internal-API-Key"] = key
        h.update(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            conn.request(method, path, body, {k: v for k, v in h.items() if v is not None})
            r = conn.getresponse()
            return Reply(r.status, r.getheaders(), r.read())
        finally:
            conn.close()

    def raw(self, data, timeout=10, half_close=False):
        """Send bytes as they are; everything that comes back until the end."""
        with socket.create_connection(("127.0.0.1", self.port), timeout) as s:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            out = b""
            with contextlib.suppress(TimeoutError, socket.timeout, ConnectionResetError):
                while chunk := s.recv(65536):
                    out += chunk
            return out

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body, **kw):
        return self.request("POST", path, body, **kw)

    def store(self, bot, document, chunks, metadata=None, **kw):
        return self.post("/embed_and_store", {"document_id": document, "chunks": chunks,
                                              "metadata": {"bot_id": bot, **(metadata or {})}}, **kw)

    def chat(self, bot, message, params=None, **kw):
        body = {"bot_id": bot, "message": message}
        if params is not None:
            body["config_params"] = params
        body.update(kw.pop("more", {}))
        return self.post("/chat", body, **kw)


def counter(client, name, **labels):
    """The sum of a metric's series that have these labels."""
    total = 0.0
    for line in client.get("/metrics").body.decode().splitlines():
        m = re.match(r"(\w+)(?:\{(.*)\})? (\S+)$", line)
        if m and m[1] == name and all(f'{k}="{v}"' in (m[2] or "") for k, v in labels.items()):
            total += float(m[3])
    return total


def unanswered(client):
    """What memcached did not say about flights in its time, so far."""
    return sum(counter(client, "chatsphere_cache_requests_total", cache="flight", result=r) for r in ("error", "skipped"))


class Server:
    """A web server with a shipped configuration in front of a service."""

    name = ""
    needs = ""
    pools = True            # our own pools run, behind it

    def __init__(self, service):
        self.service = service
        self.dir = os.path.join(service.dir, self.name)
        os.makedirs(self.dir, exist_ok=True)
        self.port = free_port()
        self.client = Client(self.port)
        self.process = None

    @classmethod
    def missing(cls):
        return None if shutil.which(cls.needs, path="/usr/sbin:/usr/bin:/sbin:/bin") else f"{cls.needs} is not installed"

    def path(self, name, text=None):
        p = os.path.join(self.dir, name)
        if text is not None:
            with open(p, "w") as f:
                f.write(text)
        return p

    def start(self):
        self.process = Process(self.name, self.argv(), self.path("server.log"), self.env())
        ok = wait_until(lambda: self.answers(), 60)
        assert ok, f"{self.name} does not answer: {self.process.tail()} {self.service.logs()[-2000:]}"
        return self

    def answers(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.client.get("/health", timeout=5).status == 200
        return False

    def env(self):
        return None

    def stop(self):
        if self.process is not None:
            self.process.stop(self.stop_signal)
            self.process = None

    stop_signal = signal.SIGTERM


class Lighttpd(Server):
    name, needs, stop_signal = "lighttpd", "lighttpd", signal.SIGINT

    def argv(self):
        conf = self.path("lighttpd.conf", f"""
server.port = {self.port}
server.bind = "127.0.0.1"
server.document-root = "{self.dir}"
server.errorlog = "{self.dir}/error.log"
server.upload-dirs = ( "{self.dir}" )
server.max-connections = 2048
server.max-fds = 4096
var.chatsphere_run = "{self.service.run}"
include "{SRC}/conf/lighttpd/chatsphere.conf"
""")
        return ["/usr/sbin/lighttpd", "-D", "-f", conf]


class Nginx(Server):
    name, needs = "nginx", "nginx"

    def argv(self):
        with open(f"{SRC}/conf/nginx/chatsphere-upstreams.conf") as f:
            # The one file that is meant to be changed: where the sockets are.
            self.path("chatsphere-upstreams.conf", f.read().replace("/run/chatsphere", self.service.run))
        for name in ("chatsphere-params.conf", "chatsphere.conf"):
            shutil.copy(f"{SRC}/conf/nginx/{name}", self.dir)
        user = "user root;" if os.getuid() == 0 else ""
        temp = "\n".join(f"{k}_temp_path {self.dir}/{k};" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = self.path("nginx.conf", f"""
{user}
daemon off;
pid {self.dir}/nginx.pid;
error_log {self.dir}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    {temp}
    include chatsphere-upstreams.conf;
    server {{
        listen 127.0.0.1:{self.port};
        include chatsphere.conf;
    }}
}}
""")
        return ["/usr/sbin/nginx", "-p", self.dir, "-c", conf]


class Apache(Server):
    needs = "apache2"
    mods = ()

    def env(self):
        env = clean_env()
        env["LANG"] = "C"
        return env

    def argv(self):
        mods = ["mpm_event", "authz_core", "authz_host", "reqtimeout", "env", "setenvif", "alias", "mime", "rewrite", *self.mods]
        load = "\n".join(f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so" for m in mods)
        user = "User www-data\nGroup www-data" if os.getuid() == 0 else ""
        conf = self.path("apache2.conf", f"""
{load}
{user}
ServerName localhost
Listen 127.0.0.1:{self.port}
PidFile {self.dir}/apache2.pid
DefaultRuntimeDir {self.dir}
Mutex pthread
ErrorLog {self.dir}/error.log
LogLevel warn
TypesConfig /etc/mime.types
DocumentRoot {self.dir}/htdocs
StartServers 2
ServerLimit 8
ThreadsPerChild 64
MaxRequestWorkers 512
RequestReadTimeout header=20-40,MinRate=500 body=20,MinRate=500
{self.more()}
""")
        os.makedirs(self.path("htdocs"), exist_ok=True)
        if os.getuid() == 0:
            # Apache's children are www-data: let them reach the sockets.
            for d in (self.service.dir, self.service.run):
                os.chmod(d, 0o755)
            for pool in POOLS:
                with contextlib.suppress(FileNotFoundError):
                    shutil.chown(self.service.socket(pool), group="www-data")
        return ["/usr/sbin/apache2", "-DFOREGROUND", "-f", conf]


class ApacheProxy(Apache):
    name, mods = "apache_proxy", ("proxy", "proxy_fcgi")

    def more(self):
        return f"Define CHATSPHERE_RUN {self.service.run}\nInclude {SRC}/apache/chatsphere-proxy.conf\n"


class ApacheFcgid(Apache):
    name, mods, pools = "apache_fcgid", ("fcgid",), False

    @classmethod
    def missing(cls):
        return Apache.missing() or (None if os.path.exists("/usr/lib/apache2/modules/mod_fcgid.so")
                                    else "libapache2-mod-fcgid is not installed")

    def more(self):
        os.makedirs(self.path("ipc"), exist_ok=True)
        if os.getuid() == 0:
            # The processes run as www-data here.
            for d in (self.service.data, self.service.run, self.path("ipc")):
                shutil.chown(d, "www-data", "www-data")
                for root, dirs, files in os.walk(d):
                    for n in dirs + files:
                        shutil.chown(os.path.join(root, n), "www-data", "www-data")
        variables = {k: v for k, v in self.service.env.items()
                     if k not in os.environ or k.startswith(("INTERNAL", "GOOGLE", "PINECONE", "OPENAI"))}
        initial = "\n".join(f'FcgidInitialEnv {k} "{v}"' for k, v in variables.items())
        return f"""
FcgidIPCDir {self.dir}/ipc
FcgidProcessTableFile {self.dir}/ipc/fcgid_shm
{initial}
Define CHATSPHERE_CONF {self.service.conf}
Define CHATSPHERE_LIBEXEC {BUILD}/fcgi
Include {SRC}/apache/chatsphere-fcgid.conf
"""


SERVERS = {c.name: c for c in (Lighttpd, ApacheProxy, ApacheFcgid, Nginx)}


class Memcached:
    def __init__(self, directory, name="memcached", megabytes=16):
        self.dir, self.name, self.megabytes = directory, name, megabytes
        self.socket = os.path.join(directory, f"{name}.sock")
        self.start()

    def start(self):
        self.process = Process(self.name, ["memcached", "-s", self.socket, "-a", "0666", "-m", str(self.megabytes), "-u",
                                           "root" if os.getuid() == 0 else "nobody"],
                               os.path.join(self.dir, f"{self.name}.log"))
        assert wait_until(self.listens, 30), self.process.tail()

    def listens(self):
        """The socket is there a moment before anybody can connect to it."""
        with socket.socket(socket.AF_UNIX) as s, contextlib.suppress(OSError):
            s.connect(self.socket)
            return True
        return False

    def stop(self):
        self.process.stop()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)


class Emulator:
    """Gemini, Pinecone and an OpenAI-compatible server: tests/emu."""

    GEMINI, PINECONE, OPENAI = "gemini-test-key", "pinecone-test-key", "openai-test-key"
    INDEX, DIM = "chatsphere", 768

    def __init__(self, directory, metric="cosine"):
        program = os.path.join(BUILD, "tests/emu/emulator")
        port_file = os.path.join(directory, "emulator.port")
        self.process = Process("emulator", [program, "--port", "0", "--port-file", port_file, "--gemini-key", self.GEMINI,
                                            "--pinecone-key", self.PINECONE, "--openai-key", self.OPENAI,
                                            "--index", f"{self.INDEX}:{self.DIM}:{metric}"],
                               os.path.join(directory, "emulator.log"))

        def port():
            with contextlib.suppress(FileNotFoundError, ValueError), open(port_file) as f:
                return int(f.read())
            return None
        self.port = wait_until(port, 30)
        assert self.port, self.process.tail()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = Client(self.port)

    def env(self, *vendors):
        """The environment that points a service at it."""
        env = {}
        if "gemini" in vendors:
            env |= {"GOOGLE_API_KEY": self.GEMINI, "GOOGLE_GEMINI_BASE_URL": self.url,
                    "EMBEDDING_DIMENSIONS": str(self.DIM)}
        if "pinecone" in vendors:
            env |= {"PINECONE_API_KEY": self.PINECONE, "PINECONE_INDEX_NAME": self.INDEX,
                    "PINECONE_CONTROLLER_HOST": self.url}
        if "openai" in vendors:
            env |= {"OPENAI_API_KEY": self.OPENAI, "OPENAI_BASE_URL": self.url + "/v1",
                    "EMBEDDING_MODEL_NAME": "text-embedding-3-small", "EMBEDDING_DIMENSIONS": str(self.DIM)}
        return env

    def fault(self, match, **rule):
        r = self.client.post("/_emu/faults", {"match": match, **rule}, key=None)
        assert r.status in (200, 201, 204), r

    def clear(self):
        assert self.client.request("DELETE", "/_emu/faults", key=None).status in (200, 204)

    def release(self):
        """Whatever waits for a delay goes on now."""
        assert self.client.post("/_emu/release", {}, key=None).status == 200

    def reset(self):
        assert self.client.post("/_emu/reset", {}, key=None).status in (200, 204)

    def stats(self):
        return self.client.get("/_emu/stats", key=None).json

    def log(self):
        return self.client.get("/_emu/log", key=None).json

    def stop(self):
        self.process.stop()


@contextlib.contextmanager
def temporary():
    """A short-named directory: unix socket names are short."""
    d = tempfile.mkdtemp(prefix="cs-")
    os.chmod(d, 0o755)
    try:
        yield d
    finally:
        if sys.exc_info()[0] is None and not os.environ.get("CSA_KEEP"):
            shutil.rmtree(d, ignore_errors=True)
        else:
            print(f"kept: {d}")
