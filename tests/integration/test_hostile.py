"""Hostile input: the right status, a clear message, nothing stored, nothing dies.

The rows of the H list that concern these endpoints, behind each server.
"""
import json
import socket
import struct
import time

import pytest

from harness import KEY


@pytest.fixture(scope="module")
def client(site):
    return site.client


def chat_body(**kw):
    return {"bot_id": "b", "message": "hello", **kw}


def nested(n):
    return '{"bot_id":"b","message":"m","x":' + "[" * n + "]" * n + "}"


BODIES = [
    # (name, body, status, part of the message)
    ("empty", b"", 400, ""),
    ("not json", b"hello", 400, ""),
    ("top-level array", b"[]", 400, "object"),
    ("top-level null", b"null", 400, ""),
    ("trailing garbage", b'{"bot_id":"b","message":"m"} x', 400, ""),
    ("two documents", b'{"bot_id":"b","message":"m"}{}', 400, ""),
    ("comment", b'{"bot_id":"b",/*c*/"message":"m"}', 400, ""),
    ("single quotes", b"{'bot_id':'b','message':'m'}", 400, ""),
    ("trailing comma", b'{"bot_id":"b","message":"m",}', 400, ""),
    ("depth 33", nested(32).encode(), 400, "deep"),
    ("depth 1000", nested(1000).encode(), 400, "deep"),
    ("depth a million", nested(500000).encode(), 400, "deep"),
    ("name twice", b'{"bot_id":"b","bot_id":"c","message":"m"}', 400, "twice"),
    ("name twice, escaped", b'{"bot_id":"b","bot\\u005fid":"c","message":"m"}', 400, "twice"),
    ("name twice, deep", b'{"bot_id":"b","message":"m","x":{"y":[{"a":1,"a":2}]}}', 400, "twice"),
    ("NUL in a name", b'{"bot_id":"b","message":"m","bot_id\\u0000x":1}', 400, ""),
    ("NUL escape", b'{"bot_id":"b","message":"a\\u0000b"}', 400, ""),
    ("NUL byte", b'{"bot_id":"b","message":"a\x00b"}', 400, ""),
    ("control character", b'{"bot_id":"b","message":"a\x01b"}', 400, ""),
    ("bad UTF-8", b'{"bot_id":"b","message":"a\xffb"}', 400, "UTF-8"),
    ("overlong UTF-8", b'{"bot_id":"b","message":"a\xc0\xafb"}', 400, "UTF-8"),
    ("surrogate bytes", b'{"bot_id":"b","message":"a\xed\xa0\x80b"}', 400, "UTF-8"),
    ("lone surrogate", b'{"bot_id":"b","message":"a\\ud800b"}', 400, ""),
    ("BOM", b'\xef\xbb\xbf{"bot_id":"b","message":"m"}', 400, ""),
    ("NaN", b'{"bot_id":"b","message":"m","config_params":{"temperature":NaN}}', 400, ""),
    ("Infinity", b'{"bot_id":"b","message":"m","config_params":{"temperature":-Infinity}}', 400, ""),
    ("1e999", b'{"bot_id":"b","message":"m","config_params":{"temperature":1e999}}', 400, ""),
    ("leading zero", b'{"bot_id":"b","message":"m","config_params":{"retriever_k":05}}', 400, ""),
    ("bot_id missing", json.dumps({"message": "m"}).encode(), 400, "bot_id"),
    ("bot_id null", json.dumps(chat_body(bot_id=None)).encode(), 400, "bot_id"),
    ("bot_id a number", json.dumps(chat_body(bot_id=7)).encode(), 400, "bot_id"),
    ("message missing", json.dumps({"bot_id": "b"}).encode(), 400, "message"),
    ("message a list", json.dumps(chat_body(message=["m"])).encode(), 400, "message"),
    ("message blank", json.dumps(chat_body(message=" \n\t\u3000")).encode(), 422, "message"),
    ("message too long", json.dumps(chat_body(message="x" * 32001)).encode(), 422, "32000"),
    ("history an object", json.dumps(chat_body(history={})).encode(), 400, "history"),
    ("history of strings", json.dumps(chat_body(history=["x"])).encode(), 400, "history[0]"),
    ("history role system", json.dumps(chat_body(history=[{"role": "system", "content": "x"}])).encode(), 422,
     "history[0].role"),
    ("history too long", json.dumps(chat_body(history=[{"role": "user", "content": "x"}] * 201)).encode(), 422, "200"),
    ("config_params a list", json.dumps(chat_body(config_params=[])).encode(), 400, "config_params"),
    ("stream a string", json.dumps(chat_body(stream="yes")).encode(), 400, "stream"),
] + [
    (f"config_params {name} {value!r}", json.dumps(chat_body(config_params={name: value})).encode(), status, name)
    for name, value, status in (
        ("temperature", 2.01, 422), ("temperature", -0.1, 422), ("temperature", "warm", 400), ("temperature", True, 400),
        ("retriever_k", 0, 422), ("retriever_k", 101, 422), ("retriever_k", 2**53 + 1, 422), ("retriever_k", 2**64, 422),
        ("retriever_k", 1.5, 400), ("retriever_k", "5", 400),
        ("chat_history_length", -1, 422), ("chat_history_length", 101, 422),
        ("llm_model", "../../etc/passwd", 422), ("llm_model", "no-such-model", 422), ("llm_model", 5, 400),
        ("system_prompt", 5, 400), ("fallback", "magic", 422), ("tools", "all", 400))
] + [
    (f"bot_id {bot[:20]!r}", json.dumps(chat_body(bot_id=bot)).encode(), 422, "bot_id")
    for bot in ("", ".", "..", ".hidden", "a..b", "../x", "a/b", "a\\b", "a:b", "a b", "a\r\nb", "a%2fb", "b\u00f6t", "x" * 129,
                "x" * 10240, "'; DROP TABLE chunks; --", "%", "_" * 200, "{\"a\":1}")
]


