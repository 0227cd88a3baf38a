"""Tidegate's decisions, a second time: written from the design, not from the engine, in Python's standard library.

    python3 reference.py check         answers every question of the vectors again and compares

Used by `generate.py`, which writes the vectors.
"""

import json
import re
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import positions
import ramps
import units
from units import LINE

HERE = Path(__file__).parent
SECOND = 1_000_000
WINDOW = {"start_time", "end_time", "duration", "steps"}


# ---- JSON, exactly --------------------------------------------------------------------------------------------------


def loads(text: str):
    """JSON with numbers as they were written: `int`, or `Decimal` where there is a point or an exponent."""
    return json.loads(text, parse_float=Decimal)


def dumps(value) -> str:
    """Compact JSON."""
    match value:
        case dict():
            return "{" + ",".join(f"{dumps(k)}:{dumps(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(dumps(v) for v in value) + "]"
        case Decimal():
            return str(value)
        case _:
            return json.dumps(value, ensure_ascii=False)


# ---- the decision ---------------------------------------------------------------------------------------------------


def decide(question: dict) -> dict:
    """The answer to one question of `decisions.json`, with every field that the contract fixes."""
    section, flag, now = question["section"], question["flag"], units.time(question["now"])
    name = units.show_flag_key(section, flag)
    entry = question["document"].get(section, {}).get(flag)
    activation = next((a for a in question.get("activations", ()) if same_flag(a["flag"], name)), None)
    until = None if activation is None or activation.get("until") is None else units.time(activation["until"])

    if entry is None and activation is not None and not activation["had_definition"]:
        entry = {"stable": False, "new": True, "hash": "xxh3", "salt": name}
    if until is not None and now >= until:
        activation = None

    # 1. a lock on this host
    for lock in question.get("host_locks", ()):
        if not same_flag(lock["flag"], name) or (lock.get("until") and now >= units.time(lock["until"])):
            continue
        if "value" in lock:
            return answer("host_lock", "STATIC", value=lock["value"])
        if entry is not None:
            return variant(entry, lock["variant"], "host_lock", "STATIC")

    # 2. unknown here
    if entry is None:
        return answer("unknown_flag", "ERROR", error="FLAG_NOT_FOUND")

    # 3. an activation, 4. a lock in the document, 5. disabled
    if activation is not None:
        share = units.percent(str(activation["percent"]))
        if share in (0, LINE):
            return variant(entry, "new" if share else "stable", "activation", "STATIC")
    elif "lock" in entry:
        return variant(entry, entry["lock"], "document_lock", "STATIC")
    elif entry.get("enabled", True) is False:
        return answer("disabled", "DISABLED")

    if "new" not in entry:
        return variant(entry, "stable", "no_new", "STATIC")
    return by_key(question, entry, now, None if activation is None else share)


def by_key(question: dict, entry: dict, now: int, active_share: int | None) -> dict:
    """Rules 6 and 7. `active_share`: the share of an active activation."""
    ramp, clock = ramps.ramp_of(entry), clock_of(question, entry)
    back, key = ramp.rollback, question["key"]
    share = ramp.share_at(now, clock) if active_share is None else active_share
    interpolates = entry.get("interpolate", False)
    place = None if key is None else positions.position(*bucketing(entry), key)

    # 6. early adopters, up to the end of a rollback to 0
    over = back is not None and back.to == 0 and now >= back.end
    adopters = [] if over else entry.get("early_adopters", [])
    if key is not None and any(adopts(adopter, key) for adopter in adopters):
        return variant(entry, "new", "early_adopter", "TARGETING_MATCH") | {"position": place}

    # a key is needed where keys have different answers
    moves = active_share is None and ramp.moves(now, clock)
    if key is None and not interpolates and (moves or share != LINE and (share != 0 or adopters)):
        return variant(entry, "stable", "key_missing", "ERROR", error="TARGETING_KEY_MISSING") | {"share": share}

    # 7. a number between, or position against share
    if interpolates:
        taken = share_of_the_second(ramp, clock, now) if active_share is None else active_share
        value = between(entry["stable"], entry["new"], taken)
        rule = "interpolation" if active_share is None else "activation"
        return answer(rule, "TARGETING_MATCH", variant="interpolated", value=value) | {"share": taken}
    if active_share is not None:
        rule = "activation"
    else:
        rule = "rollback" if back is not None and now >= back.start else "ramp"
    chosen = "new" if share == LINE or (place is not None and place < share) else "stable"
    timeless = (
        share in (0, LINE) and not entry.get("early_adopters") and not WINDOW & entry.keys() and active_share is None
    )
    told = variant(entry, chosen, rule, "STATIC" if timeless else "SPLIT") | {"share": share, "position": place}
    if active_share is None and place is not None:
        told["on"], told["off"] = ramp.flips(place, clock, now)
    return told


