"""Processes, their CPU and memory, the fake upstream, the load generator.

Standard library only. Everything started here is stopped again, by its own
process group, whatever happens.
"""

import collections
import json
import os
import re
import resource
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

DELAYS = {"embed": 200, "batch": 200, "query": 20, "chat": 1000}
SYSTEM_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
TICK = os.sysconf("SC_CLK_TCK")


class Missing(Exception):
    """Something optional is not here; the message says what."""


def more_files():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url, timeout=5.0, headers=None):
    request = urllib.request.Request(url, headers=headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=timeout) as reply:
        return reply.read()


def wait_until(what, seconds, ready, alive=lambda: True):
    end = time.monotonic() + seconds
    while not ready():
        if not alive():
            raise RuntimeError("%s ended before it was ready" % what)
        if time.monotonic() > end:
            raise RuntimeError("%s is not ready after %g s" % (what, seconds))
        time.sleep(0.002)


# --- processes -----------------------------------------------------------

_groups = []


def start(argv, log, env=None, stdin=subprocess.DEVNULL, cwd=None):
    """Start argv in a process group of its own, its output to the file log."""
    with open(log, "ab") as out:
        proc = subprocess.Popen(
            argv, stdin=stdin, stdout=out, stderr=out, env=env, cwd=cwd,
            start_new_session=True)
    _groups.append(proc)
    return proc


def stop(proc, seconds=10.0):
    if proc is None or proc not in _groups:
        return
    _groups.remove(proc)
    for sig in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(proc.pid, sig)
        except ProcessLookupError:
            pass
        try:
            proc.wait(seconds)
            break
        except subprocess.TimeoutExpired:
            continue
    # What the leader left behind in its group.
    try:
        os.killpg(proc.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def stop_all():
    for proc in list(reversed(_groups)):
        stop(proc, 3.0)


def tail(path, lines=15):
    try:
        with open(path, errors="replace") as f:
            return "".join(f.readlines()[-lines:])
    except OSError:
        return ""


def family(pid):
    """pid and all that descend from it."""
    found, at = [pid], 0
    while at < len(found):
        try:
            for task in os.listdir("/proc/%d/task" % found[at]):
                with open("/proc/%d/task/%s/children" % (found[at], task)) as f:
                    found += [int(p) for p in f.read().split()]
        except OSError:
            pass
        at += 1
    return found


def cpu_by_thread(pids):
    """{(pid, tid): ns on a CPU}, from schedstat: exact, not in ticks."""
    out = {}
    for pid in pids:
        try:
            tasks = os.listdir("/proc/%d/task" % pid)
        except OSError:
            continue
        for task in tasks:
            try:
                with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
                    out[pid, int(task)] = int(f.read().split()[0])
            except OSError:
                pass
    return out


def cpu_between(before, after):
    """Seconds, and how many threads ended in between (their rest is lost)."""
    ns = sum(v - before.get(k, 0) for k, v in after.items())
    return ns / 1e9, len(set(before) - set(after))


def machine_cpu():
    """Busy seconds of all cores together, and stolen ones."""
    with open("/proc/stat") as f:
        v = [int(x) for x in f.readline().split()[1:]]
    user, nice, system, _, _, irq, softirq, steal = v[:8]
    return (user + nice + system + irq + softirq) / TICK, steal / TICK


def pss_kb(pids):
    total = 0
    for pid in pids:
        try:
            with open("/proc/%d/smaps_rollup" % pid) as f:
                total += int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M)[1])
        except (OSError, TypeError):
            pass
    return total


