#!/usr/bin/python3
"""Measure the service against the bars of the design, beside its peers.

    bench/run.py [--build DIR] [--quick] [--out DIR] [--only NAME,...]

Rounds are interleaved (A B C, A B C), each service is started fresh and
warmed up, CPU is counted in nanoseconds over all its threads. README.md in
this directory says what each figure means.
"""

import argparse
import os
import platform
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import rig
import profile_service
import report
import scenarios
import services


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", default=os.getcwd(),
                   help="build directory (this one)")
    p.add_argument("--quick", action="store_true",
                   help="one short round, under two minutes")
    p.add_argument("--rounds", type=int, help="rounds (1 or 5)")
    p.add_argument("--seconds", type=float, help="a sample's length (1.5 or 4)")
    p.add_argument("--out", help="directory for the JSON lines")
    p.add_argument("--only", help="services, with commas")
    p.add_argument("--skip-slow", action="store_true",
                   help="no scenario with a slow upstream")
    p.add_argument("--nice", type=int, metavar="N",
                   help="run everything at this nice value (below 0: root)")
    p.add_argument("--profile", metavar="NAME",
                   help="perf and strace on this service, nothing else")
    args = p.parse_args()
    args.rounds = args.rounds or (1 if args.quick else 5)
    args.seconds = args.seconds or (1.5 if args.quick else 4.0)
    return args


def tools_of(build):
    """The bench programs, made where the build directory can make them."""
    names = ["bench/upstream", "bench/load", "bench/fcgiload"]
    if os.path.exists(os.path.join(build, "Makefile")):
        made = subprocess.run(["make", "-C", build, "-s"] + names,
                              stdout=subprocess.DEVNULL)
        if made.returncode != 0:
            sys.exit("run.py: make %s failed in %s" % (" ".join(names), build))
    tools = os.path.join(build, "bench")
    if not os.access(os.path.join(tools, "load"), os.X_OK):
        sys.exit("run.py: %s is no build directory (--build)" % build)
    return tools


def choose(args):
    """The services that can be run here; those that cannot say why."""
    wanted = args.only.split(",") if args.only else None
    chosen = []
    for service in services.all_services(args.build):
        if wanted and service.name not in wanted:
            continue
        try:
            service.check()
            chosen.append(service)
        except rig.Missing as why:
            print("skipped: %s: %s" % (service.name, why))
    return chosen


def describe(chosen):
    cpu = "?"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
    print("%s, %d cores (%s), Linux %s" % (
        time.strftime("%Y-%m-%d"), os.cpu_count(), cpu, platform.release()))
    for service in chosen:
        print("  %-15s %s" % (service.name, service.version()))


def compare_answers(answers):
    """Whoever answers otherwise did another job: his figures are void."""
    names = list(answers)
    for name in names[1:]:
        for field, value in answers[names[0]].items():
            if answers[name][field] != value:
                print("NOT EQUAL: %s of %s and of %s:\n  %.300r\n  %.300r" % (
                    field, names[0], name, value, answers[name][field]))
                return False
    if len(names) > 1:
        print("the answers of %s are equal" % ", ".join(names))
    return True


def attempt(service, results, what, function):
    """A service that cannot do a scenario loses only that cell."""
    try:
        return function()
    except (RuntimeError, OSError, KeyError, ValueError) as why:
        print("%s: %s: %s\n%s" % (service.name, what, why,
                                  rig.tail(service.log())
                                  if service.dir else ""))
        results({"scenario": "broken", "service": service.name,
                 "what": what, "why": str(why)})
        service.stop()
        return None


def warm_rounds(bench, chosen, args, results):
    answers = {}
    for n in range(args.rounds):
        results.round = n
        for service in chosen:
            strong = service.name not in ("httpx-debian", "langchain")
            rates = [50] + ([400] if strong else [])
            if args.quick:
                rates = rates[-1:]
            say("round %d: %s" % (n + 1, service.name))
            answer = attempt(
                service, results, "warm", lambda: scenarios.warm_session(
                    bench, service, args.seconds, rates, results))
            if answer:
                answers[service.name] = answer
    return answers


def slow_rounds(bench, chosen, args, results):
    """Memory and cold start: ours and the strong baseline when quick."""
    quick = ("chatsphere", "aiohttp-debian")
    cells = [(1000, True), (256, False)] if args.quick else \
        [(256, False), (256, True), (1000, False), (1000, True)]
    seconds = 4.0 if args.quick else 8.0
    for n in range(1 if args.quick else min(3, args.rounds)):
        results.round = n
        for service in chosen:
            if args.quick and service.name not in quick:
                continue
            for count, tls in cells:
                if count == 1000 and service.name == "httpx-debian":
                    continue	# 97 a second at best: nothing to compare
                say("round %d: %s, %d in flight, %s" % (
                    n + 1, service.name, count, "https" if tls else "http"))
                attempt(service, results, "in flight",
                        lambda: scenarios.in_flight(
                            bench, service, count, tls, seconds, results))
            say("round %d: %s, cold burst" % (n + 1, service.name))
            attempt(service, results, "cold burst",
                    lambda: scenarios.cold_burst(bench, service, 256, results))


def say(text):
    print("... " + text, file=sys.stderr, flush=True)


class Numbered(report.Results):
    """Results that know the round."""

    round = 0

    def __call__(self, sample):
        super().__call__(dict(sample, round=self.round))


def open_results(args):
    if not args.out:
        return Numbered(None)
    os.makedirs(args.out, exist_ok=True)
    name = time.strftime("%Y%m%d-%H%M%S") + ".jsonl"
    path = os.path.join(args.out, name)
    print("results: " + path)
    return Numbered(open(path, "w"))


def measure(bench, chosen, args):
    results = open_results(args)
    names = [s.name for s in chosen]
    answers = warm_rounds(bench, chosen, args, results)
    equal = compare_answers(answers)
    if not args.skip_slow:
        slow_rounds(bench, chosen, args, results)
    report.print_warm(results, names)
    report.print_open(results, names)
    report.print_slow(results, names)
    report.print_noise(results)
    ours = services.Ours.name
    if ours not in names:
        return equal
    if report.print_bars(results, ours):
        service = chosen[names.index(ours)]
        profile_service.dominates(bench, service)
    return equal


def main():
    args = arguments()
    if args.nice:
        os.setpriority(os.PRIO_PROCESS, 0, args.nice)
    rig.more_files()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    tools = tools_of(args.build)
    chosen = choose(args)
    if not chosen:
        sys.exit("run.py: nothing to measure")
    describe(chosen)
    workdir = rig.workdir()
    try:
        bench = scenarios.Bench(tools, workdir)
        if args.profile:
            profile_service.dominates(
                bench, [s for s in chosen if s.name == args.profile][0])
            return 0
        return 0 if measure(bench, chosen, args) else 1
    finally:
        rig.stop_all()
        for service in chosen:
            service.stop()
        shutil.rmtree(workdir, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
