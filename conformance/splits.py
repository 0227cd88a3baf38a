"""Named variants and splits, a second time: written from the design, not from the engine, in Python's standard library.

    python3 splits.py check         answers every question of splits.json again and compares
    python3 splits.py write         adds vectors for cases that are new; it never changes one that is there

A flag with variants is decided as one whose two values are `stable` and `new`; then the side becomes a variant.
"""

import math
import sys
from decimal import Context, Decimal
from itertools import product
from pathlib import Path

import positions
import ramps
import reference
import rules
import units

FILE = Path(__file__).parent / "splits.json"


# ---- the split ------------------------------------------------------------------------------------------------------


def logarithms() -> list[int]:
    """log2(1 + i / 1024) * 2^32, rounded down, for i from 0 to 1024; from natural logarithms of sixty digits."""
    exact = Context(prec=60)
    two = exact.ln(Decimal(2))
    return [int(exact.divide(exact.ln(Decimal(1024 + i)) - exact.ln(Decimal(1024)), two) * 2**32) for i in range(1024)] + [2**32]


TABLE = logarithms()


def cost(hash_: int) -> int:
    """-log2(hash / 2^64) * 2^32, with a straight line between the entries of the table."""
    hash_ = max(hash_, 1)
    digits = hash_.bit_length()
    fraction = (hash_ << 64 - digits) - 2**63  # below 2^63: how far above the power of two
    index, rest = fraction >> 53, fraction >> 21 & 2**32 - 1
    logarithm = TABLE[index] + ((TABLE[index + 1] - TABLE[index]) * rest >> 32)
    return max((65 - digits) * 2**32 - logarithm, 1)


def choose(weights: dict, salt: str, text: bytes) -> str:
    """The variant with the least cost for its weight; of equal ones the first by name, in the order of UTF-8."""
    best = None
    for name in sorted((name for name, weight in weights.items() if weight > 0), key=lambda name: name.encode()):
        seed = positions.xxh3_64(name.encode(), positions.xxh3_64(salt.encode(), 0))
        price = cost(positions.xxh3_64(text, seed)), int(Decimal(weights[name]) * 1_000_000)
        if best is None or price[0] * best[1][1] < best[1][0] * price[1]:
            best = name, price
    return best[0]


# ---- the decision ---------------------------------------------------------------------------------------------------


def decide(question: dict) -> dict:
    """Value, variant, reason, error, deciding rule and the name of a rule, for a flag with `variants`."""
    entry = question["document"][question["section"]][question["flag"]]
    choices = {side: entry[side] for side in ("stable", "new") if side in entry}
    plain = {name: value for name, value in entry.items() if name not in ("variants", "stable", "new", "rules")}
    plain |= {side: side for side in choices}
    if "rules" in entry:
        plain["rules"] = [marked(rule, number, choices, plain) for number, rule in enumerate(entry["rules"])]
    document = question["document"] | {question["section"]: question["document"][question["section"]] | {question["flag"]: plain}}
    told = side_of(plain, question | {"document": document})
    if told["variant"] is None:
        return told
    choice = choices.get(told["variant"], choices["stable"])
    if told["error"] is not None:
        return told | named(entry, choice, question) if isinstance(choice, str) else missing(entry, question)
    if is_split(choice) and rules.bucket(entry, question) is None:
        return missing(entry, question)
    if is_split(choice) and told["reason"] == "STATIC":
        told["reason"] = "SPLIT"
    return told | named(entry, choice, question)


def marked(rule: dict, number: int, choices: dict, plain: dict) -> dict:
    """The rule with a word for what it serves: a side, if it is what that side says, or a word of its own."""
    serve = rule["serve"]
    if isinstance(serve, dict) and "ramp" in serve:
        return rule
    side = next((side for side, choice in choices.items() if same_choice(choice, serve)), f"rule {number}")
    choices.setdefault(side, serve)
    plain[side] = side
    return rule | {"serve": side}


def side_of(plain: dict, question: dict) -> dict:
    told = rules.decide(question)
    if told["rule"] != "no_new" or not plain.get("rules"):
        return told
    # Without `new`, rules can serve other variants, up to the end of a rollback to 0.
    now, back = units.time(question["now"]), ramps.ramp_of(plain).rollback
    if back is None or back.to > 0 or now < back.end:
        for rule in plain["rules"]:
            if rules.holds(rule["when"], question):
                return rules.serve(rule, plain, question, now)
    return told | {"reason": "SPLIT"}