def share_of_the_second(ramp: ramps.Ramp, clock, now: int) -> int:
    """The share that a number between is taken at: where the ramp stood at the whole second."""
    return ramp.height(now // SECOND * SECOND, clock)


def between(stable, new, share: int):
    """`stable` at 0, `new` at 2^32. Two integers: rounded half to even. Otherwise floats: s(1 - x) + n x."""
    if isinstance(stable, int) and isinstance(new, int):
        exact = stable + Fraction((new - stable) * share, LINE)
        return units.divide_half_even(exact.numerator, exact.denominator)
    x = share / LINE
    return float(stable) * (1.0 - x) + float(new) * x


def bucketing(entry: dict) -> tuple[str, str]:
    salt = entry.get("salt")
    return entry.get("hash", "sha1" if salt is None else "xxh3"), salt or ""


def clock_of(question: dict, entry: dict):
    state = question.get("lease_state")
    if "lease" not in entry or state is None:
        return ramps.Wall()
    return ramps.Lease(units.duration(entry["lease"]), units.time(state["fresh"]), units.time(state["ramp"]))


def adopts(adopter, key: str) -> bool:
    return key == adopter if isinstance(adopter, str) else re.search(adopter["regex"], key) is not None


def same_flag(text: str, canonical: str) -> bool:
    return units.show_flag_key(*units.flag_key(text)) == canonical


def variant(entry: dict, name: str, rule: str, reason: str, error: str | None = None) -> dict:
    """A variant of the entry; `stable` where `new` is due and there is none."""
    name = "new" if name == "new" and "new" in entry else "stable"
    return answer(rule, reason, variant=name, value=entry[name], error=error)


def answer(rule: str, reason: str, error: str | None = None, **told) -> dict:
    """`value` is left out where the caller's default is the answer."""
    return {"variant": None} | told | {"reason": reason, "error": error, "rule": rule}


def expectation(question: dict) -> dict:
    """The answer as `decisions.json` states it."""
    told = decide(question)
    stated = {k: units.show_time(v) if k in ("on", "off") and v is not None else v for k, v in told.items()}
    if "value" not in told:
        stated["default"] = True
    leased, now = "lease_state" in question, units.time(question["now"])
    for flip in ("on", "off"):
        if leased and told.get(flip) is not None and told[flip] <= now:
            del stated[flip]  # long ago: which code said so is not kept
    if question["key"] is not None and not leased and told["variant"] != "interpolated" and told["rule"] != "unknown_flag":
        until = valid_until(question, told)
        stated["valid_until"] = None if until is None else units.show_time(until)
    return stated


def valid_until(question: dict, told: dict) -> int | None:
    """The end of the lock that decided, or of the active activation; before that, a change of the answer for this key.

    Not for numbers between, nor without a key.
    """
    now, name = units.time(question["now"]), units.show_flag_key(question["section"], question["flag"])

    def ends_of(pins: str) -> list[int]:
        ends = [units.time(p["until"]) for p in question.get(pins, ()) if p.get("until") and same_flag(p["flag"], name)]
        return [end for end in ends if end > now]

    if told["rule"] == "host_lock":
        return min(ends_of("host_locks"), default=None)
    entry = question["document"].get(question["section"], {}).get(question["flag"])
    instants = set()
    if entry is not None:
        ramp = ramps.ramp_of(entry)
        instants.update(ramp.flips(positions.position(*bucketing(entry), question["key"])))
        if ramp.rollback is not None:
            instants.update((ramp.rollback.start, ramp.rollback.end))
    answers = lambda at: [decide(question | {"now": units.show_time(at)}).get(part) for part in ("value", "variant")]
    changes = (at for at in sorted(instants - {None}) if at > now and answers(at) != answers(now))
    return min((*ends_of("activations"), *changes), default=None)


# ---- every vector again ---------------------------------------------------------------------------------------------


def check() -> list[str]:
    """What differs between the vectors and this reference."""
    wrong = []

    def expect(place: str, got, stated) -> None:
        if got != stated:
            wrong.append(f"{place}: {got!r}, but the vector says {stated!r}")

    for v in read("positions.json"):
        expect(f"positions {v['id']}", positions.position(v["hash"], v["salt"], v["key"]), v["position"])
    for v in read("ramps.json"):
        ramp = ramps.ramp_of(v["entry"])
        expect(f"ramps {v['id']} points", [[units.show_time(t), s] for t, s in ramp.points], v["points"])
        for q in v["shares"]:
            expect(f"ramps {v['id']} at {q['at']}", ramp.share_at(units.time(q["at"])), q["share"])
        for q in v["flips"]:
            on, off = (None if t is None else units.show_time(t) for t in ramp.flips(q["position"]))
            expect(f"ramps {v['id']} position {q['position']}", [on, off], [q["on"], q["off"]])
    for v in read("decisions.json"):
        told = expectation(v)
        expect(f"decisions {v['id']}", told.keys(), v["expect"].keys())
        for name, stated in v["expect"].items():
            got = told.get(name)
            stated = float(stated) if isinstance(got, float) else stated
            expect(f"decisions {v['id']} {name}", (type(got), got), (type(stated), stated))
    for kind, reader in (("durations", units.duration), ("times", units.time), ("percentages", units.percent)):
        for v in read("units.json", kind):
            try:
                got = reader(v["text"])
            except ValueError:
                got = None
            if kind == "times" and got is not None:
                got = units.show_time(got)
            expect(f"units {kind} `{v['text']}`", got, v["means"])
    for v in read("units.json", "flag_keys"):
        section, flag = units.flag_key(v["text"])
        got = [section, flag, units.show_flag_key(section, flag)]
        expect(f"units flag key `{v['text']}`", got, [v["section"], v["flag"], v["canonical"]])
    return wrong


def read(name: str, part: str = "vectors"):
    return loads((HERE / name).read_text(encoding="utf-8"))[part]


if __name__ == "__main__":
    if sys.argv[1:] != ["check"]:
        sys.exit(__doc__)
    differences = check()
    print("\n".join(differences) or "every vector agrees with the reference")
    sys.exit(bool(differences))
