"""The programs run without chatsphere-prefork too: multiwatch, lighttpd's bin-path, .htaccess."""
import contextlib
import os
import shutil
import signal
import subprocess

import pytest

from harness import BUILD, POOLS, SERVERS, SRC, Lighttpd, Process, Service, temporary, wait_until, ApacheFcgid


@contextlib.contextmanager
def running(front):
    try:
        yield front.start()
    finally:
        front.stop()
        front.service.stop()


def talks(client, bot="alone"):
    assert client.store(bot, "doc", ["The old mill stands at the bend of the river."]).status == 200
    r = client.chat(bot, "Where does the old mill stand?")
    assert r.status == 200 and "bend of the river" in r.json["response"], r
    assert client.get("/ready").json["status"] == "ready"


def test_multiwatch_supervises_the_programs():
    if not shutil.which("multiwatch"):
        pytest.skip("multiwatch is not installed")
    with temporary() as d:
        service = Service(d)
        for pool in POOLS:
            argv = ["spawn-fcgi", "-n", "-s", service.socket(pool), "-M", "0660", "-b", "1024", "--", shutil.which("multiwatch"),
                    "-f", "2", "--", os.path.join(BUILD, f"fcgi/{pool}.fcgi"), "-c", service.conf]
            service.masters[pool] = Process(pool, argv, os.path.join(d, f"{pool}.log"), service.env)
        with running(SERVERS["lighttpd"](service)) as front:
            assert wait_until(lambda: len(service.workers("chat")) == 2)
            talks(front.client)
            victim = service.workers("chat")[0]
            os.kill(victim, signal.SIGKILL)
            assert wait_until(lambda: len(service.workers("chat")) == 2 and victim not in service.workers("chat"))
            talks(front.client)


class LighttpdBinPath(Lighttpd):
    """lighttpd starts the all-in-one program itself."""
    name = "lighttpd_bin_path"

    def argv(self):
        environment = "\n".join(f'"{k}" => "{self.service.env[k]}",' for k in ("INTERNAL_API_KEY", "PATH"))
        conf = self.path("lighttpd.conf", f"""
server.port = {self.port}
server.bind = "127.0.0.1"
server.document-root = "{self.dir}"
server.errorlog = "{self.dir}/error.log"
server.modules += ( "mod_fastcgi" )
server.stream-response-body = 1
fastcgi.server = ( "/" => ((
    "socket" => "{self.dir}/chatsphere.sock",
    "bin-path" => "{BUILD}/fcgi/chatsphere.fcgi -c {self.service.conf}",
    "bin-environment" => ( {environment} ),
    "max-procs" => 2,
    "check-local" => "disable",
    "fix-root-scriptname" => "enable",
)) )
""")
        return ["/usr/sbin/lighttpd", "-D", "-f", conf]


def test_lighttpd_starts_the_all_in_one_program():
    with temporary() as d, running(LighttpdBinPath(Service(d))) as front:
        talks(front.client)


class SharedHosting(ApacheFcgid):
    """A directory of the web space with apache/htaccess and the program in it, and nothing else."""
    name = "shared_hosting"

    def more(self):
        common = super().more().split("Define CHATSPHERE_CONF")[0]
        agent = self.path("htdocs/agent")
        os.makedirs(agent, exist_ok=True)
        shutil.copy(f"{SRC}/apache/htaccess", f"{agent}/.htaccess")
        with open(f"{agent}/chatsphere.fcgi", "w") as f:
            f.write(f"#!/bin/sh\nINTERNAL_API_KEY={self.service.env['INTERNAL_API_KEY']} CHATSPHERE_CONF={self.service.conf}\n"
                    f"export INTERNAL_API_KEY CHATSPHERE_CONF\nexec {BUILD}/fcgi/chatsphere.fcgi\n")
        os.chmod(f"{agent}/chatsphere.fcgi", 0o755)
        return common + f"""
<Directory "{self.path('htdocs')}">
    AllowOverride Options FileInfo AuthConfig
    Require all granted
</Directory>
"""

    def answers(self):
        try:
            return self.client.get("/agent/health", timeout=5).status == 200
        except OSError:
            return False


def test_shared_hosting_needs_no_more_than_htaccess():
    if SharedHosting.missing():
        pytest.skip(SharedHosting.missing())
    with temporary() as d, running(SharedHosting(Service(d, {"url_prefix": "/agent", "threads": 1}))) as front:
        c = front.client
        chunks = ["The old mill stands at the bend of the river."]
        assert c.post("/agent/embed_and_store", {"document_id": "d", "chunks": chunks, "metadata": {"bot_id": "b"}}).status == 200
        r = c.post("/agent/chat", {"bot_id": "b", "message": "Where does the old mill stand?"}, key=None,
                   headers={"Authorization": "Bearer " + front.service.env["INTERNAL_API_KEY"]})
        assert r.status == 200 and "bend of the river" in r.json["response"], r
        assert c.post("/agent/chat", {"bot_id": "b", "message": "x"}, key="wrong").status == 401
        assert c.get("/agent/nothing").status == 404


def test_the_check_reads_the_files_that_the_configuration_names():
    with temporary() as d:
        for option, line in (("keys_file", "shop sha256:12 endpoints=chat bots=*"), ("bots_file", "shop cache=perhaps")):
            named = os.path.join(d, option)
            service = Service(d, {option: named})
            for text, status, said in (("# none yet\n", 0, "is good"), (f"\n{line}\n", 2, f"{named}:2: ")):
                with open(named, "w") as f:
                    f.write(text)
                run = subprocess.run([os.path.join(BUILD, "fcgi/chat.fcgi"), "-t", "-c", service.conf], env=service.env,
                                     capture_output=True, text=True)
                assert run.returncode == status and said in run.stderr, run
