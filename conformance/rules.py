"""Rules on attributes, a second time: written from the design, not from the engine, in Python's standard library.

    python3 rules.py check         answers every question of rules.json again and compares
    python3 rules.py write         adds vectors for cases that are new; it never changes one that is there

The order of a decision is that of `reference.py`; this file adds what stands between early adopters and ramp.
"""

import ipaddress
import re
import sys
from decimal import Decimal
from itertools import product
from pathlib import Path

import positions
import ramps
import reference
import units
from units import LINE

FILE = Path(__file__).parent / "rules.json"
ABSENT = object()


# ---- the decision ---------------------------------------------------------------------------------------------------


def decide(question: dict) -> dict:
    """Value, variant, reason, error, deciding rule and, for a rule on attributes, its name."""
    entry = question["document"].get(question["section"], {}).get(question["flag"])
    if entry is not None and "variants" in entry:
        import splits  # it imports this module

        return splits.decide(question)
    if entry is None or "new" not in entry:
        return without_rules(question)
    active = [a for a in question.get("activations", ()) if reference.same_flag(a["flag"], name_of(question))]
    if any(units.percent(str(a["percent"])) in (0, LINE) for a in active):
        return without_rules(question)
    # An activation takes the place of `lock` and `enabled`.
    if not active and ("lock" in entry or entry.get("enabled", True) is False):
        return without_rules(question)
    now = units.time(question["now"])
    back = ramps.ramp_of(entry).rollback
    if back is not None and back.to == 0 and now >= back.end:
        return without_rules(question)
    told = without_rules(question)
    if told["rule"] == "early_adopter":
        return told
    # A subject without a key may be an early adopter, which nobody can tell, unless everyone has `new` anyway.
    if question["key"] is None and entry.get("early_adopters") and not everyone(question, entry, active, now):
        return missing(entry)
    for rule in entry.get("rules", ()):
        if holds(rule["when"], question):
            return serve(rule, entry, question, now)
    return told


def serve(rule: dict, entry: dict, question: dict, now: int) -> dict:
    if isinstance(rule["serve"], str):
        return decided(entry, rule["serve"], "targeting", rule["name"])
    ramp = ramps.ramp_of({"stable": 0, "new": 1} | rule["serve"]["ramp"])
    back = ramps.ramp_of(entry).rollback
    share = ramp.share_at(now if back is None else min(now, back.start))
    if share in (0, LINE):
        return decided(entry, "new" if share else "stable", "targeting", rule["name"])
    text = bucket(entry, question)
    if text is None:
        return missing(entry)
    place = positions.position(*reference.bucketing(entry), text)
    return decided(entry, "new" if place < share else "stable", "targeting", rule["name"])


def without_rules(question: dict) -> dict:
    """The decision as it is without rules. Early adopters go by the key, positions by `bucket_by`."""
    entry = question["document"].get(question["section"], {}).get(question["flag"])
    told = reference.decide(question)
    if entry is not None and "bucket_by" in entry and told["rule"] != "early_adopter":
        plain = {k: v for k, v in entry.items() if k != "early_adopters"}
        document = {question["section"]: {question["flag"]: plain}}
        told = reference.decide(question | {"document": document, "key": bucket(entry, question)})
    kept = {k: told[k] for k in ("value", "variant", "reason", "error", "rule") if k in told}
    if kept["reason"] == "STATIC" and entry is not None and entry.get("rules") and kept["rule"] == "ramp":
        kept["reason"] = "SPLIT"  # another subject may have another answer
    return kept


def everyone(question: dict, entry: dict, active: list, now: int) -> bool:
    return not active and ramps.ramp_of(entry).share_at(now) == LINE and not ramps.ramp_of(entry).moves(now, ramps.Wall())


def decided(entry: dict, variant: str, rule: str, name: str) -> dict:
    return {"value": entry[variant], "variant": variant, "reason": "TARGETING_MATCH", "error": None, "rule": rule, "name": name}


