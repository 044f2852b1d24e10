#!/usr/bin/python3
"""What streaming is like: leaving clients, many streams, the first word.

    bench/streams.py [--quick] [--servers lighttpd,nginx,...] [leave] [gaps] [many] [first]

leave: from the client's close to the end of the call at the provider, in every phase
through every server. gaps: 200 streams of 100 events; how far a gap at the client is
from the gap at the provider. many: 1,000 streams at once; memory a stream. first: what
is added to the provider's own time to the first text. The provider is tests/emu, which
puts its clock into the pieces and notes when a caller left.
"""
import argparse
import contextlib
import os
import re
import resource
import selectors
import socket
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../tests/integration"))
import harness  # noqa: E402
import sse  # noqa: E402

BOT = "bench"
STAMP = re.compile(rb"TS=(\d{20});")
# Upstream closed within so many ms of the client's leaving, at the median.
HEARTBEAT_MS = 1000
BARS = {"lighttpd": 100, "nginx": 100, "apache_proxy": 2 * HEARTBEAT_MS, "apache_fcgid": 2 * HEARTBEAT_MS}
PHASES = {"embedding": "gemini.embed", "before the first text": "gemini.stream", "mid-stream": None}


class Site:
    """One server, pools of the size wanted, an emulator; a document in the bot."""

    def __init__(self, server, config=None):
        self.server, self.config = server, {"heartbeat_ms": HEARTBEAT_MS, "fallback": "none", "log_level": "info",
                                            **(config or {})}

    def __enter__(self):
        with contextlib.ExitStack() as ends:
            d = ends.enter_context(harness.temporary())
            self.emulator = harness.Emulator(d)
            ends.callback(self.emulator.stop)
            self.service = harness.Service(d, self.config, self.emulator.env("gemini"))
            ends.callback(self.service.stop)
            if self.server.pools:
                self.service.start()
            self.front = self.server(self.service)
            ends.callback(self.front.stop)
            self.front.start()
            r = self.front.client.store(BOT, "tour", ["A guided tour of the observatory takes ninety minutes."])
            assert r.status == 200, r
            # What failed above was ended; from here on __exit__ does it.
            self.ends = ends.pop_all()
        return self

    def __exit__(self, *exc):
        return self.ends.__exit__(*exc)

    def stream(self, message):
        return sse.chat(self.front.port, BOT, message)


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))]


def leave_once(site, op):
    """ms from the close to the end upstream; None where it never came."""
    emu = site.emulator
    before = emu.stats()["disconnects"]["count"]
    s = site.stream("EMU:ts=400 EMU:slow=20")
    if op is None:
        events = s.events()
        for _ in range(4):
            next(events)
    else:
        if not harness.wait_until(lambda: emu.stats()["ops"].get(op, {}).get("in_flight"), 5, 0.005):
            s.close()
            return None
        time.sleep(0.02)
    start = time.monotonic_ns() / 1e6
    s.close()
    if not harness.wait_until(lambda: emu.stats()["disconnects"]["count"] > before, 10, 0.005):
        return None
    return emu.stats()["disconnects"]["last_ms"] - start


def leave(servers, trials):
    print(f"\nClient's leaving -> call at the provider ended, ms ({trials} trials a cell, heartbeat {HEARTBEAT_MS} ms)")
    print(f"{'server':<14} {'phase':<24} {'p50':>7} {'p99':>7} {'max':>7}   bar")
    missed = []
    for name in servers:
        with Site(harness.SERVERS[name]) as site:
            for phase, op in PHASES.items():
                site.emulator.clear()
                if op is not None:
                    site.emulator.fault(op, delay_ms=15000)
                times = [leave_once(site, op) for _ in range(trials)]
                lost = times.count(None)
                seen = [t for t in times if t is not None]
                worst = max(seen) if seen else float("inf")
                ok = not lost and worst <= BARS[name]
                print(f"{name:<14} {phase:<24} {statistics.median(seen) if seen else -1:>7.0f} "
                      f"{percentile(seen, 99) if seen else -1:>7.0f} {worst:>7.0f}   <= {BARS[name]} "
                      f"{'met' if ok else f'MISSED ({lost} never)'}", flush=True)
                if not ok:
                    missed.append(f"leave {name} {phase}")
    return missed


