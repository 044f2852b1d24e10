"""A memcached that is slow, silent, broken or lying: a relay in a thread, between the service and a real one."""
import contextlib
import random
import selectors
import socket
import threading
import time


class FaultProxy:
    """Relays 127.0.0.1:port to a unix socket; `mode` may change at any time.

    ok; ("latency", s) holds every reply back; "hang" takes everything, counts what is asked and says nothing; "reset" ends each
    connection at its first reply; "slice" sends replies byte by byte; ("trickle", bytes a second); ("flip", p)
    flips one bit in so many replies of a hundred; "http" answers like a web server; "down" refuses to connect;
    ("garble", opcode) and ("lose", opcode) turn replies that say that operation of the binary protocol succeeded
    into an error, or keep them back.
    """

    def __init__(self, target):
        self.target, self.mode, self.flipped, self.swallowed = target, "ok", 0, 0
        self.listener = self.listen(0)
        self.port = self.listener.getsockname()[1]
        self.ending = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.random = random.Random(1)
        self.thread.start()

    def listen(self, port):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port))
        s.listen(128)
        return s

    def stop(self):
        self.ending = True
        self.thread.join(10)

    # ---- the thread ----

    def run(self):
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        self.later = []         # (when, socket, bytes)
        while not self.ending:
            wait = 0.05 if not self.later else max(0, min(0.05, min(w for w, _, _ in self.later) - time.monotonic()))
            for key, _ in self.selector.select(wait):
                if key.data is None:
                    self.accept()
                else:
                    self.relay(key.fileobj, *key.data)
            self.deliver()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()

    def accept(self):
        client, _ = self.listener.accept()
        if self.mode == "down":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            return
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(self.target)
        except OSError:
            client.close()
            server.close()
            return
        self.selector.register(client, selectors.EVENT_READ, ("asks", server))
        self.selector.register(server, selectors.EVENT_READ, ("replies", client))

    def close(self, *pair):
        for s in pair:
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(s)
            s.close()

    def relay(self, source, role, other):
        data = b""
        with contextlib.suppress(OSError):
            data = source.recv(65536)
        mode = self.mode
        if not data or mode == "down" or (mode == "reset" and role == "replies"):
            self.close(source, other)
        elif mode == "hang":
            self.swallowed += role == "asks"
        elif mode == "http" and role == "asks":
            self.send(source, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        elif role == "replies":
            self.reply(other, data, mode)
        else:
            self.send(other, data)

    def reply(self, to, data, mode):
        now = time.monotonic()
        if mode[0] in ("garble", "lose") and data[1] == mode[1] and data[6:8] == b"\0\0":
            if mode[0] == "garble":
                self.send(to, data[:6] + b"\0\x84" + data[8:])
        elif mode == "slice":
            self.later += [(now + i * 0.0001, to, data[i:i + 1]) for i in range(len(data))]
        elif mode[0] == "latency":
            self.later.append((now + mode[1], to, data))
        elif mode[0] == "trickle":
            self.later += [(now + i / mode[1], to, data[i:i + 16]) for i in range(0, len(data), 16)]
        elif mode[0] == "flip" and self.random.random() * 100 < mode[1]:
            at = self.random.randrange(len(data))
            data = data[:at] + bytes([data[at] ^ 1 << self.random.randrange(8)]) + data[at + 1:]
            self.flipped += 1
            self.send(to, data)
        else:
            self.send(to, data)

    def deliver(self):
        now = time.monotonic()
        due = [x for x in self.later if x[0] <= now]
        self.later = [x for x in self.later if x[0] > now]
        for _, to, data in due:
            self.send(to, data)

    def send(self, to, data):
        try:
            to.setblocking(True)
            to.settimeout(1)
            to.sendall(data)
        except OSError:
            entry = self.selector.get_map().get(to.fileno()) if to.fileno() != -1 else None
            self.close(to, *([entry.data[1]] if entry else []))
