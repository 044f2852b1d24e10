"""The table against the bars of the design, and the ones beside it."""

import json

import scenarios

NOISY = 0.2	# cores that others used during a sample
FAILED = 0.01	# of a sample's requests: more, and it measured something else


def valid(sample):
    """A service that refuses is cheap: such samples prove nothing."""
    if "load" not in sample:
        return True
    return sample["failures"] <= FAILED * sample["load"]["requests"]


class Results:
    """Every sample of a run, kept as JSON lines too."""

    def __init__(self, out):
        self.samples, self.out = [], out

    def __call__(self, sample):
        self.samples.append(sample)
        if self.out:
            self.out.write(json.dumps(sample, sort_keys=True) + "\n")
            self.out.flush()

    def of(self, service, scenario):
        """The clean samples of a cell, or all where none is clean."""
        cell = [s for s in self.samples if s.get("service") == service
                and s["scenario"] == scenario and valid(s)]
        clean = [s for s in cell if s.get("other_cores", 0) <= NOISY]
        return clean or cell

    def median(self, service, scenario, key):
        return scenarios.median(
            [s[key] for s in self.of(service, scenario) if key in s])

    def load(self, service, scenario, key):
        return scenarios.median(
            [s["load"]["ms"][key] for s in self.of(service, scenario)
             if s["load"]["requests"]])

    def ratios(self, ours, other, scenario, key):
        """Ours over the other's, within each round."""
        rounds = {}
        for s in self.samples:
            if s["scenario"] == scenario and key in s and valid(s):
                rounds.setdefault(s["round"], {})[s["service"]] = s[key]
        return [r[ours] / r[other] for r in rounds.values()
                if ours in r and other in r and r[other]]


def number(value, digits=3):
    return "-" if value is None else "%.*f" % (digits, value)


def table(head, rows):
    widths = [max(len(str(r[i])) for r in [head] + rows)
              for i in range(len(head))]
    lines = ["  ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w)
                       for i, (c, w) in enumerate(zip(r, widths)))
             for r in [head] + rows]
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(line.rstrip() for line in lines)


def bars(results, ours):
    """[(what, measured, bar, unit, detail), ...]; measured may be None."""
    def ratio(other):
        got = results.ratios(ours, other, "chat c=16", "cpu")
        detail = "" if not got else "%d pairs, %.3f to %.3f" % (
            len(got), min(got), max(got))
        return scenarios.median(got), detail

    out = []
    for other, bar in (("aiohttp-debian", 0.27), ("langchain", 1 / 25)):
        value, detail = ratio(other)
        out.append(("CPU of a chat / " + other, value, bar, "", detail))
    per_chat = results.median(ours, "store c=2", "cpu")
    out.append(("CPU of a 100-chunk store", per_chat, 5.0, "ms",
                "lighttpd included"))
    cell = "in flight 1000 https"
    kb = results.median(ours, cell, "kb_per_request")
    out.append(("PSS a request, 1000 in flight, HTTPS", kb, 80.0, "kB",
                "idle %s MB, %s of %s requests held upstream" % (
                    number((results.median(ours, cell, "idle_kb") or 0) / 1024,
                           1),
                    number(results.median(ours, cell, "held_by_upstream"), 0),
                    1000)))
    out.append(("added latency, c=1, p50",
                results.median(ours, "chat c=1", "added_ms"), 0.5, "ms", ""))
    cell = "cold burst 256 https"
    over = results.median(ours, cell, "over_upstream")
    out.append(("cold HTTPS burst of 256, p50 over upstream",
                None if over is None else over * 100, 5.0, "%",
                "p50 %s ms of %d" % (number(results.load(ours, cell, "p50"),
                                            0), scenarios.SLOW_MS)))
    return out


def verdict(value, bar):
    if value is None:
        return "not measured"
    if value <= bar:
        return "pass (%.0f%% of the bar)" % (100 * value / bar)
    return "MISS by %.0f%%" % (100 * (value / bar - 1))


def print_bars(results, ours):
    """Print the bars; return those that were missed."""
    rows, missed = [], []
    for what, value, bar, unit, detail in bars(results, ours):
        rows.append((what, number(value) + (" " + unit if unit else ""),
                     "<= %.3g %s" % (bar, unit), verdict(value, bar), detail))
        if value is not None and value > bar:
            missed.append(what)
    print("\nBars of the design\n")
    print(table(("bar", "measured", "wanted", "verdict", "note"), rows))
    return missed


