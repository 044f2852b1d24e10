"""What /openapi.json says is what is answered."""
import pytest

from conftest import plain_site
from harness import SERVERS

jsonschema = pytest.importorskip("jsonschema", reason="python3-jsonschema is not installed")


@pytest.fixture(scope="module")
def client():
    with plain_site(SERVERS["lighttpd"]) as front:
        yield front.client


@pytest.fixture(scope="module")
def description(client):
    return client.get("/openapi.json", key=None).json


def deref(description, node):
    while "$ref" in node:
        target = description
        for step in node["$ref"][2:].split("/"):
            target = target[step]
        node = target
    return node


def check(description, method, path, reply):
    answers = description["paths"][path][method.lower()]["responses"]
    assert str(reply.status) in answers, f"{method} {path} answers {reply.status}, which is not described"
    answer = deref(description, answers[str(reply.status)])
    kind = reply.header("Content-Type").split(";")[0]
    schema = deref(description, answer["content"][kind]["schema"])
    if kind == "application/json":
        root = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": description["components"], **schema}
        jsonschema.Draft202012Validator(root).validate(reply.json)
    for name in answer.get("headers", {}):
        assert reply.header(name) is not None, f"{method} {path} {reply.status} lacks {name}"


STORE = {"document_id": "d", "chunks": ["The bridge is closed in winter."], "metadata": {"bot_id": "b", "title": "Bridge", "n": 1}}
REQUESTS = [
    ("POST", "/chat", {"bot_id": "b", "message": "When is the bridge closed?"}, {}),
    ("POST", "/chat", {"bot_id": "nobody", "message": "anything"}, {}),
    ("POST", "/chat", {"message": "x"}, {}),
    ("POST", "/chat", {"bot_id": "..", "message": "x"}, {}),
    ("POST", "/chat", {"bot_id": "b", "message": "x"}, {"key": None}),
    ("POST", "/chat", {"bot_id": "b", "message": "x"}, {"headers": {"Content-Type": "text/plain"}}),
    ("POST", "/chat", {"bot_id": "b", "message": "x", "pad": "x" * 2000000}, {}),
    ("POST", "/embed_and_store", STORE, {}),
    ("POST", "/embed_and_store", STORE | {"chunks": [{"text": "t", "metadata": {"a": ["x"], "b": None}}]}, {}),
    ("POST", "/embed_and_store", STORE | {"chunks": []}, {}),
    ("POST", "/embed_and_store", {}, {}),
    ("DELETE", "/documents/{document_id}", None, {"target": "/documents/d?bot_id=b"}),
    ("DELETE", "/documents/{document_id}", None, {"target": "/documents/e?bot_id=b"}),
    ("DELETE", "/documents/{document_id}", None, {"target": "/documents/e?bot_id=.."}),
    ("DELETE", "/documents/{document_id}", None, {"target": "/documents/e"}),
    ("DELETE", "/documents", None, {"target": "/documents?bot_id=b&document_id=d"}),
    ("DELETE", "/documents", None, {"target": "/documents?bot_id=b&document_id=d", "key": None}),
    ("GET", "/health", None, {}),
    ("GET", "/health", None, {"key": None}),
    ("GET", "/ready", None, {}),
    ("GET", "/ready", None, {"key": None}),
    ("GET", "/metrics", None, {}),
    ("GET", "/metrics", None, {"key": "wrong"}),
    ("GET", "/openapi.json", None, {"key": None}),
]


@pytest.mark.parametrize("method,path,body,more", REQUESTS)
def test_answers_are_as_described(client, description, method, path, body, more):
    client.store("b", "d", STORE["chunks"])
    more = dict(more)
    check(description, method, path, client.request(method, more.pop("target", path), body, **more))


def test_requests_that_we_take_are_as_described(description):
    schemas = description["components"]["schemas"]
    for name, body in (("ChatRequest", REQUESTS[0][2]), ("StoreRequest", STORE)):
        root = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": description["components"], **schemas[name]}
        jsonschema.Draft202012Validator(root).validate(body)
