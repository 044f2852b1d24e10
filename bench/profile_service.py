"""What dominates: CPU by thread, perf and strace on a service under load."""

import collections
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import rig

SECONDS = 4


def dominates(bench, service):
    """Print where the CPU of a chat and of a store goes.

    Says so where a tool is missing."""
    bench.upstream.delays({})
    service.start(bench.upstream)
    jobs = {
        "a chat": lambda s: bench.chat(service, "-c", 16, "-d", s),
        "a 100-chunk store": lambda s: bench.store(service, "-c", 2, "-d", s),
    }
    try:
        for name, load in jobs.items():
            load(1)
            print("\nWhat dominates in %s of %s (upstream at 0 ms)" % (
                name, service.name))
            shares_by_thread(service, load)
            with_perf(bench, service, load)
            with_strace(bench, service, load)
    finally:
        service.stop()
    where_memory_is(bench, service)


def where_memory_is(bench, service, in_flight=1000):
    """PSS by kind of mapping with so many slow chats under way, and the burst's CPU."""
    bench.upstream.delays(rig.DELAYS)
    service.start(bench.upstream, in_flight=in_flight)
    try:
        print("\nWhat dominates in the memory of %d chats in flight" % in_flight)
        idle = rig.pss_by_kind(service.own())
        busy = threading.Thread(target=lambda: bench.chat(
            service, "-c", in_flight, "-d", 5))
        busy.start()
        time.sleep(3)
        loaded = rig.pss_by_kind(service.own())
        busy.join()
    finally:
        service.stop()
        bench.upstream.delays({})
    for kind, kb in loaded.most_common():
        print("  %-28s %8d kB, %d kB of it idle; %.1f kB a chat" % (
            kind, kb, idle[kind], (kb - idle[kind]) / in_flight))


def thread_name(pid, tid):
    try:
        with open("/proc/%d/task/%d/comm" % (pid, tid)) as f:
            return f.read().strip()
    except OSError:
        return "?"


def shares_by_thread(service, load):
    """CPU by thread name: engine, request threads, web server."""
    pids = service.own() + service.front()
    before = rig.cpu_by_thread(pids)
    got = load(SECONDS)
    after = rig.cpu_by_thread(pids)
    by_name = collections.Counter()
    for (pid, tid), ns in after.items():
        by_name[thread_name(pid, tid)] += ns - before.get((pid, tid), 0)
    print("  CPU ms each, by thread: " + ", ".join(
        "%s %.3f" % (name, ns / 1e6 / max(1, got["requests"]))
        for name, ns in by_name.most_common(8) if ns > 0))


def with_perf(bench, service, load):
    if not shutil.which("perf"):
        print("  perf is not installed (package linux-perf)")
        return
    data = os.path.join(bench.workdir, "perf.data")
    pids = ",".join(str(p) for p in service.own())
    busy = threading.Thread(target=load, args=(SECONDS + 1,))
    busy.start()
    record = subprocess.run(
        ["perf", "record", "-q", "-e", "cpu-clock", "-F", "997", "-o", data,
         "-p", pids, "--", "sleep", str(SECONDS)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    busy.join()
    if record.returncode != 0:
        print("  perf: " + (record.stderr.strip().splitlines() or ["?"])[-1])
        return
    for title, keys, top in (("by object", "dso", 8),
                             ("by function", "dso,symbol", 25)):
        out = subprocess.run(
            ["perf", "report", "-i", data, "--stdio", "--sort", keys,
             "--percent-limit", "0.5"], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True).stdout
        print("  perf, " + title)
        lines = [line.strip() for line in out.splitlines()
                 if re.match(r"\s+\d+\.\d+%", line)]
        for line in lines[:top]:
            print("    " + re.sub(r"[\s-]+$", "", line))


def with_strace(bench, service, load):
    if not shutil.which("strace"):
        print("  strace is not installed")
        return
    out = os.path.join(bench.workdir, "strace.txt")
    argv = ["strace", "-f", "-c", "-o", out]
    for pid in service.own():
        argv += ["-p", str(pid)]
    trace = subprocess.Popen(argv, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    time.sleep(1)
    got = load(SECONDS)
    trace.send_signal(signal.SIGINT)
    trace.wait()
    print("  system calls each (of %d)" % got["requests"])
    for name, count in calls_in(rig.tail(out, 200))[:14]:
        print("    %8.2f %s" % (count / max(1, got["requests"]), name))


def calls_in(text):
    """[(name, calls), ...] of an `strace -c` table, the most first."""
    rows = []
    for line in text.splitlines():
        m = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\S+)$",
                     line)
        if m and m[2] != "total":
            rows.append((m[2], int(m[1])))
    return sorted(rows, key=lambda r: -r[1])