def pss_by_kind(pids):
    """kB of PSS: of programs and libraries, heaps, stacks, what is shared."""
    out = collections.Counter()
    for pid in pids:
        try:
            with open("/proc/%d/smaps" % pid) as f:
                text = f.read()
        except OSError:
            continue
        kind = None
        for line in text.splitlines():
            m = re.match(r"[0-9a-f]+-[0-9a-f]+ (\S+) \S+ \S+ (\d+)\s*(.*)",
                         line)
            if m:
                size = 0
                kind = mapping_kind(m[3], m[1])
            elif line.startswith("Size:"):
                size = int(line.split()[1])
            elif line.startswith("Pss:"):
                if kind == "anonymous" and size <= 1024 and size > 64:
                    kind = "thread stacks"
                out[kind] += int(line.split()[1])
    return out


def mapping_kind(name, rights):
    if name.startswith("[heap"):
        return "heap, main arena"
    if name.startswith("[stack"):
        return "thread stacks"
    if name.startswith("/") and "s" not in rights:
        return "programs and libraries"
    if name.startswith("/"):
        return "shared files"
    return "anonymous"


class PssPeak(threading.Thread):
    """Samples the PSS of what pids() names until asked for the peak."""

    def __init__(self, pids, every=0.25):
        super().__init__(daemon=True)
        self.pids, self.every = pids, every
        self.peak, self.over = 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(self.every):
            self.peak = max(self.peak, pss_kb(self.pids()))

    def stop(self):
        self.over.set()
        self.join()
        return self.peak


# --- the fake upstream ---------------------------------------------------

