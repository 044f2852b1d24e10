"""chatsphere doctor on the real servers: content with what is shipped, and right about what is broken on purpose."""
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import socket
import socketserver
import sqlite3
import subprocess
import threading
import time

import pytest

from harness import BUILD, KEY, PATIENT, SERVERS, ApacheFcgid, ApacheProxy, Emulator, Lighttpd, Memcached, Nginx, Service, temporary, wait_until

PROGRAM = os.path.join(BUILD, "cli/chatsphere")


class Findings:
    def __init__(self, run):
        self.run, self.code = run, run.returncode
        try:
            self.all = json.loads(run.stdout)
        except json.JSONDecodeError:
            raise AssertionError(f"no JSON: {run.stdout!r} {run.stderr!r}") from None
        self.checks = self.all["checks"]

    def __repr__(self):
        return "\n".join(f"{c['verdict']:5} {c['check']}: {c['text']} -> {c.get('do')}" for c in self.checks)

    def of(self, check):
        """The worst finding of that check."""
        found = [c for c in self.checks if c["check"] == check]
        assert found, f"nothing about {check}:\n{self!r}"
        return max(found, key=lambda c: ("ok", "skip", "warn", "fail").index(c["verdict"]))

    def expect(self, check, verdict, text="", do=""):
        c = self.of(check)
        assert c["verdict"] == verdict, f"{check} is {c['verdict']}:\n{self!r}"
        assert text in c["text"], c
        assert any(do in d for d in c.get("do", [""])), c
        # Whatever is not fine comes with something to do about it.
        for c in self.checks:
            assert c["verdict"] in ("ok", "skip") or c.get("do"), c
        failed = any(c["verdict"] == "fail" for c in self.checks)
        assert self.code == (1 if failed else 0) and self.all["status"] == ("fail" if failed else "ok")

    def only(self, *checks):
        """Nothing else failed: one fault is not reported as ten."""
        assert {c["check"] for c in self.checks if c["verdict"] == "fail"} == set(checks), f"\n{self!r}"


def doctor(*args, env=None, timeout=100):
    run = subprocess.run([PROGRAM, "doctor", "--json", *args], env=env, capture_output=True, text=True, timeout=timeout)
    assert KEY not in run.stdout + run.stderr
    return Findings(run)


def examine(front, *args, url=None, env=None):
    return doctor("-c", front.service.conf, "--url", url or f"http://127.0.0.1:{front.port}", *args,
                  env=env or front.service.env)


def content(look):
    """What a look finds where streams flow: it measures them, and a busy machine holds some of them up itself."""
    for _ in range(4):
        found = look()
        if all(c["verdict"] == "ok" for c in found.checks if c["check"].startswith("stream.")):
            break
    return found


@contextlib.contextmanager
def installation(server, config=None, env=None, before=None, broken=None):
    """A service behind a server whose shipped configuration was edited by broken(text) -> text."""
    if server.missing():
        pytest.skip(server.missing())
    with temporary() as d, contextlib.ExitStack() as ends:
        service = Service(d, config, env)
        ends.callback(service.stop)
        if server.pools:
            service.start()
        if before:
            before(service)
        front = server(service) if broken is None else broken_server(server, broken)(service)
        ends.callback(front.stop)
        yield front.start()


def broken_server(server, edit):
    """The same server, with its own configuration and what it includes edited."""
    class Broken(server):
        def argv(self):
            argv = super().argv()
            main = argv[argv.index("-f" if "-f" in argv else "-c") + 1]
            files = {main: included(main)}
            # nginx's are copied beside it and included by name.
            for name in ("chatsphere-params.conf", "chatsphere.conf") if self.name == "nginx" else ():
                files[self.path(name)] = included(self.path(name))
            edited = {path: edit(text) for path, text in files.items()}
            assert edited != files, "the edit changed nothing"
            for path, text in edited.items():
                with open(path, "w") as f:
                    f.write(text)
            return argv
    return Broken


def included(path):
    """A file's text with what it includes by an absolute path (lighttpd: include "F", Apache: Include F) in its place."""
    with open(path) as f:
        return re.sub(r'^\s*[Ii]nclude\s+"?(/[^"\s;]+)"?\s*$', lambda m: included(m.group(1)), f.read(), flags=re.M)


# ---- as shipped ----