def missing(entry: dict) -> dict:
    return {"value": entry["stable"], "variant": "stable", "reason": "ERROR", "error": "TARGETING_KEY_MISSING", "rule": "key_missing"}


def bucket(entry: dict, question: dict) -> str | None:
    """The text that a position is made of."""
    found = attribute(entry["bucket_by"], question) if "bucket_by" in entry else question["key"]
    if isinstance(found, bool) or not isinstance(found, (str, int)):
        return None
    return str(found)


def name_of(question: dict) -> str:
    return units.show_flag_key(question["section"], question["flag"])


# ---- conditions -----------------------------------------------------------------------------------------------------


def holds(when: dict, question: dict) -> bool:
    if "all" in when:
        return all(holds(part, question) for part in when["all"])
    if "any" in when:
        return any(holds(part, question) for part in when["any"])
    if "not" in when:
        return not holds(when["not"], question)
    if "segment" in when:
        return holds(question["document"]["$tidegate"]["segments"][when["segment"]], question)
    if "flag" in when:
        section, flag = units.flag_key(when["flag"])
        return decide(question | {"section": section, "flag": flag}).get("variant") == when["is"]
    found = attribute(when["attribute"], question)
    return all(TESTS[name](found, operand) for name, operand in when.items() if name != "attribute")


def attribute(name: str, question: dict):
    if name == "$key":
        return ABSENT if question["key"] is None else question["key"]
    found, rest = question["attributes"], name
    while isinstance(found, dict):
        if found.get(rest) is not None:
            return found[rest]
        head, dot, rest = rest.partition(".")
        found = found.get(head) if dot else None
    return ABSENT


def is_number(value) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def same(found, operand) -> bool:
    if is_number(found) and is_number(operand):
        return found == operand
    return type(found) is type(operand) and isinstance(found, (str, bool)) and found == operand


def contains(found, operand) -> bool:
    if isinstance(found, list):
        return any(same(element, operand) for element in found)
    return isinstance(found, str) and isinstance(operand, str) and operand in found


def ordered(compare):
    def test(found, operand) -> bool:
        if isinstance(operand, str):
            try:
                return isinstance(found, str) and compare(units.time(found), units.time(operand))
            except ValueError:
                return False
        return is_number(found) and compare(found, operand)

    return test


def in_network(found, operand) -> bool:
    try:
        address = ipaddress.ip_address(found) if isinstance(found, str) else None
    except ValueError:
        return False
    if address is None:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    networks = [operand] if isinstance(operand, str) else operand
    return any(address in ipaddress.ip_network(network) for network in networks)


VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-.]+))?(?:\+[0-9A-Za-z-.]+)?", re.ASCII)
PART = re.compile(r"\s*(=|>=|<=|>|<|~|\^)?\s*(\d+)(?:\.(\d+))?(?:\.(\d+)(?:-([0-9A-Za-z-.]+))?)?\s*", re.ASCII)