def named(entry: dict, choice, question: dict) -> dict:
    if not isinstance(choice, str):
        weights = choice["split"]
        text = rules.bucket(entry, question) or ""
        salt = entry.get("salt", units.show_flag_key(question["section"], question["flag"]))
        choice = choose(weights, salt, text.encode())
    return {"value": entry["variants"][choice], "variant": choice}


def missing(entry: dict, question: dict) -> dict:
    told = {"variant": None, "reason": "ERROR", "error": "TARGETING_KEY_MISSING"}
    if is_split(entry["stable"]):
        return told | {"rule": "key_missing"}
    return told | named(entry, entry["stable"], question) | {"rule": "key_missing"}


def portions(choice) -> dict:
    return {} if isinstance(choice, str) else {name: weight for name, weight in choice["split"].items() if weight > 0}


def is_split(choice) -> bool:
    return len(portions(choice)) > 1


def same_choice(one, other) -> bool:
    return one == other if isinstance(one, str) or isinstance(other, str) else portions(one) == portions(other)


# ---- the questions; add at the end ----------------------------------------------------------------------------------

WEIGHTS = [
    {"blue": 50, "green": 50}, {"green": 50, "blue": 50}, {"blue": 1, "green": 1, "red": 1}, {"blue": 90, "green": 10}, {"blue": 99.9, "green": 0.1},
    {"blue": 1000000, "green": 0.000001}, {"blue": 50, "green": 0, "red": 50}, {"blue": 33.3, "green": 33.3, "red": 33.4}, {"blue": 7},
    {"": 1, "é": 1, "a b": 1, "z\\\"": 1}, {f"v{number}": number + 1 for number in range(12)}, {"blue": 20, "green": 30, "red": 50},
]
SALTS = ["", "f/x", "checkout-2026", "ä"]
TEXTS = ["", "a", "user-1", "user-2", "42", "web00017.eu.example.net", "x" * 17, "y" * 130, "z" * 300, "日本"]

NOW = rules.NOW
HUES = {"red": "#f00", "green": {"hex": "#0f0"}, "blue": 255, "off": None}
EVEN, UNEVEN, ALONE = {"split": {"green": 50, "blue": 50}}, {"split": {"red": 2.5, "blue": 7.5}}, {"split": {"off": 0, "red": 1}}
SIDES = [
    {"stable": "red", "new": "blue"}, {"stable": "red", "new": EVEN}, {"stable": EVEN, "new": "red"}, {"stable": UNEVEN, "new": EVEN}, {"stable": EVEN},
    {"stable": "off"}, {"stable": ALONE, "new": EVEN}, {"stable": EVEN, "new": EVEN},
]
SERVES = [
    {"name": "banned", "when": {"attribute": "country", "in": ["XX"]}, "serve": "off"},
    {"name": "staff", "when": {"segment": "staff"}, "serve": UNEVEN},
    {"name": "premium", "when": {"attribute": "plan", "is": "premium"}, "serve": EVEN},
    {"name": "alone", "when": {"attribute": "address.since", "exists": True}, "serve": ALONE},
]
ENTRIES = [
    {}, rules.WINDOW, {"early_adopters": ["early"]} | rules.WINDOW, {"bucket_by": "tenant"} | rules.WINDOW, {"lock": "new"}, {"lock": "stable"}, {"enabled": False},
    {"rollback": {"start_time": "2026-01-04 00:00Z", "duration": "1d"}} | rules.WINDOW, {"salt": "s", "hash": "murmur3"} | rules.WINDOW,
    {"rollback": {"start_time": "2026-01-05 00:00Z", "duration": "2d"}} | rules.WINDOW,
]


def ask(entry: dict, key, attributes: dict, now=NOW, **more) -> dict:
    document = rules.SEGMENTS | {"f": {"x": {"variants": HUES} | entry}}
    return {"document": document, "section": "f", "flag": "x", "key": key, "attributes": attributes, "now": now} | more