@pytest.mark.parametrize("name", list(SERVERS))
def test_content_with_what_is_shipped(name):
    with temporary() as d:
        memcached = Memcached(d)
        try:
            with installation(SERVERS[name], {"memcached_servers": memcached.socket, **PATIENT}) as front:
                assert front.client.store("bot", "doc", ["Some text."]).status == 200
                found = content(lambda: examine(front))
                found.only()
                assert found.code == 0, f"\n{found!r}"
                for check in ("config", "keys", "run_dir", "data_dir", "memcached", "store", "providers", "front", "front.ready",
                              "front.errors", "front.key", "front.authorization", "front.unknown_key", "front.body.chat",
                              "front.body.store", "stream.compression", "stream.gaps", "stream.abort"):
                    found.expect(check, "ok")
                if front.pools:
                    for pool in ("chat", "embed_and_store", "status"):
                        found.expect(f"socket.{pool}", "ok")
                assert "1 bot" in found.of("store")["text"]
        finally:
            memcached.stop()


def test_lines_for_people_and_the_command_line():
    with installation(Lighttpd) as front:
        run = subprocess.run([PROGRAM, "doctor", "-c", front.service.conf, "--url", f"http://127.0.0.1:{front.port}/"],
                             env=front.service.env, capture_output=True, text=True, timeout=100)
        assert run.returncode == 0 and run.stderr == "", run
        lines = run.stdout.splitlines()
        assert all(re.match(r"(ok|warn|skip) +[a-z_.]+ +\S|      do: ", line) for line in lines[:-1]), run.stdout
        assert "0 failed" in lines[-1] and KEY not in run.stdout
    for args in (["doctor", "--nonsense"], ["doctor", "--url", "example.org"], ["doctor", "--url", "ftp://x"], ["doctor", "rest"],
                 ["doctor", "--web-user", "nobody-of-that-name"], ["doctor", "-c"], ["nonsense"], []):
        run = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=10)
        assert run.returncode == 2 and "usage:" in run.stderr and run.stdout == "", (args, run)
    for args in (["-h"], ["doctor", "-h"], ["-V"]):
        run = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=10)
        assert run.returncode == 0 and run.stdout and run.stderr == "", (args, run)


# ---- the way out: buffering, compression, leaving ----

def replace(*pairs):
    def edit(text):
        for old, new in pairs:
            text = re.sub(old, new, text)
        return text
    return edit


HELD_BACK = [
    (Lighttpd, replace((r"server.stream-response-body = 1", "server.stream-response-body = 0")), "server.stream-response-body = 1"),
    (Nginx, replace((r"fastcgi_buffering +off;", "fastcgi_buffering on; fastcgi_ignore_headers X-Accel-Buffering;")),
     "fastcgi_buffering off;"),
    (ApacheProxy, replace((r"flushpackets=on", "flushpackets=off")), "flushpackets=on"),
    (ApacheFcgid, replace((r"FcgidOutputBufferSize +0", "FcgidOutputBufferSize 65536")), "FcgidOutputBufferSize 0"),
]


@pytest.mark.parametrize("server,edit,directive", HELD_BACK, ids=[h[0].name for h in HELD_BACK])
def test_names_the_directive_where_streams_are_held_back(server, edit, directive):
    with installation(server, broken=edit) as front:
        found = examine(front)
        found.expect("stream.gaps", "fail", "held back", directive)
        found.only("stream.gaps")
        # Of this server only.
        others = {"lighttpd", "nginx", "apache"} - {server.name.split("_")[0]}
        assert not any(d.lower().startswith(tuple(others)) for d in found.of("stream.gaps")["do"])


def test_sees_compression_of_streams_by_nginx():
    edit = replace((r"gzip +off;", "gzip on; gzip_min_length 1; gzip_proxied any; gzip_types text/event-stream;"))
    with installation(Nginx, broken=edit) as front:
        found = examine(front)
        found.expect("stream.compression", "fail", "gzip", "gzip off;")
        # What is compressed event by event still flows.
        found.only("stream.compression")


def test_sees_that_leaving_is_not_passed_on_by_lighttpd():
    with installation(Lighttpd, broken=replace((r'"tcp-fin-propagate" +=> "enable",', ""))) as front:
        found = examine(front)
        found.expect("stream.abort", "warn", "only by writing", "tcp-fin-propagate")
        assert found.code == 0


def test_sees_that_leaving_is_ignored_by_nginx():
    with installation(Nginx, broken=replace((r"fastcgi_ignore_client_abort +off;", "fastcgi_ignore_client_abort on;"))) as front:
        examine(front).expect("stream.abort", "warn", "", "fastcgi_ignore_client_abort off;")


