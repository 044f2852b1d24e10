"""DELETE /documents, behind each of the servers, and with the emulated index."""
import concurrent.futures
import json
import os
import random
import signal
import urllib.parse

import pytest

from conftest import Cloud, plain_site
from harness import SERVERS, temporary, wait_until

TEXT = "The weathervane of Saint Olaf shows a heron."
QUESTION = "What does the weathervane of Saint Olaf show?"


def delete(client, document, bot="vane", **kw):
    return client.request("DELETE", f"/documents/{urllib.parse.quote(document, safe='')}?bot_id={bot}", **kw)


def sources(client, bot="vane", question=QUESTION):
    r = client.chat(bot, question)
    assert r.status == 200, r
    return [s["text"] for s in r.json["metadata"]["sources"]]


def test_a_deleted_document_is_gone(site):
    client = site.client
    assert client.store("vane", "olaf", [TEXT, {"id": "mine", "text": "Saint Olaf has two bells."}]).status == 200
    assert client.store("vane", "other", ["A weathervane turns."]).status == 200
    assert TEXT in sources(client)
    r = delete(client, "olaf")
    assert r.status == 200, r
    body = r.json
    assert body.pop("request_id") == r.header("X-Request-Id")
    assert body == {"status": "success", "document_id": "olaf", "deleted_vector_ids": ["olaf-chunk-0", "mine"],
                    "deleted_vector_count": 2, "error_message": None}
    assert sources(client) == ["A weathervane turns."]
    r = delete(client, "olaf")
    assert r.status == 404 and r.json["error"] == {"code": "not_found", "source": "client", "retryable": False}, r
    # Its ids are free again.
    assert client.store("vane", "third", [{"id": "mine", "text": TEXT}]).status == 200
    assert TEXT in sources(client)
    assert delete(client, "third").status == 200


@pytest.mark.parametrize("name", ["a b", "a+b", "50%", "%41", "\u56f3\u66f8", "a&b=c", "{document_id}", "a;b,c:d", "~x", "q?x=1", "h#1"])
def test_any_name_in_the_path(site, name):
    assert site.client.store("named", name, [TEXT]).status == 200
    r = delete(site.client, name, "named")
    assert r.status == 200 and r.json["document_id"] == name, r
    assert sources(site.client, "named") == []


@pytest.mark.parametrize("name", ["docs/heron.md", "c:\\heron", "..", ".", "a//b", "/"])
def test_names_that_no_path_can_hold(site, name):
    client = site.client
    assert client.store("queried", name, [TEXT]).status == 200
    r = delete(client, name, "queried")
    assert r.status in (400, 404), r
    r = client.request("DELETE", "/documents?" + urllib.parse.urlencode({"bot_id": "queried", "document_id": name}))
    assert r.status == 200 and r.json["document_id"] == name, r
    assert sources(client, "queried") == []


def test_what_is_refused(site):
    client = site.client
    assert client.store("kept", "olaf", [TEXT]).status == 200
    for target, kw, status, code in (
            ("/documents/olaf", {}, 400, "bad_request"),
            ("/documents?bot_id=kept", {}, 400, "bad_request"),
            ("/documents/olaf?bot_id=..", {}, 422, "invalid_value"),
            ("/documents/%20?bot_id=kept", {}, 422, "invalid_value"),
            ("/documents/olaf?bot_id=other", {}, 404, "not_found"),
            ("/documents/ol%2Faf?bot_id=kept", {}, 404, "not_found"),
            ("/documents/olaf/x?bot_id=kept", {}, 404, "not_found"),
            ("/documents/olaf?bot_id=kept", {"key": None}, 401, "unauthorized"),
            ("/documents/olaf?bot_id=kept", {"key": "wrong"}, 401, "unauthorized")):
        r = client.request("DELETE", target, **kw)
        assert r.status == status and r.json["error"]["code"] == code, (target, r)
    r = client.get("/documents/olaf?bot_id=kept")
    assert r.status == 405 and r.header("Allow") == "DELETE", r
    assert sources(client, "kept") == [TEXT]