class Reader:
    """Many streams on one selector: only stamps and ends are looked for."""

    def __init__(self, port, n, message):
        body = ('{"bot_id":"%s","message":"%s","stream":true}' % (BOT, message)).encode()
        head = (f"POST /chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                f"X-Internal-API-Key: {harness.KEY}\r\nContent-Length: {len(body)}\r\n\r\n").encode()
        self.selector = selectors.DefaultSelector()
        self.stamps = [[] for _ in range(n)]
        self.done = [False] * n
        self.tails = [b""] * n
        for i in range(n):
            s = socket.create_connection(("127.0.0.1", port), 30)
            s.sendall(head + body)
            s.setblocking(False)
            self.selector.register(s, selectors.EVENT_READ, i)

    def take(self, i, data, now):
        data = self.tails[i] + data
        end = 0
        for m in STAMP.finditer(data):
            self.stamps[i].append((int(m.group(1)) / 1e6, now))
            end = m.end()
        if b"event: done" in data:
            self.done[i] = True
        self.tails[i] = data[max(end, len(data) - 64):]

    def run(self, timeout, meanwhile=None):
        until, left = time.monotonic() + timeout, len(self.done)
        while left and time.monotonic() < until:
            for key, _ in self.selector.select(0.5):
                try:
                    data = key.fileobj.recv(65536)
                except ConnectionResetError:
                    data = b""
                now = time.monotonic_ns() / 1e6
                self.take(key.data, data, now)
                if not data or self.done[key.data]:
                    self.selector.unregister(key.fileobj)
                    key.fileobj.close()
                    left -= 1
            if meanwhile is not None:
                meanwhile()
        return left


def room(n):
    """A place for each of n streams in either worker: the kernel does not share connections out evenly."""
    return {"workers": 2, "threads": n, "queue_timeout_ms": 10000}


class RoomyFcgid(harness.ApacheFcgid):
    """A process a stream, which the shipped file, made for small hosting, does not allow."""

    def more(self):
        return super().more() + "FcgidMaxProcessesPerClass 400\nFcgidMaxProcesses 400\nFcgidSpawnScoreUpLimit 1000\n"


def gaps(servers, n, pieces):
    print(f"\n{n} streams of {pieces} events: a gap at the client against the gap at the provider, ms")
    print(f"{'server':<14} {'lost':>5} {'order':>6} {'p50':>7} {'p99':>7} {'max':>7}   bar")
    missed = []
    for name in servers:
        server = RoomyFcgid if name == "apache_fcgid" else harness.SERVERS[name]
        with Site(server, room(n)) as site:
            # Once before: mod_fcgid's processes must be there, and starting them is not what is measured.
            Reader(site.front.port, n, "EMU:ts=2 EMU:slow=3000").run(60)
            r = Reader(site.front.port, n, f"EMU:ts={pieces} EMU:slow=100")
            r.run(120)
        off, lost, disorder = [], 0, 0
        for stamps in r.stamps:
            lost += pieces - len(stamps)
            disorder += stamps != sorted(stamps)
            off += [abs((b[1] - a[1]) - (b[0] - a[0])) for a, b in zip(stamps, stamps[1:])]
        ok = lost == 0 and disorder == 0 and all(r.done) and percentile(off, 99) <= 20
        print(f"{name:<14} {lost:>5} {disorder:>6} {statistics.median(off):>7.2f} {percentile(off, 99):>7.2f} {max(off):>7.1f}   "
              f"<= 20 {'met' if ok else 'MISSED'}", flush=True)
        if not ok:
            missed.append(f"gaps {name}")
    return missed


def pss(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            total += next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    return total


def many(n):
    with Site(harness.SERVERS["lighttpd"], room(n)) as site:
        pids = [site.service.masters["chat"].pid, *site.service.workers("chat")]
        idle, peak = pss(pids), [0]
        r = Reader(site.front.port, n, "EMU:ts=100 EMU:slow=200")
        last = [0.0]

        def look():
            if time.monotonic() - last[0] > 1:
                last[0] = time.monotonic()
                peak[0] = max(peak[0], pss(pids))
        r.run(180, look)
    whole = sum(r.done)
    print(f"\n{n} streams at once behind lighttpd: {whole} whole, {sum(map(len, r.stamps))} of {n * 100} events, "
          f"{peak[0] / n:.0f} kB PSS a stream with everything of the pool ({idle} kB idle)", flush=True)
    return [] if whole == n and all(len(s) == 100 for s in r.stamps) else ["many"]


def first_text(port, path, body, headers, mark):
    """ms until the mark is read, on a connection of its own."""
    s = socket.create_connection(("127.0.0.1", port))
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    start = time.monotonic_ns()
    s.sendall(head.encode() + body)
    got = b""
    while mark not in got:
        piece = s.recv(65536)
        if not piece:
            raise SystemExit(f"no {mark!r} in {got!r}")
        got += piece
    took = (time.monotonic_ns() - start) / 1e6
    s.close()
    return took


def first(trials):
    with Site(harness.SERVERS["lighttpd"]) as site:
        theirs = b'{"contents":[{"role":"user","parts":[{"text":"EMU:ts=3"}]}]}'
        ours = b'{"bot_id":"%s","message":"EMU:ts=3","stream":true}' % BOT.encode()
        key = f"x-goog-api-key: {site.emulator.GEMINI}\r\n"
        direct, through = [], []
        for _ in range(trials):
            direct.append(first_text(site.emulator.port, "/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse",
                                     theirs, key, b"TS="))
            through.append(first_text(site.front.port, "/chat", ours, f"X-Internal-API-Key: {harness.KEY}\r\n", b"TS="))
    added = statistics.median(through) - statistics.median(direct)
    print(f"\nTime to the first text, ms, median of {trials}: provider {statistics.median(direct):.2f}, through lighttpd and the "
          f"service {statistics.median(through):.2f}; added {added:.2f}   <= 2 {'met' if added < 2 else 'MISSED'}", flush=True)
    return [] if added < 2 else ["first"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", nargs="*", help="leave, gaps, many, first; all of them where none is named")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--servers", default=",".join(harness.SERVERS))
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    servers = [s for s in args.servers.split(",") if not harness.SERVERS[s].missing()]
    what = args.what or ["leave", "gaps", "many", "first"]
    missed = []
    if "leave" in what:
        missed += leave(servers, 5 if args.quick else 50)
    if "gaps" in what:
        missed += gaps(servers, 200, 20 if args.quick else 100)
    if "many" in what:
        missed += many(1000)
    if "first" in what:
        missed += first(50 if args.quick else 300)
    print("\nall bars met" if not missed else f"\nmissed: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