# ---- the way in: mount, headers, bodies ----

def test_sees_that_apache_keeps_authorization():
    with installation(ApacheProxy, broken=replace((r"CGIPassAuth On", "CGIPassAuth Off"))) as front:
        found = examine(front)
        found.expect("front.authorization", "fail", "does not reach", "CGIPassAuth On")
        found.only("front.authorization")


def test_sees_that_the_key_is_dropped():
    edit = replace((r"fastcgi_param  HTTP_PROXY  ", 'fastcgi_param HTTP_X_INTERNAL_API_KEY "";\nfastcgi_param  HTTP_PROXY  '))
    with installation(Nginx, broken=edit) as front:
        found = examine(front)
        found.expect("front.key", "fail", "X-Internal-API-Key does not reach", "HTTP_X_INTERNAL_API_KEY")
        found.expect("stream", "skip")


@pytest.mark.parametrize("server,edit,directive", [
    (Nginx, replace((r"client_max_body_size [0-9]+m;", "")), "client_max_body_size"),
    (Lighttpd, replace((r"server.max-request-size = (4096|65536)", "server.max-request-size = 100")), "server.max-request-size"),
    (ApacheFcgid, replace((r"FcgidMaxRequestLen +[0-9]+", "FcgidMaxRequestLen 131072")), "FcgidMaxRequestLen"),
], ids=["nginx", "lighttpd", "apache_fcgid"])
def test_sees_that_the_server_refuses_bodies(server, edit, directive):
    with installation(server, broken=edit) as front:
        found = examine(front)
        found.expect("front.body.store", "fail", "2048 KiB", directive)
        # nginx takes up to a megabyte where nothing is said.
        if server is not Nginx:
            found.expect("front.body.chat", "fail", "300 KiB", directive)


def test_sees_that_nothing_is_mounted():
    edit = replace((r'fastcgi.server = \( "/" =>', 'fastcgi.server = ( "/elsewhere/" =>'))
    server = broken_server(Lighttpd, edit)
    server.answers = lambda self: wait_until(lambda: connects(self.port))
    with temporary() as d, contextlib.ExitStack() as ends:
        service = Service(d)
        ends.callback(service.stop)
        front = server(service.start())
        ends.callback(front.stop)
        front.start()
        found = examine(front)
        found.expect("front", "fail", "by itself", "chatsphere_run")
        found.only("front")
        assert not any(c["check"].startswith(("front.", "stream")) for c in found.checks)


def test_sees_another_prefix():
    with installation(Lighttpd) as front:
        found = examine(front, url=f"http://127.0.0.1:{front.port}/agent")
        found.expect("front", "fail", 'under the prefix ""', "url_prefix = /agent")


