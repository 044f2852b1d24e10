"""The OpenAI face behind each of the servers: what its clients send, word for word."""
import base64
import hashlib
import json
import os
import struct
import time

import pytest

import sse
import test_openapi
import test_stream
from harness import KEY, SERVERS, in_time, temporary, wait_until
from test_stream import BEAT, BOT, DOCS, QUESTION

LESSER = "a-key-for-one-bot-and-no-more-0123456789"
CHAT = "/v1/chat/completions"
USER = [{"role": "user", "content": QUESTION}]
MODEL = "gemini-embedding-001"


@pytest.fixture(scope="module", params=list(SERVERS))
def site(request, emulator):
    server = SERVERS[request.param]
    if server.missing():
        pytest.skip(server.missing())
    with temporary() as d:
        keys = os.path.join(d, "keys")
        with open(keys, "w") as f:
            f.write(f"webui sha256:{hashlib.sha256(LESSER.encode()).hexdigest()} endpoints=chat bots={BOT}\n")
        os.chmod(keys, 0o644)
        with test_stream.Site(emulator, server, {"keys_file": keys}) as s:
            assert s.client.store("moons", "m", ["The moons are seen on Fridays."]).status == 200
            yield s


@pytest.fixture(autouse=True)
def no_faults(emulator):
    emulator.clear()
    yield
    emulator.clear()


def ask(site, method, path, body=None, key=KEY, headers=None):
    """As their clients do: Bearer, and JSON wanted whatever comes."""
    h = {"Accept": "application/json", "User-Agent": "OpenAI/JS 6.49.0", "X-Stainless-Retry-Count": "0"}
    if key is not None:
        h["Authorization"] = f"Bearer {key}"
    return site.client.request(method, path, body, headers={**h, **(headers or {})}, key=None)


def stream(site, messages, key=KEY, headers=None, **more):
    return sse.Stream(site.port, CHAT, {"model": BOT, "messages": messages, "stream": True, **more}, key=None,
                      headers={"Accept": "application/json", "Authorization": f"Bearer {key}", **(headers or {})})


def said(text):
    return [{"role": "user", "content": text}]


def content(events):
    """The joined text; every chunk but the last is JSON of the same answer."""
    chunks = [e.data for e in events if e.data != "[DONE]" and "error" not in e.data]
    assert len({(c["id"], c["created"], c["model"], c["object"]) for c in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant" and chunks[0]["object"] == "chat.completion.chunk"
    return "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"])


def test_models_are_the_bots_of_the_key(site):
    r = ask(site, "GET", "/v1/models")
    assert r.status == 200 and r.json["object"] == "list", r
    assert [m["id"] for m in r.json["data"]] == ["moons", BOT]
    assert all(m["object"] == "model" and abs(m["created"] - time.time()) < 600 for m in r.json["data"])
    assert [m["id"] for m in ask(site, "GET", "/v1/models", key=LESSER).json["data"]] == [BOT]
    assert ask(site, "GET", f"/v1/models/{BOT}").json == r.json["data"][1]
    for name, key in (("nobody", KEY), ("a%2Fb", KEY), ("moons", LESSER)):
        r = ask(site, "GET", f"/v1/models/{name}", key=key)
        assert r.status == 404 and r.json["error"]["type"] == "invalid_request_error", (name, r)


def test_a_completion_is_the_answer_of_chat(site):
    plain = site.client.chat(BOT, QUESTION).json
    r = ask(site, "POST", CHAT, {"model": BOT, "messages": USER, "temperature": 0.7, "user": "u1"})
    assert r.status == 200, r
    c = r.json
    assert c["choices"][0]["message"]["content"] == plain["response"] and c["choices"][0]["finish_reason"] == "stop"
    assert c["chatsphere"]["sources"] == plain["metadata"]["sources"]
    assert c["chatsphere"]["model"] == plain["metadata"]["model"] and c["model"] == BOT
    used = plain["metadata"]["tokens_used"]
    assert {k: c["usage"][f"{k}_tokens"] for k in used} == used and used["total"] > 0
    assert c["id"] == "chatcmpl-" + r.header("X-Request-Id") and c["chatsphere"]["request_id"] == r.header("X-Request-Id")