@pytest.mark.parametrize("name,body,status,part", BODIES, ids=[b[0] for b in BODIES])
def test_chat_refuses(client, name, body, status, part):
    r = client.post("/chat", body)
    assert r.status == status, r
    e = r.json
    assert e["status"] == "error" and e["error"]["source"] == "client" and e["error"]["retryable"] is False
    assert part.lower() in e["error_message"].lower(), e
    assert len(e["error_message"]) < 400


STORE = {"document_id": "d", "chunks": ["text"], "metadata": {"bot_id": "hostile"}}
STORES = [
    ("document_id missing", {k: v for k, v in STORE.items() if k != "document_id"}, 400, "document_id"),
    ("chunks missing", {k: v for k, v in STORE.items() if k != "chunks"}, 400, "chunks"),
    ("metadata missing", {k: v for k, v in STORE.items() if k != "metadata"}, 400, "metadata"),
    ("bot_id missing", STORE | {"metadata": {}}, 400, "metadata.bot_id"),
    ("bot_id with a slash", STORE | {"metadata": {"bot_id": "a/../b"}}, 422, "bot_id"),
    ("no chunk", STORE | {"chunks": []}, 422, "chunks"),
    ("too many chunks", STORE | {"chunks": ["x"] * 1001}, 422, "1000"),
    ("a blank chunk", STORE | {"chunks": ["fine", " \n "]}, 422, "chunks[1]"),
    ("an empty chunk", STORE | {"chunks": ["fine", ""]}, 422, "chunks[1]"),
    ("a number as a chunk", STORE | {"chunks": ["fine", 7]}, 400, "chunks[1]"),
    ("a null chunk", STORE | {"chunks": [None]}, 400, "chunks[0]"),
    ("a chunk too long", STORE | {"chunks": ["x" * 32001]}, 422, "32000"),
    ("a chunk without text", STORE | {"chunks": [{"id": "a"}]}, 400, "chunks[0].text"),
    ("an id twice", STORE | {"chunks": [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]}, 422, "chunks[1] has the id of another chunk: a"),
    ("a long id twice", STORE | {"chunks": [{"id": "a" + "é" * 127, "text": "x"}] * 2}, 422, "ééé"),
    ("an id equal to a made one", STORE | {"chunks": ["x", {"id": "d-chunk-0", "text": "y"}]}, 422, "d-chunk-0"),
    ("an id with a newline", STORE | {"chunks": [{"id": "a\nb", "text": "x"}]}, 422, "chunks[0].id"),
    ("an id too long", STORE | {"chunks": [{"id": "a" * 257, "text": "x"}]}, 422, "chunks[0].id"),
    ("document_id with a control", STORE | {"document_id": "a\u0007"}, 422, "document_id"),
    ("document_id with another control", STORE | {"document_id": "a\u0085"}, 422, "document_id"),
    ("document_id blank", STORE | {"document_id": " \u3000"}, 422, "not blank"),
    ("document_id empty", STORE | {"document_id": ""}, 422, "document_id"),
    ("nested metadata", STORE | {"metadata": {"bot_id": "hostile", "a": {"b": 1}}}, 422, "metadata.a"),
    ("list of numbers", STORE | {"metadata": {"bot_id": "hostile", "a": [1]}}, 422, "metadata.a"),
    ("nested chunk metadata", STORE | {"chunks": [{"text": "x", "metadata": {"a": {}}}]}, 422, "chunks[0].metadata"),
    ("metadata too large", STORE | {"metadata": {"bot_id": "hostile", "a": "x" * 9000}}, 422, "8192"),
    ("an unknown mode", STORE | {"mode": "later"}, 422, "mode"),
]


@pytest.mark.parametrize("name,body,status,part", STORES, ids=[s[0] for s in STORES])
def test_store_refuses_and_keeps_nothing(client, name, body, status, part):
    r = client.post("/embed_and_store", body)
    assert r.status == status, r
    assert part in r.json["error_message"], r
    assert client.chat("hostile", "fine text x y").json["metadata"]["sources"] == []


def test_content_types(client):
    for kind, status in (("text/plain", 415), ("application/x-www-form-urlencoded", 415), ("application/jsonx", 415),
                         ("application/json; charset=latin1", 415), ("application/json; charset=UTF-8", 200),
                         ("APPLICATION/JSON", 200)):
        r = client.post("/chat", chat_body(), headers={"Content-Type": kind})
        assert r.status == status, (kind, r)