def print_warm(results, names):
    rows = []
    for name in names:
        def m(cell, key, digits=3):
            return number(results.median(name, cell, key), digits)
        def ms(cell, key):
            return number(results.load(name, cell, key), 2)
        rows.append((
            name, m("chat c=16", "cpu_own"), m("chat c=16", "cpu_front"),
            m("chat c=1", "cpu"), ms("chat c=16", "p50"),
            number(scenarios.median([s["load"]["rate"] for s in
                                     results.of(name, "chat c=16")]), 0),
            ms("chat c=1", "p50"), m("chat c=1", "added_ms"),
            m("chat c=16", "calls_per_chat", 2), m("store c=2", "cpu", 2),
            number((results.median(name, "start", "idle_kb") or 0) / 1024, 1),
            m("start", "ready_s")))
    print("\nUpstream at 0 ms: CPU s/1,000 chats (service, web server), "
          "latency, store\n")
    print(table(("service", "cpu c=16", "+front", "cpu c=1", "p50 c=16",
                 "req/s", "p50 c=1", "added ms", "calls", "store ms",
                 "idle MB", "ready s"), rows))


def print_open(results, names):
    cells = sorted({s["scenario"] for s in results.samples
                    if s["scenario"].startswith("chat open")},
                   key=lambda c: int(c.split()[2][:-2]))
    rows = []
    for name in names:
        row = [name]
        for cell in cells:
            row.append(" / ".join(number(results.load(name, cell, q), 2)
                                  for q in ("p50", "p99", "p999")))
        rows.append(row)
    print("\nOpen loop, upstream at 0 ms: p50 / p99 / p99.9 ms from the "
          "moment due\n")
    print(table(["service"] + [c.split()[2] for c in cells], rows))


def print_slow(results, names):
    cells = sorted({s["scenario"] for s in results.samples
                    if s["scenario"].startswith(("in flight", "cold"))})
    rows = []
    for cell in cells:
        for name in names:
            if not results.of(name, cell):
                continue
            rows.append((
                cell, name,
                number((results.median(name, cell, "idle_kb") or 0) / 1024, 1),
                number((results.median(name, cell, "loaded_kb") or 0) / 1024,
                       1),
                number(results.median(name, cell, "kb_per_request"), 0),
                number(scenarios.median([s["load"]["rate"] for s in
                                         results.of(name, cell)]), 0),
                number(results.median(name, cell, "ideal_rate"), 0),
                number(results.load(name, cell, "p50"), 0),
                number(results.load(name, cell, "p99"), 0),
                number(results.median(name, cell, "tls_connections"), 0),
                number(results.median(name, cell, "failures"), 0)))
    if rows:
        print("\nUpstream at 200 + 20 + 1000 ms (p50 and p99 in ms)\n")
        print(table(("scenario", "service", "idle MB", "loaded MB", "kB/req",
                     "req/s", "ideal", "p50", "p99", "TLS conn", "failed"),
                    rows))


def print_noise(results):
    loads = [s for s in results.samples if "other_cores" in s]
    noisy = [s for s in loads if s["other_cores"] > NOISY]
    print("\n%d samples; in %d of them others used more than %.1f core "
          "(left out where a clean one exists); steal %.2f s in all" % (
              len(loads), len(noisy), NOISY,
              sum(s["steal_s"] for s in loads)))
    failed = sum(s["failures"] for s in loads)
    lost = sum(s["lost_threads"] for s in loads)
    if failed:
        print("%d requests failed: see the JSON lines" % failed)
    for s in loads:
        if not valid(s):
            print("VOID: %s, %s, round %d: %d of %d failed: %s %s" % (
                s["service"], s["scenario"], s["round"] + 1, s["failures"],
                s["load"]["requests"], s["load"]["status"],
                {k: v for k, v in s["load"]["errors"].items() if v}))
    if lost:
        print("%d threads ended during a sample: their last CPU is missing"
              % lost)
    for s in loads:
        if s["upstream_cpu"] > 0.5 * max(s["cpu"], 0.02) and \
                s["scenario"].startswith("chat c=16"):
            print("note: the upstream cost %.3f s/1,000 beside %s" % (
                s["upstream_cpu"], s["service"]))