def test_a_bot_without_documents_is_no_error(site):
    r = ask(site, "POST", CHAT, {"model": "nobody-was-here", "messages": USER})
    assert r.status == 200 and r.json["choices"][0]["message"]["content"].strip() and r.json["chatsphere"]["sources"] == []


def test_a_stream_is_the_completion(site):
    plain = ask(site, "POST", CHAT, {"model": BOT, "messages": USER}).json
    with stream(site, USER, stream_options={"include_usage": True}) as s:
        events = s.all()
    assert s.status == 200 and s.ended and s.headers["content-type"].startswith("text/event-stream")
    assert content(events) == plain["choices"][0]["message"]["content"]
    first, finish, usage, end = events[0].data, *(e.data for e in events[-3:])
    expected = [{k: v for k, v in source.items() if k != "cited"} for source in plain["chatsphere"]["sources"]]
    assert first["chatsphere"]["sources"] == expected and first["choices"][0]["delta"]["content"] == ""
    assert finish["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert finish["chatsphere"]["cited"] == [i + 1 for i, c in enumerate(plain["chatsphere"]["sources"]) if c["cited"]]
    assert usage["choices"] == [] and usage["usage"] == plain["usage"] and end == "[DONE]"
    assert all(e.data["usage"] is None for e in events[:-2])
    assert first["id"] == "chatcmpl-" + s.headers["x-request-id"]


def test_every_piece_comes_when_it_was_sent(site):
    def latest():
        with stream(site, said("EMU:ts=12 EMU:slow=100")) as s:
            events = s.all()
        late = []
        for e in events[1:-1]:
            for stamp in e.data["choices"][0]["delta"].get("content", "").split(";"):
                if stamp.startswith("TS="):
                    late.append(e.at - int(stamp[3:]) / 1e9)
        assert len(late) == 12
        return max(late)
    # What is held back until the end is more than a second late.
    in_time(latest, 0.5, 6)


def test_it_begins_at_once_and_beats(site, emulator):
    emulator.fault("gemini.stream", delay_ms=3000)
    with stream(site, USER) as s:
        events = s.all()
    assert s.headed - s.started < 2.5 and events[-1].data == "[DONE]"
    assert len([c for c in s.comments if c > events[0].at]) >= 3


def test_cut_in_the_middle_is_an_error_and_no_end(site, emulator):
    emulator.fault("gemini.stream", kind="truncate", at=3000)
    with stream(site, said("EMU:len=400 EMU:slow=1"), stream_options={"include_usage": True}) as s:
        events = s.all()
    assert s.ended and b"[DONE]" not in s.raw and content(events)
    error = events[-1].data["error"]
    assert error["code"] == "provider_unavailable" and error["source"] == "gemini" and error["type"] == "server_error"
    assert error["request_id"] == s.headers["x-request-id"]


def test_what_fails_at_once_is_a_status_in_json(site, emulator):
    emulator.fault("gemini.*", kind="status", status=400)
    for more in ({}, {"stream": True}):
        # A question that was asked before needs no vector, and its stream begins with the passages.
        messages = said(f"What was never asked before, not even {more}?")
        r = ask(site, "POST", CHAT, {"model": BOT, "messages": messages, "chatsphere": {"fallback": "none"}, **more})
        assert r.status == 502 and r.header("Content-Type").startswith("application/json"), r
        assert r.json["error"]["code"] == "provider_error" and r.json["error"]["source"] == "gemini"
        assert r.header("X-Should-Retry") == "false"


def gone(site):
    lines = site.client.get("/metrics").body.decode().splitlines()
    return sum(float(x.rpartition(" ")[2]) for x in lines
               if x.startswith("chatsphere_client_gone_total") and 'endpoint="v1_chat"' in x and 'phase="stream"' in x)


def test_leaving_ends_the_upstream_call(site, emulator):
    left, before = test_stream.departures(emulator), gone(site)
    s = stream(site, said("EMU:ts=80 EMU:slow=100"))
    events = s.events()
    for _ in range(4):
        next(events)
    start = time.monotonic()
    s.close()
    assert wait_until(lambda: test_stream.departures(emulator) > left, 7), emulator.stats()["disconnects"]
    # Who does not leave hears all of it in eight.
    assert time.monotonic() - start < 4 * BEAT + 3
    assert wait_until(lambda: gone(site) == before + 1, 5)


@pytest.mark.parametrize("method,path,body,key,status,code", [
    ("POST", CHAT, {"model": BOT, "messages": USER}, "sk-wrong", 401, "invalid_api_key"),
    ("GET", "/v1/models", None, None, 401, "invalid_api_key"),
    ("POST", CHAT, {"model": "moons", "messages": USER}, LESSER, 403, "forbidden"),
    ("POST", "/v1/embeddings", {"model": MODEL, "input": "x"}, LESSER, 403, "forbidden"),
    ("POST", "/v1/embeddings", {"model": "ada", "input": "x"}, KEY, 404, "model_not_found"),
    ("POST", "/v1/responses", {"model": BOT, "input": "x"}, KEY, 404, "not_found"),
    ("GET", "/v1/", None, KEY, 404, "not_found"),
    ("GET", CHAT, None, KEY, 405, "method_not_allowed"),
    ("POST", "/v1/models", {}, KEY, 405, "method_not_allowed"),
    ("POST", CHAT, "{", KEY, 400, "bad_request"),
    ("POST", CHAT, {"model": BOT, "messages": USER, "n": 2}, KEY, 400, "bad_request"),
    ("POST", CHAT, {"model": BOT, "messages": USER, "temperature": 3}, KEY, 422, "invalid_value"),
    ("POST", CHAT, {"model": BOT, "messages": said("x" * 40000)}, KEY, 422, "invalid_value"),
    ("POST", CHAT, {"model": BOT, "messages": USER, "pad": "x" * 2000000}, KEY, 413, "too_large"),
])
def test_errors_have_their_shape(site, method, path, body, key, status, code):
    r = ask(site, method, path, body, key=key)
    assert r.status == status, r
    assert set(r.json) == {"error"} and r.json["error"]["code"] == code
    assert r.json["error"]["message"] and r.json["error"]["request_id"] == r.header("X-Request-Id")


def test_the_description_is_true(site):
    description = site.client.get("/openapi.json").json
    chat = {"model": BOT, "messages": USER}
    for method, path, real, body in (
            ("POST", CHAT, CHAT, chat), ("POST", CHAT, CHAT, {"model": BOT}), ("POST", CHAT, CHAT, {**chat, "n": 0}),
            ("GET", "/v1/models", "/v1/models", None), ("GET", "/v1/models/{bot}", f"/v1/models/{BOT}", None),
            ("GET", "/v1/models/{bot}", "/v1/models/nobody", None),
            ("POST", "/v1/embeddings", "/v1/embeddings", {"model": MODEL, "input": "x"}),
            ("POST", "/v1/embeddings", "/v1/embeddings", {"model": "ada", "input": "x"})):
        test_openapi.check(description, method, path, ask(site, method, real, body))


def floats(embedding):
    if isinstance(embedding, str):
        raw = base64.b64decode(embedding, validate=True)
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    return embedding


def test_embeddings_in_both_formats(site):
    texts = [DOCS[0], "Grüße aus 東京", DOCS[0]]
    plain = ask(site, "POST", "/v1/embeddings", {"model": MODEL, "input": texts})
    assert plain.status == 200, plain
    assert [d["index"] for d in plain.json["data"]] == [0, 1, 2] and plain.json["usage"]["total_tokens"] > 10
    packed = ask(site, "POST", "/v1/embeddings", {"model": MODEL, "input": texts, "encoding_format": "base64",
                                                  "dimensions": len(plain.json["data"][0]["embedding"])})
    for a, b in zip(plain.json["data"], packed.json["data"], strict=True):
        assert isinstance(b["embedding"], str) and floats(b["embedding"]) == pytest.approx(floats(a["embedding"]), rel=1e-6)
    assert plain.json["data"][0]["embedding"] == plain.json["data"][2]["embedding"] != plain.json["data"][1]["embedding"]
    asked = ask(site, "POST", "/v1/embeddings", {"model": MODEL, "input": texts, "input_type": "query"})
    assert asked.json["data"][0]["embedding"] != plain.json["data"][0]["embedding"]
    assert ask(site, "POST", "/v1/embeddings", {"model": MODEL, "input": "x", "dimensions": 5}).status == 400


def test_a_large_batch_of_embeddings(site):
    texts = [f"text number {i}" for i in range(2048)]
    r = ask(site, "POST", "/v1/embeddings", {"model": MODEL, "input": texts})
    assert r.status == 200 and [d["index"] for d in r.json["data"]] == list(range(2048)), r
    assert len({tuple(d["embedding"]) for d in r.json["data"]}) == 2048


def test_what_open_webui_sends(site):
    """Its list of models, a chat, and the title it asks for afterwards."""
    models = ask(site, "GET", "/v1/models", key=LESSER)
    assert models.status == 200 and models.json["data"][0]["id"] == BOT
    with stream(site, [{"role": "system", "content": "Be brief."}, *said("Hello"), {"role": "assistant", "content": "Hello!"},
                       {"role": "user", "content": [{"type": "text", "text": QUESTION}]}], key=LESSER,
                stream_options={"include_usage": True}, headers={"X-OpenWebUI-User-Name": "Eve"}) as s:
        events = s.all()
    assert "ninety minutes" in content(events) and events[-2].data["usage"]["total_tokens"] > 0
    title = ask(site, "POST", CHAT, {"model": BOT, "stream": False, "max_completion_tokens": 1000, "messages": said(
        "### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat history.\n### Output:\n"
        "JSON format: { \"title\": \"your concise title here\" }\n### Chat History:\n<chat_history>\nUSER: " + QUESTION +
        "\nASSISTANT: Ninety minutes.\n</chat_history>")}, key=LESSER)
    assert title.status == 200 and title.json["choices"][0]["message"]["content"].strip(), title


def test_what_librechat_sends(site):
    """addParams adds ours; the rest it sends by itself."""
    with stream(site, [{"role": "user", "content": QUESTION, "name": "eve"}], temperature=1, top_p=1, presence_penalty=0,
                frequency_penalty=0, user="6650f2", chatsphere={"citations": "list", "retriever_k": 2}) as s:
        events = s.all()
    text = content(events)
    cited = events[-2].data["chatsphere"]["cited"]
    assert cited and text.count("\n- [") == len(cited) and f"\n\n- [{cited[0]}] observatory" in text, text
    assert events[-1].data == "[DONE]" and len(events[0].data["chatsphere"]["sources"]) == 2
    with stream(site, USER, chatsphere={"citations": "none"}) as s:
        assert "[" not in content(s.all())


def test_the_quoting_model_has_this_face_too():
    """Nothing configured: no key of anybody's, and no embeddings."""
    from conftest import plain_site
    with plain_site(SERVERS["lighttpd"]) as front:
        class Plain:
            client, port = front.client, front.port
        assert front.client.store(BOT, "observatory", DOCS).status == 200
        with stream(Plain, USER) as s:
            events = s.all()
        assert "ninety minutes" in content(events) and events[-1].data == "[DONE]"
        r = ask(Plain, "POST", "/v1/embeddings", {"model": "any", "input": "x"})
        assert r.status == 503 and r.json["error"]["source"] == "agent", r
        assert json.loads(r.body)["error"]["param"] is None
