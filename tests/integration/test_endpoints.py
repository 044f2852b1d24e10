"""The contract, behind each of the servers."""
import concurrent.futures
import json

import pytest

from harness import KEY

HARBOR = ["The harbor ferry leaves every twenty minutes from pier four.",
          "Tickets for the ferry cost three euros; children under six travel free of charge.",
          "Bicycles may be taken on board outside of the rush hour."]


@pytest.fixture(scope="module")
def client(site):
    r = site.client.store("harbor", "ferry", HARBOR, {"title": "The harbor ferry"})
    assert r.status == 200, r
    return site.client


def test_stores_chunks_under_predictable_ids(client):
    r = client.store("harbor-ids", "doc", ["first text", {"id": "mine", "text": "second text"}, "third text"])
    assert r.status == 200, r
    assert r.json["status"] == "success" and r.json["document_id"] == "doc"
    assert r.json["stored_vector_ids"] == ["doc-chunk-0", "mine", "doc-chunk-2"]
    assert r.json["stored_vector_count"] == 3 and r.json["error_message"] is None


def test_answers_with_a_citation(client):
    r = client.chat("harbor", "What do tickets for the ferry cost?")
    assert r.status == 200, r
    body, meta = r.json, r.json["metadata"]
    assert body["response"] == body["response_text"] and "three euros" in body["response"]
    assert body["error_message"] is None
    assert meta["source_chunk_ids"] == [s["chunk_id"] for s in meta["sources"]]
    cited = [i for i, s in enumerate(meta["sources"]) if s["cited"]]
    assert any(meta["sources"][i]["chunk_id"] == "ferry-chunk-1" for i in cited)
    assert all(f"[{i + 1}]" in body["response"] for i in cited)
    scores = [s["score"] for s in meta["sources"]]
    assert scores == sorted(scores, reverse=True) and scores[-1] >= 0
    assert all(s["text"] in HARBOR for s in meta["sources"])
    assert meta["finish_reason"] == "stop" and meta["cache"] == "miss" and meta["degraded"] is False
    assert set(meta["timings_ms"]) == {"embed", "retrieve", "generate", "total"}
    assert r.header("X-Request-Id") == meta["request_id"]
    assert r.header("Content-Type").startswith("application/json")
    assert r.header("X-Content-Type-Options") == "nosniff" and "no-store" in r.header("Cache-Control")


def test_says_that_it_does_not_know(client):
    r = client.chat("harbor", "Who won the chess championship in Reykjavik?")
    assert r.status == 200 and "know" in r.json["response"].lower()
    assert not any(s["cited"] for s in r.json["metadata"]["sources"])


def test_a_bot_without_documents_is_no_error(client):
    r = client.chat("nobody-was-here", "Is anyone there?")
    assert r.status == 200 and r.json["metadata"]["sources"] == []
    assert "know" in r.json["response"].lower()


def test_storing_again_replaces(client):
    for chunks in (["The lamp is green.", "The lamp weighs two kilograms."], ["The lamp is violet."]):
        assert client.store("lamps", "lamp", chunks).status == 200
    sources = client.chat("lamps", "Which color has the lamp, and what does the lamp weigh?").json["metadata"]["sources"]
    assert [s["text"] for s in sources] == ["The lamp is violet."]


def test_two_bots_with_the_same_ids_never_meet(client):
    assert client.store("left", "doc", ["The secret word of the house is walnut."]).status == 200
    assert client.store("right", "doc", ["The secret word of the house is pepper."]).status == 200
    for bot, mine, other in (("left", "walnut", "pepper"), ("right", "pepper", "walnut")):
        body = client.chat(bot, "What is the secret word of the house?").body.decode()
        assert mine in body and other not in body


def test_a_chunk_id_of_another_document_is_a_conflict(client):
    assert client.store("conflict", "one", [{"id": "shared", "text": "belongs to one"}]).status == 200
    r = client.store("conflict", "two", [{"id": "fresh", "text": "fine"}, {"id": "shared", "text": "not fine"}])
    assert r.status == 409 and r.json["error"] == {"code": "conflict", "source": "client", "retryable": False}
    assert client.chat("conflict", "what is fine?").json["metadata"]["sources"] == []


def test_at_most_k_sources(client):
    assert client.store("many", "m", [f"Entry number {i} of the long list of entries." for i in range(120)]).status == 200
    for k in (1, 7, 100):
        assert len(client.chat("many", "Which entry of the list?", {"retriever_k": k}).json["metadata"]["sources"]) == k


