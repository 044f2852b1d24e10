"""The service itself for the vendors' clients: lighttpd, the pools, the emulated OpenAI server behind them.

usage: service.py EMULATOR-URL URL-FILE

Stores two bots, writes the service's address into URL-FILE and runs until its standard input ends. Exit status
77: the servers are not installed or not built here.
"""
import hashlib
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.environ.get("CSA_INTEGRATION", os.path.join(here, "../integration")))
sys.dont_write_bytecode = True

from harness import BUILD, KEY, Lighttpd, Service, temporary  # noqa: E402

LESSER = "a-key-for-one-bot-and-no-more-0123456789"
BOTS = {"harbor": ["The harbor ferry leaves every twenty minutes from pier four.",
                   "Tickets for the ferry cost three euros; children under six travel free of charge."],
        "moons": ["The moons are seen on Fridays."]}


def main(emulator, url_file):
    if Lighttpd.missing() or not os.path.exists(os.path.join(BUILD, "fcgi/chat.fcgi")):
        print(Lighttpd.missing() or f"no programs in {BUILD}")
        return 77
    env = {"OPENAI_API_KEY": "ok", "OPENAI_BASE_URL": emulator + "/v1", "GENERATIVE_MODEL_NAME": "emu-chat",
           "EMBEDDING_MODEL_NAME": "text-embedding-3-small", "EMBEDDING_DIMENSIONS": "256"}
    with temporary() as d:
        keys = os.path.join(d, "keys")
        with open(keys, "w") as f:
            f.write(f"lesser sha256:{hashlib.sha256(LESSER.encode()).hexdigest()} endpoints=chat bots=harbor\n")
        service = Service(d, {"keys_file": keys, "fallback": "none", "heartbeat_ms": 200}, env)
        front = Lighttpd(service)
        try:
            service.start()
            front.start()
            for bot, texts in BOTS.items():
                r = front.client.store(bot, "doc", texts, {"title": f"About {bot}"})
                assert r.status == 200, r
            with open(url_file + ".new", "w") as f:
                f.write(f"http://127.0.0.1:{front.port} {KEY} {LESSER}")
            os.rename(url_file + ".new", url_file)
            sys.stdin.read()
        finally:
            front.stop()
            service.stop()
    return 0


sys.exit(main(*sys.argv[1:]))