def test_bodies_at_the_limit_and_above(client):
    # The message is refused, the body is not: it is the last byte that decides.
    pad = 1048576 - len(json.dumps(chat_body(pad="")))
    assert client.post("/chat", json.dumps(chat_body(pad="x" * pad))).status == 200
    r = client.post("/chat", json.dumps(chat_body(pad="x" * (pad + 1))))
    assert r.status == 413 and r.json["error"]["code"] == "too_large", r


def test_many_names_and_values_stay_cheap(client):
    start = time.monotonic()
    many = "{" + ",".join(f'"k{i}":{i}' for i in range(60000)) + "}"
    r = client.post("/chat", many)
    assert r.status == 400, r
    values = '{"bot_id":"b","message":"m","x":[' + ",".join("1" * 1 for _ in range(400000)) + "]}"
    assert client.post("/chat", values).status in (200, 400)
    digits = '{"bot_id":"b","message":"m","config_params":{"retriever_k":' + "1" * 100000 + "}}"
    assert client.post("/chat", digits).status in (400, 422)
    assert time.monotonic() - start < 20


def test_paths_have_one_spelling(site, client):
    for path in ("//chat", "/./chat", "/x/../chat", "/%63hat%2f", "/chat%00", "/chat;x", "/chat%5c", "/%2e%2e/chat", "/chat."):
        r = client.post(path, chat_body())
        assert r.status in (400, 404), (path, r)
    assert client.post("/chat?x=1", chat_body()).status == 200


def test_unknown_methods(client):
    for method in ("TRACE", "PATCH", "OPTIONS", "BREW", "post"):
        r = client.request(method, "/chat")
        assert r.status in (400, 405, 501), (method, r)


def test_look_alike_headers_are_no_keys(client):
    for name in ("X_Internal_Api_Key", "X-Internal_Api_Key", "X_Internal-Api-Key"):
        assert client.chat("b", "m", key=None, headers={name: KEY}).status == 401, name
    r = client.raw(b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Internal-API-Key: " + KEY.encode() +
                   b"\r\nX-Internal-API-Key: wrong\r\n\r\n")
    # Open to all, so 200; but two keys are none: no details.
    assert b"dependencies" not in r
    body = json.dumps(chat_body()).encode()
    r = client.raw(b"POST /chat HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
                   b"X-Internal-API-Key: wrong\r\nX-Internal-API-Key: " + KEY.encode() +
                   b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert r.split(b" ", 2)[1] in (b"400", b"401"), r


def test_a_body_shorter_than_announced(client):
    r = client.raw(b"POST /chat HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
                   b"X-Internal-API-Key: " + KEY.encode() + b"\r\nContent-Length: 500\r\n\r\n{\"bot_id\":\"b\"",
                   timeout=3, half_close=True)
    assert b" 200 " not in r.split(b"\r\n")[0]


def test_odd_content_lengths(client):
    for value in (b"-1", b"+3", b"1e3", b"99999999999999999999999", b"3, 3", b"0x10"):
        r = client.raw(b"POST /chat HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
                       b"X-Internal-API-Key: " + KEY.encode() + b"\r\nContent-Length: " + value + b"\r\n\r\n{}", timeout=3)
        assert b" 200 " not in r.split(b"\r\n")[0], (value, r)


def fcgi_record(kind, request, content):
    return struct.pack(">BBHHBB", 1, kind, request, len(content), 0, 0) + content


@pytest.mark.parametrize("size", [65527, 65528, 65535, 65536, 65544, 99000, 131072])
def test_fastcgi_records_inside_a_body_are_text(client, size):
    record = fcgi_record(5, 1, b"") + fcgi_record(1, 2, struct.pack(">HB5x", 1, 0)) + fcgi_record(2, 1, b"")
    record = record.replace(b"\x00", b"0").replace(b"\x01", b"1").replace(b"\x02", b"2").replace(b"\x05", b"5")
    text = (record * (size // len(record) + 1))[:size - 60].decode("latin-1")
    body = json.dumps({"bot_id": "b", "message": "m", "x": text}, ensure_ascii=False).encode("latin-1", "replace")
    r = client.post("/chat", body)
    assert r.status == 200, r
    raw = b'{"bot_id":"b","message":"' + (fcgi_record(5, 1, b"") * (size // 8))
    assert client.post("/chat", raw).status == 400


def test_a_proxy_header_is_ignored(client):
    with socket.socket() as canary:
        canary.bind(("127.0.0.1", 0))
        canary.listen()
        canary.setblocking(False)
        client.chat("b", "m", headers={"Proxy": "http://127.0.0.1:%d/" % canary.getsockname()[1]})
        with pytest.raises(BlockingIOError):
            canary.accept()


def test_everything_still_serves(client):
    assert client.get("/health").status == 200
    assert client.store("after", "doc", ["The storm is over and the sky is clear."]).status == 200
    assert "clear" in client.chat("after", "How is the sky after the storm?").json["response"]