def connects(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def test_a_server_that_is_not_there_or_says_nothing():
    with installation(Lighttpd) as front, socket.socket() as silent:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            closed = s.getsockname()[1]
        found = examine(front, url=f"http://127.0.0.1:{closed}")
        found.expect("front", "fail", "", "start the web server")
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        found = examine(front, url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        found.expect("front", "fail", "timed out", "log")
        found.only("front")
        found = doctor("-c", front.service.conf, env=front.service.env)
        found.expect("front", "skip", "--url")
        assert found.code == 0


# ---- from inside ----

def test_sees_a_socket_that_is_missing_closed_or_left():
    with installation(Lighttpd) as front:
        chat, status = front.service.socket("chat"), front.service.socket("status")

        def inside():
            return doctor("-c", front.service.conf, env=front.service.env)
        os.rename(chat, chat + ".away")
        found = examine(front)
        found.expect("socket.chat", "fail", "No such file", f"spawn-fcgi -n -s {chat}")
        found.expect("front.key", "fail", "", "socket")
        # Another pool's socket in its place.
        os.symlink(status, chat)
        inside().expect("socket.chat", "fail", "status 404, not 405")
        # Bound once, and nobody listens.
        os.unlink(chat)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(chat)
        inside().expect("socket.chat", "fail", "refused", "spawn-fcgi")
        os.unlink(chat)
        with open(chat, "w"):
            pass
        inside().expect("socket.chat", "fail", "is no socket", "rm ")
        os.unlink(chat)
        # Somebody who does not speak FastCGI, and somebody who says nothing.
        for greeting, text in ((b"220 smtp.example.org ready\r\n", "does not speak FastCGI"), (b"", "does not answer in time")):
            with foreign(chat, greeting):
                inside().expect("socket.chat", "fail", text, "log")
        os.rename(chat + ".away", chat)
        os.chmod(chat, 0o666)
        inside().expect("socket.chat", "warn", "everybody", "chmod 0660")


@contextlib.contextmanager
def foreign(path, greeting):
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.sendall(greeting)
            while self.request.recv(4096):
                pass

    class Listener(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True
    with Listener(path, Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
    os.unlink(path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a socket to somebody else")
def test_sees_a_socket_that_the_web_server_may_not_use():
    with installation(ApacheProxy) as front:
        chat = front.service.socket("chat")
        os.chmod(chat, 0o600)
        found = examine(front)
        found.expect("socket.chat", "fail", "apache2 runs as www-data and may not connect", "chgrp www-data")
        os.chmod(chat, 0o660)
        os.chmod(front.service.run, 0o700)
        found = examine(front)
        found.expect("socket.status", "fail", f"may not pass through {front.service.run}", "chmod g+x")
        os.chmod(front.service.run, 0o755)
        # Where nobody listens, the name must be given.
        os.chmod(chat, 0o600)
        found = doctor("-c", front.service.conf, "--web-user", "nobody", env=front.service.env)
        found.expect("socket.chat", "fail", "runs as nobody")


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="only root can be somebody else")
def test_a_user_who_may_not_look_says_so():
    with installation(Nginx) as front:
        # The program where everybody can run it; the rest as an operator would have it.
        program = shutil.copy(PROGRAM, front.service.dir)
        os.chmod(program, 0o755)
        os.chmod(front.service.data, 0o700)
        argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "doctor", "--json",
                "-c", front.service.conf, "--url", f"http://127.0.0.1:{front.port}", "--web-user", "root"]
        found = content(lambda: Findings(subprocess.run(argv, env=front.service.env, capture_output=True, text=True, timeout=100)))
        for check in ("socket.chat", "data_dir", "run_dir", "store"):
            found.expect(check, "skip", "", "as the service's user")
        # From outside everything is seen all the same.
        found.expect("stream.abort", "ok")
        found.only()


def test_a_socket_of_another_name_is_looked_at():
    with installation(Lighttpd) as front:
        found = doctor("-c", front.service.conf, "--socket", front.service.socket("status"), env=front.service.env)
        found.expect("socket.status", "ok")
        assert not any(c["check"] == "socket.chat" for c in found.checks)


def test_sees_that_memcached_is_away():
    with temporary() as d:
        memcached = Memcached(d)
        with installation(Lighttpd, {"memcached_servers": memcached.socket, **PATIENT}) as front:
            examine(front).expect("memcached", "ok")
            memcached.stop()
            # Each worker believes what it found for three seconds.
            time.sleep(3.1)
            found = examine(front)
            found.expect("memcached", "fail", memcached.socket, "memcached -s")
            found.expect("front.ready", "warn", "degraded: memcached")
            found.only("memcached")


def test_sees_a_wrong_key(tmp_path):
    with installation(Lighttpd) as front:
        file = tmp_path / "key"
        file.write_text("a-key-that-nobody-knows\n")
        found = examine(front, "--key-file", str(file))
        found.expect("keys", "warn", "not one of")
        found.expect("front.key", "fail", "does not know this key", "--key-file")
        found.expect("stream", "skip")
        found.only("front.key")
        assert "a-key-that-nobody-knows" not in found.run.stdout
        file.write_text("\n")
        examine(front, "--key-file", str(file)).expect("keys", "fail")
        file.write_text(KEY + "\n")
        examine(front, "--key-file", str(file), env={k: v for k, v in front.service.env.items() if not k.startswith("INTERNAL")}) \
            .expect("front.key", "ok")


def test_sees_keys_that_the_pools_do_not_have_yet():
    with installation(Lighttpd) as front:
        env = {**front.service.env, "INTERNAL_API_KEY_PREVIOUS": "the-key-of-yesterday-0123456789"}
        found = examine(front, env=env)
        found.expect("front.previous_key", "fail", "not taken", "kill -HUP")
        assert "yesterday" not in found.run.stdout


def test_a_key_with_fewer_rights(tmp_path):
    keys = tmp_path / "keys"
    digest = hashlib.sha256(b"store-only-key-0123456789").hexdigest()
    keys.write_text(f"loader sha256:{digest} endpoints=store bots=*\n")
    os.chmod(keys, 0o644)
    os.chmod(tmp_path, 0o755)
    with installation(Lighttpd, {"keys_file": str(keys)}) as front:
        key = tmp_path / "key"
        key.write_text("store-only-key-0123456789")
        found = examine(front, "--key-file", str(key))
        found.expect("keys", "ok", '"loader"')
        found.expect("front.key", "warn", "no right to chat")
        assert found.code == 0
        keys.write_text("loader sha256:nonsense\n")
        examine(front).expect("keys", "fail", str(keys), "keys_file")


def test_sees_a_bad_configuration(tmp_path):
    with installation(Lighttpd) as front:
        with open(front.service.conf, "a") as f:
            f.write("memcached_server = 127.0.0.1:11211\n")
        found = content(lambda: examine(front))
        found.expect("config", "fail", "there is no option memcached_server; is it memcached_servers?", "set that right")
        # What is outside can be looked at all the same.
        found.expect("stream.gaps", "ok")
        found.only("config")
        found = doctor("-c", str(tmp_path / "missing.conf"), env=front.service.env)
        found.expect("config", "fail", "No such file")
        secret = tmp_path / "secret.conf"
        secret.write_text(f"data_dir = {front.service.data}\nrun_dir = {front.service.run}\ninternal_api_key = {KEY}\n")
        os.chmod(secret, 0o644)
        doctor("-c", str(secret), env=front.service.env).expect("config", "warn", "everybody can read", "chmod o-rwx")


def test_sees_directories_that_are_missing():
    with temporary() as d:
        service = Service(d, {"data_dir": d + "/nowhere", "run_dir": d + "/nothing"})
        found = doctor("-c", service.conf, env=service.env)
        found.expect("data_dir", "fail", "No such file", "install -d")
        found.expect("run_dir", "fail", "No such file", "install -d")
        found.expect("sockets", "fail", "none of", "start the pools")


def test_sees_a_damaged_bot():
    with installation(Lighttpd) as front:
        for bot in ("good", "bad"):
            assert front.client.store(bot, "doc", [f"Paragraph {i} about {bot} things." * 20 for i in range(200)]).status == 200
        examine(front).expect("store", "ok", "2 bots")
        front.service.stop()
        path = os.path.join(front.service.data, "bots", "bad.db")
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = os.path.getsize(path)
        with open(path, "r+b") as f:
            for at in range(8192, size, 4096):
                f.seek(at)
                f.write(random.Random(at).randbytes(4096))
        found = examine(front)
        found.expect("store", "fail", path, "backup")
        assert "good.db" not in found.of("store")["text"]
        before = sorted(os.listdir(os.path.dirname(path)))
        with open(path, "wb") as f:
            f.write(b"not a database at all, and longer than a header of SQLite would be" * 20)
        examine(front).expect("store", "fail", path)
        # Looking has made nothing.
        assert set(os.listdir(os.path.dirname(path))) - set(before) <= {n + s for n in ("good.db", "bad.db") for s in ("-shm", "-wal")}


# ---- providers, without a paid call ----

VENDORS = {"gemini": ("gemini", "pinecone"), "openai": ("openai",)}


@pytest.mark.parametrize("chat", list(VENDORS))
def test_providers_are_asked_for_nothing_that_costs(emulator, chat):
    emulator.reset()
    with temporary() as d:
        service = Service(d, None, emulator.env(*VENDORS[chat]))
        found = doctor("-c", service.conf, env=service.env)
        for vendor in VENDORS[chat]:
            found.expect(vendor, "ok", "takes the key")
            assert all(c["verdict"] == "ok" for c in found.checks if c["check"].startswith(vendor)), f"\n{found!r}"
        asked = {e["op"] for e in emulator.log() if not e["op"].startswith("control")}
        assert asked <= {"gemini.models", "openai.models", "pinecone.index"} and asked, asked
        for vendor in (Emulator.GEMINI, Emulator.OPENAI, Emulator.PINECONE):
            assert vendor not in found.run.stdout


def test_sees_provider_keys_and_names_that_are_refused(emulator):
    emulator.reset()
    with temporary() as d:
        env = emulator.env("gemini", "pinecone")
        service = Service(d, None, {**env, "GOOGLE_API_KEY": "wrong", "PINECONE_API_KEY": "wrong"})
        found = doctor("-c", service.conf, env=service.env)
        found.expect("gemini", "fail", "refuses the key", "GOOGLE_API_KEY")
        found.expect("pinecone", "fail", "refuses the key", "PINECONE_API_KEY")
        service = Service(d, None, {**env, "GENERATIVE_MODEL_NAME": "gemini-of-another-world", "PINECONE_INDEX_NAME": "absent"})
        found = doctor("-c", service.conf, env=service.env)
        found.expect("gemini", "fail", "generative_model_name", "correct generative_model_name")
        found.expect("pinecone", "fail", "pinecone_index_name", "correct pinecone_index_name")


def test_sees_providers_that_cannot_be_reached():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        closed = s.getsockname()[1]
    with temporary() as d, plain_listener() as port:
        for base, text, do in ((f"http://127.0.0.1:{closed}", "", "let this host connect"),
                               (f"https://127.0.0.1:{port}", "", "ca_file"),
                               ("https://gemini.invalid", "resolve", "getent hosts gemini.invalid")):
            service = Service(d, None, {"GOOGLE_API_KEY": "a-google-key", "GOOGLE_GEMINI_BASE_URL": base})
            found = doctor("-c", service.conf, env=service.env)
            found.expect("gemini", "fail", text, do)
            assert "a-google-key" not in found.run.stdout


@contextlib.contextmanager
def plain_listener():
    """Takes connections and answers a TLS greeting in plain text."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    c, _ = s.accept()
                    with c:
                        c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                        c.recv(100)
        threading.Thread(target=serve, daemon=True).start()
        yield s.getsockname()[1]
        s.shutdown(socket.SHUT_RDWR)


# ---- TLS ----

@pytest.mark.parametrize("days,verdict", [(90, "ok"), (5, "warn")])
def test_the_certificate_of_the_server(days, verdict):
    if Nginx.missing() or not shutil.which("openssl"):
        pytest.skip("nginx and openssl are needed")

    class Https(Nginx):
        def argv(self):
            argv = super().argv()
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days), "-subj", "/CN=localhost",
                            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.path("key.pem"), "-out", self.path("cert.pem")],
                           check=True, capture_output=True)
            with open(argv[-1]) as f:
                text = f.read()
            with open(argv[-1], "w") as f:
                f.write(text.replace(f"listen 127.0.0.1:{self.port};",
                                     f"listen 127.0.0.1:{self.port} ssl; ssl_certificate {self.dir}/cert.pem; ssl_certificate_key {self.dir}/key.pem;"))
            return argv

        def answers(self):
            return connects(self.port)

    with installation(Https) as front:
        url = f"https://127.0.0.1:{front.port}"
        found = content(lambda: examine(front, "--ca-file", front.path("cert.pem"), url=url))
        found.expect("front.tls", verdict, "days more")
        found.expect("stream.gaps", "ok")
        found.expect("stream.abort", "ok")
        # A certificate that nobody vouches for: the key is not sent there.
        found = examine(front, url=url)
        found.expect("front", "fail", "certificate", "--ca-file")
        assert not any(c["check"] == "front.key" for c in found.checks)


# ---- the probe itself ----

def test_the_probe_is_refused_to_whom_it_is_not_for():
    with installation(Lighttpd) as front:
        c = front.client
        for query in ("0,100", "101,1", "1,0", "1,1001", "31,1000", "1", "1,2,3", ",", "a,b", "-1,5", "1,5x", ""):
            r = c.post(f"/chat?probe={query}", {})
            assert r.status == 422 and r.json["error"]["code"] == "invalid_value", (query, r)
        assert c.post("/chat?probe=1,1", {}, key=None).status == 401
        assert c.post("/chat?probe=1,1", {}, key="wrong").status == 401
        assert c.get("/chat?probe=1,1").status == 405
        assert c.request("POST", "/chat?probe=1,1", b"{}", {"Content-Type": "text/plain"}).status == 415
        # It may not take longer than the request.
        assert c.post("/chat?probe=10,100", {}, headers={"X-Request-Timeout-Ms": "500"}).status == 422
        r = c.post("/chat?probe=3,10", {})
        assert r.status == 200 and r.header("Content-Type") == "text/event-stream; charset=utf-8"
        assert "no-store" in r.header("Cache-Control") and r.header("X-Accel-Buffering") == "no"
        events = [dict(line.split(": ", 1) for line in e.splitlines()) for e in r.body.decode().split("\n\n")
                  if e and not e.startswith(":")]
        assert [e["event"] for e in events] == ["delta"] * 3 + ["done"]
        assert [json.loads(e["data"])["text"] for e in events[:3]] == ["1", "2", "3"]
        assert json.loads(events[3]["data"])["finish_reason"] == "stop"
        # Any other query is an ordinary chat.
        assert c.post("/chat?prob=1,1", {"bot_id": "b", "message": "hi"}).json["metadata"]["sources"] == []