class Upstream:
    """Two fakes, one as Gemini and one as Pinecone, and TLS before them."""

    def __init__(self, tools, workdir, bot):
        self.workdir = workdir
        self.procs, self.ports = [], []
        for name in ("gemini", "pinecone"):
            log = os.path.join(workdir, "upstream-%s.log" % name)
            proc = start([os.path.join(tools, "upstream"), "-b", bot], log)
            wait_until("upstream", 5, lambda l=log: "listening" in tail(l),
                       lambda p=proc: p.poll() is None)
            self.procs.append(proc)
            self.ports.append(int(tail(log).split()[-1]))
        self.tls_proc, self.tls_ports, self.bundle = None, None, None
        self._status_calls = 0

    def pids(self):
        procs = self.procs + ([self.tls_proc] if self.tls_proc else [])
        return [pid for p in procs for pid in family(p.pid)]

    def delays(self, ms):
        for port in self.ports:
            query = "&".join(
                "%s=%g" % (k, ms.get(k, 0)) for k in DELAYS)
            get("http://127.0.0.1:%d/set?%s" % (port, query))

    def stats(self, reset=False):
        """Both fakes' counters, added up; of peaks, the higher one."""
        out = {}
        for port in self.ports:
            one = json.loads(get("http://127.0.0.1:%d/stats%s" % (
                port, "?reset=1" if reset else "")))
            for k, v in list(one.pop("routes").items()) + list(one.items()):
                out[k] = max(out.get(k, 0), v) if k == "waiting_peak" \
                    else out.get(k, 0) + v
        return out

    def urls(self, tls):
        if tls and self.tls_ports is None:
            self._start_tls()
        scheme = "https" if tls else "http"
        return ["%s://127.0.0.1:%d" % (scheme, p)
                for p in (self.tls_ports if tls else self.ports)]

    def tls_connections(self):
        """How many TLS connections nginx has taken so far."""
        if self.tls_ports is None:
            return 0
        text = get("http://127.0.0.1:%d/" % self.status_port).decode()
        # "accepts handled requests", and three numbers; ours are among them.
        accepts = re.search(r"(\d+) \d+ \d+", text)[1]
        self._status_calls += 1
        return int(accepts) - self._status_calls

    def _openssl(self, *args):
        subprocess.run(("openssl",) + args, cwd=self.workdir, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _make_certificates(self):
        """A CA of our own at the end of the whole system bundle."""
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=bench CA", "-keyout", "ca.key", "-out", "ca.pem")
        self._openssl(
            "req", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            "/CN=127.0.0.1", "-keyout", "tls.key", "-out", "tls.csr")
        with open(os.path.join(self.workdir, "san"), "w") as f:
            f.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        self._openssl(
            "x509", "-req", "-in", "tls.csr", "-CA", "ca.pem", "-CAkey",
            "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "san",
            "-out", "tls.pem")
        self.bundle = os.path.join(self.workdir, "bundle.pem")
        with open(self.bundle, "w") as out:
            for path in (SYSTEM_BUNDLE, os.path.join(self.workdir, "ca.pem")):
                with open(path) as f:
                    out.write(f.read())

    def _start_tls(self):
        self._make_certificates()
        self.tls_ports = [free_port(), free_port()]
        self.status_port = free_port()
        servers = "".join(NGINX_SERVER % {
            "plain": plain, "tls": tls} for plain, tls
            in zip(self.ports, self.tls_ports))
        conf = os.path.join(self.workdir, "nginx.conf")
        with open(conf, "w") as f:
            f.write(NGINX_CONF % {"dir": self.workdir, "servers": servers,
                                 "status": self.status_port})
        self.tls_proc = start(
            ["/usr/sbin/nginx", "-c", conf, "-e",
             os.path.join(self.workdir, "nginx.log")],
            os.path.join(self.workdir, "nginx.log"))
        wait_until("nginx", 5, lambda: can_connect(self.tls_ports[1]),
                   lambda: self.tls_proc.poll() is None)


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


# HTTP/2 with nginx's own limit of 128 streams a connection; Google's front
# end allows 100. Nothing is written to disk.
NGINX_CONF = """
daemon off;
pid %(dir)s/nginx.pid;
worker_processes 2;
worker_rlimit_nofile 20000;
events { worker_connections 8192; }
http {
	access_log off;
	client_body_temp_path %(dir)s/nginx-body;
	proxy_temp_path %(dir)s/nginx-proxy;
	fastcgi_temp_path %(dir)s/nginx-f;
	uwsgi_temp_path %(dir)s/nginx-u;
	scgi_temp_path %(dir)s/nginx-s;
	client_max_body_size 16m;
	client_body_buffer_size 4m;
	keepalive_requests 10000000;
	keepalive_timeout 300s;
	proxy_http_version 1.1;
	proxy_set_header Connection "";
	proxy_set_header Host $http_host;
	proxy_set_header X-Forwarded-Proto https;
	proxy_buffers 16 32k;
	proxy_max_temp_file_size 0;
	server {
		listen 127.0.0.1:%(status)d;
		keepalive_timeout 0;
		location / { stub_status; }
	}
%(servers)s
}
"""

NGINX_SERVER = """
	upstream u%(plain)d {
		server 127.0.0.1:%(plain)d;
		keepalive 2000;
		keepalive_requests 10000000;
	}
	server {
		listen 127.0.0.1:%(tls)d ssl http2 backlog=4096;
		ssl_certificate tls.pem;
		ssl_certificate_key tls.key;
		location / { proxy_pass http://u%(plain)d; }
	}
"""


# --- load ----------------------------------------------------------------

class Load:
    """Runs bench/load and keeps what it said."""

    def __init__(self, tools, workdir):
        self.program = os.path.join(tools, "load")
        self.workdir = workdir

    def run(self, port, path, body, key, *args, mark=None):
        argv = [self.program, "-j", "-p", str(port), "-u", path, "-b", body,
                "-H", "X-Internal-API-Key: " + key] + [str(a) for a in args]
        if mark:
            argv += ["-x", mark]
        done = subprocess.run(argv, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode not in (0, 1) or not done.stdout:
            raise RuntimeError("load: %s" % done.stderr.strip())
        return json.loads(done.stdout.splitlines()[-1])


def failures(result):
    """How many requests were not answered with 200."""
    return sum(n for s, n in result["status"].items() if s != "200") + \
        sum(result["errors"].values())


def workdir():
    return tempfile.mkdtemp(prefix="chatsphere-bench-")
