"""openai for Python against this service; prints the lines that run.sh counts.

CSA_V1 is "ADDRESS KEY LESSER-KEY", EMU_URL the emulated provider's address.
"""
import json
import os
import sys
import time
import urllib.request

import openai

URL, KEY, LESSER = os.environ["CSA_V1"].split(" ")
EMU = os.environ["EMU_URL"]
QUESTION = "What do tickets for the ferry cost?"
NAME = f"python{openai.__version__.split('.')[0]}"
totals = {"ok": 0, "FAIL": 0}
checks = []


def emu(method, path, body=None):
    r = urllib.request.Request(EMU + path, None if body is None else json.dumps(body).encode(), method=method)
    with urllib.request.urlopen(r) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def check(f):
    checks.append(f)
    return f


def client(key=KEY, **more):
    return openai.OpenAI(api_key=key, base_url=URL + "/v1", max_retries=0, **more)


def chat(content=QUESTION, key=KEY, **more):
    return client(key).chat.completions.create(**{"model": "harbor", "messages": [{"role": "user", "content": content}],
                                                  **more})


def text(chunks):
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def raises(kind, f, **members):
    try:
        f()
    except kind as e:
        assert type(e) is kind or kind is openai.APIError, type(e)
        for k, v in members.items():
            assert getattr(e, k) == v, (k, getattr(e, k), v)
        return e
    raise AssertionError(f"no {kind.__name__}")


@check
def a_cited_answer_with_its_sources():
    r = chat(extra_body={"chatsphere": {"retriever_k": 1, "citations": "list"}})
    assert "three euros" in r.choices[0].message.content and "About harbor" in r.choices[0].message.content
    assert r.choices[0].finish_reason == "stop" and r.usage.total_tokens > 0 and r.model == "harbor"
    assert [s["chunk_id"] for s in r.chatsphere["sources"]] == ["doc-chunk-1"]
    assert r.id == "chatcmpl-" + r._request_id


@check
def a_stream_is_the_answer_in_pieces():
    chunks = list(chat(stream=True, stream_options={"include_usage": True}))
    assert text(chunks) == chat().choices[0].message.content
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens > 0
    assert chunks[-2].choices[0].finish_reason == "stop" and chunks[0].choices[0].delta.role == "assistant"
    assert chunks[0].chatsphere["sources"]


@check
def a_failure_in_the_middle_is_an_APIError():
    emu("POST", "/_emu/faults", {"match": "openai.chat", "kind": "truncate", "at": 3000})
    stream = chat("EMU:len=400 EMU:slow=1", stream=True)
    e = raises(openai.APIError, lambda: list(stream), code="provider_unavailable")
    assert e.body["source"] == "openai"


@check
def leaving_ends_the_upstream_call():
    left = emu("GET", "/_emu/stats")["disconnects"]["count"]
    with chat("EMU:ts=80 EMU:slow=100", stream=True) as stream:
        for _, chunk in zip(range(4), stream):
            assert chunk.choices
    end = time.monotonic() + 2
    while emu("GET", "/_emu/stats")["disconnects"]["count"] == left:
        assert time.monotonic() < end, "the upstream call went on"
        time.sleep(0.02)


@check
def errors_are_of_their_classes():
    raises(openai.AuthenticationError, lambda: chat(key="sk-wrong"), code="invalid_api_key")
    raises(openai.PermissionDeniedError, lambda: chat(key=LESSER, model="moons"), code="forbidden")
    raises(openai.NotFoundError, lambda: client().models.retrieve("nobody"), code="model_not_found", param="model")
    raises(openai.BadRequestError, lambda: chat(n=2), param="n", type="invalid_request_error")
    raises(openai.UnprocessableEntityError, lambda: chat(temperature=3), param="temperature")
    emu("POST", "/_emu/faults", {"match": "openai.chat", "kind": "status", "status": 400})
    raises(openai.InternalServerError, chat, code="provider_error")


@check
def models_are_the_bots():
    assert [m.id for m in client().models.list()] == ["harbor", "moons"]
    assert [m.id for m in client(LESSER).models.list()] == ["harbor"]
    assert client().models.retrieve("moons").object == "model"


@check
def embeddings_base64_unasked():
    ask = {"model": "text-embedding-3-small", "input": ["one", "two"]}
    packed = client().embeddings.create(**ask)
    plain = client().embeddings.create(**ask, encoding_format="float")
    assert [d.index for d in packed.data] == [0, 1] and len(packed.data[0].embedding) == 256
    for a, b in zip(packed.data, plain.data):
        assert max(abs(x - y) for x, y in zip(a.embedding, b.embedding)) < 1e-6
    raises(openai.NotFoundError, lambda: client().embeddings.create(model="ada", input="x"), code="model_not_found")


for f in checks:
    emu("DELETE", "/_emu/faults")
    word = "ok"
    try:
        f()
        print(f"ok   {NAME} v1: {f.__name__.replace('_', ' ')}")
    except Exception as e:
        word = "FAIL"
        print(f"FAIL {NAME} v1: {f.__name__.replace('_', ' ')}: {type(e).__name__} {e}")
    totals[word] += 1
print(f"# {NAME} {openai.__version__}: {totals['ok']} {totals['FAIL']}")
sys.exit(totals["FAIL"] > 0)