def questions():
    for sides, entry, (key, attributes) in product(SIDES, ENTRIES, rules.SUBJECTS):
        if "new" not in sides and entry.keys() & {"early_adopters", "rollback"}:
            continue
        yield "sides and splits", ask(sides | entry, key, attributes)
        yield "rules that serve variants", ask(sides | entry | {"rules": SERVES}, key, attributes)
    for sides, percent, (key, attributes) in product(SIDES, (0, 30, 100), rules.SUBJECTS):
        active = [{"flag": "f/x", "percent": percent, "until": None, "had_definition": True}]
        yield f"an activation of {percent}", ask(sides | {"lock": "new", "rules": SERVES} | rules.WINDOW, key, attributes, activations=active)
    for sides, lock, key in product(SIDES, ("stable", "new"), (None, "user-1")):
        locks = [{"flag": "f/x", "variant": lock, "until": None}]
        yield "a lock of the host", ask(sides, key, {}, host_locks=locks)
    for day, (key, attributes) in product((1, 2, 11, 30), rules.SUBJECTS):
        ramp = [{"name": "growing", "when": {"attribute": "plan", "is": "premium"}, "serve": rules.RAMP}]
        yield "the ramp of a rule", ask({"stable": UNEVEN, "new": EVEN, "rules": ramp, "salt": "w"}, key, attributes, f"2026-01-{day:02}T00:00:00.000000Z")
    for is_, (key, attributes) in product(("red", "green", "blue"), rules.SUBJECTS):
        question = ask(SIDES[3] | {"rules": SERVES} | rules.WINDOW, key, attributes)
        question["document"]["f"] |= {"y": {"stable": 1, "new": 2, "rules": [{"name": "needs", "when": {"flag": "f/x", "is": is_}, "serve": "new"}]}}
        yield "a prerequisite", question | {"flag": "y"}


# ---- reading and writing --------------------------------------------------------------------------------------------


def sane(weights: dict, salt: str, text: bytes, chosen: str) -> bool:
    """Whether doubles agree, as far as they can: no variant is much cheaper than the one that was chosen."""
    price = lambda name: -math.log2(
        (positions.xxh3_64(text, positions.xxh3_64(name.encode(), positions.xxh3_64(salt.encode(), 0))) + 0.5) / 2**64
    ) / float(weights[name])
    return all(price(chosen) <= price(name) * 1.001 for name, weight in weights.items() if weight > 0)


def made() -> tuple[list, list]:
    choices, vectors = [], []
    for weights, salt, text in product(WEIGHTS, SALTS, TEXTS):
        weights = {name: Decimal(repr(weight)) for name, weight in weights.items()}
        variant = choose(weights, salt, text.encode())
        assert sane(weights, salt, text.encode(), variant), (weights, salt, text)
        choices.append({"id": f"c-{len(choices) + 1:04}", "weights": weights, "salt": salt, "key": text, "variant": variant})
    for about, question in questions():
        question = reference.loads(reference.dumps(exact(question)))
        vectors.append({"id": f"s-{len(vectors) + 1:04}", "about": about} | question | {"expect": rules.decide(question)})
    return choices, vectors


def exact(value):
    """The same with decimals instead of doubles."""
    if isinstance(value, dict):
        return {name: exact(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [exact(inner) for inner in value]
    return Decimal(repr(value)) if isinstance(value, float) else value


def load() -> tuple[list, list]:
    if not FILE.exists():
        return [], []
    whole = reference.loads(FILE.read_text(encoding="utf-8"))
    return whole["choices"], whole["vectors"]


def write() -> None:
    before, after = load(), made()
    if any(new[: len(old)] != old for old, new in zip(before, after)):
        sys.exit("a vector that is there would change")
    lines = lambda part: ",\n".join(reference.dumps(vector) for vector in part)
    note = reference.dumps("Named variants and splits; see README.md; append-only")
    FILE.write_text(f'{{"note":{note},"choices":[\n{lines(after[0])}\n],"vectors":[\n{lines(after[1])}\n]}}\n', encoding="utf-8")


def check() -> None:
    choices, vectors = load()
    wrong = [c["id"] for c in choices if choose(c["weights"], c["salt"], c["key"].encode()) != c["variant"]]
    wrong += [v["id"] for v in vectors if rules.decide(v) != v["expect"]]
    print("\n".join(wrong) or "every vector agrees with the reference")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    {"write": write, "check": check}.get("".join(sys.argv[1:]), lambda: sys.exit(__doc__))()