@pytest.mark.parametrize("text,question", [
    ("图书馆每天上午九点开门，晚上八点关门。", "图书馆几点关门？"),
    ("東京タワーの高さは三百三十三メートルです。", "東京タワーの高さは？"),
    ("ห้องสมุดเปิดเวลาเก้าโมงเช้าทุกวัน", "ห้องสมุดเปิดเวลาใด"),
])
def test_languages_without_spaces_are_found(client, text, question):
    assert client.store("asia", "doc-" + question[:2], [text, "Something else entirely."]).status == 200
    r = client.chat("asia", question)
    assert r.json["metadata"]["sources"][0]["text"] == text


def test_history_and_unknown_fields_are_taken(client):
    r = client.chat("harbor", "And for children?", {"agent_type": "rag", "tools": [], "temperature": 0, "x": 1},
                    more={"history": [{"role": "user", "content": "What does it cost?"},
                                      {"role": "assistant", "content": "Three euros."}],
                          "user_id": None, "stream": None, "unheard_of": {"a": 1}})
    assert r.status == 200, r


# ---- keys ----

@pytest.mark.parametrize("headers,key,status", [
    ({}, None, 401),
    ({}, "wrong", 401),
    ({"Authorization": f"Bearer {KEY}"}, None, 200),
    ({"Authorization": f"bearer {KEY}"}, None, 200),
    ({"Authorization": "Bearer wrong"}, None, 401),
    ({"Authorization": "Basic dXNlcjpwYXNz"}, None, 401),
    ({"Authorization": f"Bearer {KEY}"}, KEY, 200),
    ({"Authorization": "Bearer other"}, KEY, 400),
    ({}, f"{KEY}, {KEY}", 400),
])
def test_keys(client, headers, key, status):
    r = client.chat("harbor", "ferry?", headers=headers, key=key)
    assert r.status == status, r
    assert KEY.encode() not in r.body
    if status != 200:
        assert r.json["error"]["source"] == "client" and r.json["request_id"]


# ---- the other endpoints ----

def test_health_and_ready(client):
    assert client.get("/health", key=None).json == {"status": "ok"}
    assert client.get("/ready", key=None).json == {"status": "ready"}
    r = client.get("/ready")
    assert r.status == 200 and r.json["dependencies"] == {"store": "ok", "memcached": "ok"}


def test_openapi_is_served(client):
    doc = client.get("/openapi.json", key=None).json
    assert doc["openapi"].startswith("3.") and "/chat" in doc["paths"]


def test_unknown_paths_and_wrong_methods(client):
    for path in ("/nothing", "/chat/", "/chat/x", "/chatx", "/CHAT", "/v1/nothing", "/"):
        r = client.get(path)
        assert r.status == 404 and r.json["error"]["code"] == "not_found", (path, r)
    for method, path, allow in (("GET", "/chat", "POST"), ("DELETE", "/embed_and_store", "POST"),
                                ("POST", "/health", "GET, HEAD"), ("PUT", "/metrics", "GET, HEAD")):
        r = client.request(method, path, b"{}" if method != "GET" else None)
        assert r.status == 405 and r.header("Allow") == allow, (method, path, r)
        assert r.json["status"] == "error"


def test_metrics_are_exact_over_all_processes(client):
    def value():
        text = client.get("/metrics").body.decode()
        line = next((l for l in text.splitlines()
                     if l.startswith('chatsphere_http_requests_total{endpoint="chat",code="200"}')), " 0")
        return int(float(line.split()[-1]))
    before = value()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: client.chat("harbor", "ferry?").status, range(100)))
    assert replies == [200] * 100
    assert value() - before == 100


def test_request_ids_are_kept_or_made(client):
    assert client.chat("harbor", "ferry?", headers={"X-Request-Id": "my-id.1"}).json["metadata"]["request_id"] == "my-id.1"
    made = client.chat("harbor", "ferry?", headers={"X-Request-Id": "no good"}).json["metadata"]["request_id"]
    assert len(made) == 32


def test_a_large_document_is_stored_whole(client, site):
    # mod_fcgid under its shipped limits takes it as well.
    chunks = [f"Paragraph {i} says that value {i * 7} belongs to key {i}. " * 8 for i in range(600)]
    r = client.store("large", "big", chunks)
    assert r.status == 200 and r.json["stored_vector_count"] == 600
    r = client.chat("large", "Which value belongs to key 431?", {"retriever_k": 3})
    assert r.json["metadata"]["sources"][0]["text"] == chunks[431]


def test_answers_are_valid_json_with_odd_text(client):
    odd = 'He said "</script><b>&amp;" \\ \u2028 \U0001f600 tab\there.'
    assert client.store("odd", "doc", [odd]).status == 200
    r = client.chat("odd", "What said he, tab here?")
    assert r.json["metadata"]["sources"][0]["text"] == odd
    assert b"</script>" not in r.body
    json.loads(r.body.decode("utf-8"))