def pre_order(pre: str | None) -> tuple:
    """Sorts pre-releases; the release comes last."""
    if pre is None:
        return (1,)
    return (0, *((0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split(".")))


def in_range(found, operand: str) -> bool:
    """A range as Cargo writes it: parts with commas, each an interval of versions."""
    match = VERSION.fullmatch(found) if isinstance(found, str) else None
    if match is None:
        return False
    numbers, pre = tuple(int(n) for n in match.group(1, 2, 3)), match.group(4)
    names_pre = False
    for text in operand.split(","):
        operator, major, minor, patch, named = PART.fullmatch(text).groups()
        given = tuple(int(n) for n in (major, minor, patch) if n is not None)
        low = given + (0,) * (3 - len(given))
        names_pre |= len(given) == 3 and named is not None and given == numbers
        here, there = (numbers, pre_order(pre)), (low, pre_order(named))
        after = lambda length: (*low[: length - 1], low[length - 1] + 1, *(0,) * (3 - length))  # the next at this length
        if operator in (None, "^"):
            lead = next((i + 1 for i, n in enumerate(given) if n), len(given))
            good = here >= there and numbers < after(lead)
        elif operator == "~":
            good = here >= there and numbers < after(min(len(given), 2))
        elif operator == "=":
            good = here == there if len(given) == 3 else low <= numbers < after(len(given))
        elif operator == ">=":
            good = here >= there
        elif operator == "<":
            good = here < there if len(given) == 3 else numbers < low
        elif operator == ">":
            good = here > there if len(given) == 3 else numbers >= after(len(given))
        else:
            good = here <= there if len(given) == 3 else numbers < after(len(given))
        if not good:
            return False
    return pre is None or names_pre


TESTS = {
    "is": same,
    "in": lambda found, operand: any(same(found, one) for one in operand),
    "contains": contains,
    "starts_with": lambda found, operand: isinstance(found, str) and found.startswith(operand),
    "ends_with": lambda found, operand: isinstance(found, str) and found.endswith(operand),
    "matches": lambda found, operand: isinstance(found, str) and re.search(operand, found) is not None,
    "lt": ordered(lambda found, operand: found < operand),
    "lte": ordered(lambda found, operand: found <= operand),
    "gt": ordered(lambda found, operand: found > operand),
    "gte": ordered(lambda found, operand: found >= operand),
    "semver": in_range,
    "exists": lambda found, operand: (found is not ABSENT) == operand,
    "in_network": in_network,
}


# ---- the questions; add at the end ----------------------------------------------------------------------------------

NOW = "2026-01-06T00:00:00.000000Z"
VALUES = [
    "premium", "Premium", "", "a@example.com", 1, Decimal("1.0"), Decimal("1.5"), 17, 18, 65, True, False, None, ["premium", 2], [], {},
    {"code": "DE"}, "1.4.0", "1.4.0-rc.1", "2.0.0", "0.3.7", "1.4", "10.1.2.3", "::ffff:10.0.0.9", "2001:db8::1", "11.0.0.1",
    "2026-01-01 00:00Z", "2026-01-01T01:00:00+01:00", "2025-12-31T23:59:59.999999Z", 9007199254740993,
]
CONDITIONS = [
    {"is": "premium"}, {"is": 1}, {"is": True}, {"is": 9007199254740993}, {"in": ["premium", 18, False]}, {"contains": "prem"}, {"contains": 2},
    {"starts_with": "prem"}, {"ends_with": "@example.com"}, {"matches": "^[a-z]+$"}, {"lt": 18}, {"lte": 18}, {"gt": Decimal("1.0")}, {"gte": 18, "lt": 65},
    {"lt": "2026-01-01 00:00Z"}, {"gte": "2026-01-01 00:00Z"}, {"semver": "^1.4"}, {"semver": ">=1.4.0-rc.1, <2"}, {"semver": "~0.3"}, {"semver": "=1.4"},
    {"exists": True}, {"exists": False}, {"in_network": "10.0.0.0/8"}, {"in_network": ["2001:db8::/32", "11.0.0.1"]},
]
RAMP = {"ramp": {"start_time": "2026-01-01 00:00Z", "duration": "10d", "end_pct": 60}}
STAFF = {"name": "staff", "when": {"segment": "staff"}, "serve": "new"}
SEGMENTS = {"$tidegate": {"segments": {"staff": {"any": [{"attribute": "email", "ends_with": "@example.com"}, {"segment": "old"}]},
                                       "old": {"attribute": "address.since", "lt": "2020-01-01 00:00Z"}}}}
SUBJECTS = [
    (None, {}), ("user-1", {}), ("user-1", {"email": "a@example.com"}), (None, {"email": "a@example.com"}), ("early", {"country": "XX"}),
    ("user-2", {"country": "XX", "email": "a@example.com"}), ("user-3", {"address": {"since": "2019-01-01 00:00Z"}}), ("user-4", {"plan": "premium", "tenant": 42}),
    ("user-5", {"plan": "premium", "tenant": "42"}), ("user-6", {"plan": "premium", "tenant": True}), ("user-7", {"plan": "premium", "tenant": "big"}),
]
RULES = [{"name": "banned", "when": {"attribute": "country", "in": ["XX"]}, "serve": "stable"}, STAFF,
         {"name": "growing", "when": {"attribute": "plan", "is": "premium"}, "serve": RAMP}]
WINDOW = {"start_time": "2026-01-01 00:00Z", "duration": "10d"}
ENTRIES = [
    {}, WINDOW, {"early_adopters": ["early"]}, {"early_adopters": ["early"]} | WINDOW, {"bucket_by": "tenant"} | WINDOW, {"lock": "new"}, {"enabled": False},
    {"rollback": {"start_time": "2026-01-04 00:00Z", "duration": "1d"}} | WINDOW, {"rollback": {"start_time": "2026-01-05 00:00Z", "duration": "2d"}} | WINDOW,
    {"rollback": {"start_time": "2026-01-04 00:00Z", "duration": "1d", "to_pct": 5}} | WINDOW, {"salt": "s", "hash": "murmur3"} | WINDOW,
]


def ask(entry: dict, key, attributes: dict, now=NOW, **more) -> dict:
    document = SEGMENTS | {"f": {"x": {"stable": "old", "new": "fresh"} | entry}}
    return {"document": document, "section": "f", "flag": "x", "key": key, "attributes": attributes, "now": now} | more


def questions():
    for test, value in product(CONDITIONS, VALUES):
        for when in ({"attribute": "x"} | test, {"not": {"attribute": "x"} | test}):
            yield "a comparison", ask({"rules": [{"name": "r", "when": when, "serve": "new"}]}, "k", {} if value is None else {"x": value})
    for entry, (key, attributes) in product(ENTRIES, SUBJECTS):
        yield "the order of a decision", ask(entry | {"rules": RULES}, key, attributes)
        for percent in (0, 30, 100):
            active = [{"flag": "f/x", "percent": percent, "until": None, "had_definition": True}]
            yield f"an activation of {percent}", ask(entry | {"rules": RULES}, key, attributes, activations=active)
    for day, (key, attributes) in product((1, 2, 11, 30), SUBJECTS):
        yield "the ramp of a rule", ask({"rules": RULES, "salt": "w"}, key, attributes, f"2026-01-{day:02}T00:00:00.000000Z")
    asks = lambda is_: {"y": {"stable": 1, "new": 2, "rules": [{"name": "needs", "when": {"flag": "f/x", "is": is_}, "serve": "new"}]}}
    for is_, (key, attributes) in product(("new", "stable"), SUBJECTS):
        question = ask({"rules": RULES} | WINDOW, key, attributes)
        question["document"]["f"] |= asks(is_)
        yield "a prerequisite", question | {"flag": "y"}


# ---- reading and writing --------------------------------------------------------------------------------------------


def vectors() -> list[dict]:
    return reference.loads(FILE.read_text(encoding="utf-8"))["vectors"] if FILE.exists() else []


def write() -> None:
    lines = [f'{{"note":{reference.dumps("Rules on attributes; see README.md; append-only")},"vectors":[']
    kept, made = vectors(), []
    for number, (about, question) in enumerate(questions()):
        made.append({"id": f"r-{number + 1:04}", "about": about} | question | {"expect": decide(question)})
    if made[: len(kept)] != kept:
        sys.exit("a vector that is there would change")
    lines.append(",\n".join(reference.dumps(vector) for vector in made) + "\n]}")
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def check() -> None:
    wrong = [v["id"] for v in vectors() if decide(v) != v["expect"]]
    print("\n".join(wrong) or "every vector agrees with the reference")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    {"write": write, "check": check}.get("".join(sys.argv[1:]), lambda: sys.exit(__doc__))()