def test_deleted_it_stays_so_when_the_pool_dies_at_once():
    with plain_site(SERVERS["lighttpd"]) as front:
        for i in range(5):
            assert front.client.store("vane", "olaf", [TEXT]).status == 200
            assert delete(front.client, "olaf").status == 200
            for pid in front.service.workers("embed_and_store"):
                os.kill(pid, signal.SIGKILL)
            assert sources(front.client) == []
            assert wait_until(lambda: len(front.service.workers("embed_and_store")) >= 2)


# ---- the far end ----

@pytest.fixture(scope="module")
def pinecone(emulator):
    emulator.reset()
    with temporary() as d, Cloud(emulator, d, ["gemini", "pinecone"]) as c:
        yield c


@pytest.fixture(autouse=True)
def no_faults(request):
    yield
    if "pinecone" in request.fixturenames:
        request.getfixturevalue("emulator").clear()


def vectors(emulator, bot):
    """How many the index has of the bot."""
    r = emulator.client.post("/describe_index_stats", {}, key=None, headers={"Api-Key": emulator.PINECONE})
    assert r.status == 200, r
    return r.json["namespaces"].get(bot, {}).get("vectorCount", 0)


def test_its_vectors_are_deleted(pinecone, emulator):
    assert pinecone.client.store("vane", "olaf", [TEXT] + [f"Bell {i} of Saint Olaf." for i in range(1, 250)]).status == 200
    assert pinecone.client.store("vane", "other", ["A weathervane turns."]).status == 200
    assert vectors(emulator, "vane") == 251
    r = delete(pinecone.client, "olaf")
    assert r.status == 200 and r.json["deleted_vector_count"] == 250, r
    assert vectors(emulator, "vane") == 1
    assert sources(pinecone.client) == ["A weathervane turns."]


@pytest.mark.parametrize("rule,status,code", [({"kind": "status", "status": 500}, 502, "provider_fault"),
                                              ({"kind": "status", "status": 503}, 503, "provider_busy"),
                                              ({"kind": "reset"}, 503, "provider_unavailable"),
                                              ({"kind": "hang"}, 504, "deadline_exceeded")],
                         ids=lambda v: v if isinstance(v, str) else "")
def test_a_far_end_that_fails_leaves_it_to_be_deleted(pinecone, emulator, rule, status, code):
    client = pinecone.client
    assert client.store("half", "olaf", [TEXT]).status == 200
    emulator.fault("pinecone.delete", count=-1, **rule)
    r = delete(client, "olaf", "half", headers={"X-Request-Timeout-Ms": "1500"})
    assert r.status == status and r.json["error"]["code"] == code and r.json["error"]["source"] == "pinecone", r
    emulator.clear()
    r = delete(client, "olaf", "half")
    assert r.status == 200 and r.json["deleted_vector_ids"] == ["olaf-chunk-0"], r
    assert vectors(emulator, "half") == 0
    assert sources(client, "half") == []


def test_a_wrong_method_is_no_deletion(site):
    assert site.client.store("posted", "olaf", [TEXT]).status == 200
    r = site.client.request("POST", "/documents/olaf?bot_id=posted", json.dumps({}))
    assert r.status == 405, r
    assert sources(site.client, "posted") == [TEXT]


def test_the_index_keeps_nothing_that_the_store_has_not(pinecone, emulator):
    """The same documents stored, in all lengths, and deleted by many at the same time."""
    client, names = pinecone.client, ["one", "two"]

    def work(seed):
        rng = random.Random(seed)
        for _ in range(25):
            name = rng.choice(names)
            if rng.random() < 0.4:
                assert delete(client, name, "race").status in (200, 404)
            else:
                assert client.store("race", name, [f"Bell {i} of {name}, by {seed}." for i in range(rng.randrange(1, 6))]).status == 200
    # The far end is slow, so that others come in between.
    emulator.fault("pinecone.*", count=-1, kind="delay", delay_ms=15)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    emulator.clear()
    stored = [s for s in client.chat("race", "Which bell, of one or of two?", {"retriever_k": 100}).json["metadata"]["sources"]]
    assert vectors(emulator, "race") <= len(stored)
    for name in names:
        assert delete(client, name, "race").status in (200, 404)
    assert vectors(emulator, "race") == 0
    assert sources(client, "race", "Which bell, of one or of two?") == []
