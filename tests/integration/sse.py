"""Server-sent events read off a socket, each with the time it came."""
import collections
import json
import socket
import time

import harness

Event = collections.namedtuple("Event", "name data id at")


class Stream:
    """POST a body and read what comes; status and headers are known at once."""

    def __init__(self, port, path, body, headers=None, key=harness.KEY, timeout=30, accept=None):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        body = body.encode() if isinstance(body, str) else body
        head = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(len(body))}
        if key is not None:
            head["X-Internal-API-Key"] = key
        if accept is not None:
            head["Accept"] = accept
        head.update(headers or {})
        lines = "".join(f"{k}: {v}\r\n" for k, v in head.items())
        self.started = time.monotonic()
        self.sock.sendall(f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        self.file = self.sock.makefile("rb", buffering=65536)
        line = self.file.readline()
        self.status = int(line.split()[1]) if line else 0
        self.headers = {}
        while (line := self.file.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            self.headers[name.strip().lower()] = value.strip()
        self.headed = time.monotonic()
        self.raw = b""
        self.comments = []              # times of them
        self.ended = False              # the body came to its proper end

    def pieces(self):
        """The body, piece by piece, chunked or not."""
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            while True:
                line = self.file.readline()
                if not line:
                    return
                n = int(line.split(b";")[0], 16)
                if n == 0:
                    self.file.readline()
                    self.ended = True
                    return
                piece = self.file.read(n)
                self.file.readline()
                if len(piece) < n:
                    return
                yield piece
        left = int(self.headers.get("content-length", -1))
        while left != 0:
            piece = self.file.read1(65536 if left < 0 else left)
            if not piece:
                self.ended = left < 0
                return
            left -= len(piece) if left > 0 else 0
            yield piece
        self.ended = True

    def events(self):
        """Event after event; a comment's time goes to self.comments."""
        pending = b""
        for piece in self.pieces():
            now = time.monotonic()
            self.raw += piece
            pending += piece
            while b"\n\n" in pending:
                block, pending = pending.split(b"\n\n", 1)
                event = self.parse(block, now)
                if event is not None:
                    yield event
        assert not pending, f"half an event at the end: {pending[-200:]!r}"

    def parse(self, block, now):
        name, data, ident = "message", None, None
        for line in block.decode("utf-8").split("\n"):
            if line.startswith(":"):
                self.comments.append(now)
                continue
            field, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if field == "event":
                name = value
            elif field == "data":
                data = value if data is None else data + "\n" + value
            elif field == "id":
                ident = value
        if data is None:
            return None
        return Event(name, json.loads(data) if data != "[DONE]" else data, ident, now)

    def body(self):
        """All of a body that is no stream, an error say, as JSON."""
        return json.loads(b"".join(self.pieces()))

    def all(self):
        return list(self.events())

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def chat(port, bot, message, params=None, **kw):
    body = {"bot_id": bot, "message": message, "stream": True}
    if params is not None:
        body["config_params"] = params
    return Stream(port, "/chat", body, **kw)


def text(events):
    return "".join(e.data["text"] for e in events if e.name == "delta")


def check(events):
    """The grammar of a stream of ours: meta, delta*, and one end; or an error alone."""
    names = [e.name for e in events]
    if names == ["error"]:
        return events
    assert names[0] == "meta" and names[-1] in ("done", "error"), names
    assert set(names[1:-1]) <= {"delta"}, names
    ids = [e.id for e in events]
    request_id = events[0].data["request_id"]
    assert ids == [f"{request_id}.{i}" for i in range(len(ids))], ids
    return events
