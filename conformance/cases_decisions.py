"""The questions of `decisions.json`. Add at the end of `questions`."""

from decimal import Decimal
from itertools import combinations

import positions
import ramps
from units import LINE, show_time, time

SECTION, FLAG = "features", "x"
START, END = "2026-01-01 00:00Z", "2026-01-11 00:00Z"
NOW = "2026-01-06T00:00:00.000000Z"  # half of the way
DAY, HOUR, SECOND = 86_400_000_000, 3_600_000_000, 1_000_000
WINDOW = {"start_time": START, "end_time": END}
BASE = {"stable": "old", "new": "fresh", "salt": "w"} | WINDOW


def key_at(low: int, high: int, algorithm: str = "xxh3", salt: str = "w") -> str:
    """The first of `user-0`, `user-1`, ... whose position lies from `low` up to `high` per cent."""
    number = 0
    while not low * LINE <= 100 * positions.position(algorithm, salt, f"user-{number}") < high * LINE:
        number += 1
    return f"user-{number}"


EARLY, MIDDLE, LATE = key_at(5, 10), key_at(40, 45), key_at(85, 90)


def ask(entry, key, now=NOW, section=SECTION, flag=FLAG, **more) -> dict:
    """One question about one flag; `entry` None: a document without it."""
    document = {} if entry is None else {section: {flag: entry}}
    return {"document": document, "section": section, "flag": flag, "key": key, "now": now} | more


def activation(percent, until=None, had_definition=True, flag="features/x") -> dict:
    percent = Decimal(str(percent)) if isinstance(percent, str) else percent
    return {"activations": [{"flag": flag, "percent": percent, "until": until, "had_definition": had_definition}]}


def pin(until=None, flag="features/x", **what) -> dict:
    return {"host_locks": [{"flag": flag} | what | {"until": until}]}


def rollback(start: str, duration: str | None = None, to=0) -> dict:
    back = {"start_time": start} | ({"duration": duration} if duration else {}) | ({"to_pct": to} if to else {})
    return {"rollback": back}


# ---- every pair of rules in conflict --------------------------------------------------------------------------------

# name -> (group, changes of the entry, changes of the question); two of one group never stand together
RULES = {
    "host lock stable": ("host", {}, pin(variant="stable")),
    "host lock new": ("host", {}, pin(variant="new")),
    "host lock value": ("host", {}, pin(value={"pinned": [1, 2.5]})),
    "unknown flag": ("entry", None, {}),
    "activation 0": ("activation", {}, activation(0)),
    "activation 50": ("activation", {}, activation(50)),
    "activation 100": ("activation", {}, activation(100)),
    "document lock stable": ("lock", {"lock": "stable"}, {}),
    "document lock new": ("lock", {"lock": "new"}, {}),
    "disabled": ("enabled", {"enabled": False}, {}),
    "no new": ("values", {"new": None}, {}),
    "early adopter": ("adopter", {"early_adopters": ["somebody", LATE]}, {}),
    "interpolation": ("values", {"stable": 10, "new": 21, "interpolate": True}, {}),
    "before the start": ("when", {}, {"now": "2025-12-31T23:59:59.999999Z"}),
    "after the end": ("when", {}, {"now": "2026-01-11T00:00:00.000000Z"}),
    "rollback under way": ("back", rollback("2026-01-05 00:00Z", "2d"), {}),
    "rollback to 0 ended": ("back", rollback("2026-01-04 00:00Z", "1d"), {}),
    "rollback to 30 ended": ("back", rollback("2026-01-04 00:00Z", "1d", 30), {}),
    "key missing": ("key", {}, {"key": None}),
}


def mixed(names, key) -> dict | None:
    """The question in which all these rules want to decide; None where they cannot stand together."""
    groups = [RULES[name][0] for name in names]
    if len(set(groups)) < len(groups):
        return None
    entry, more = dict(BASE), {}
    for name in names:
        _, changes, asked = RULES[name]
        entry = None if changes is None or entry is None else entry | changes
        more |= asked
    if "unknown flag" in names and set(groups) & {"lock", "enabled", "values", "adopter", "when", "back"}:
        return None  # what a document says of no flag
    if entry is not None and "no new" in names:
        del entry["new"]
    return ask(entry, more.pop("key", key), more.pop("now", NOW), **more)


def conflicts():
    for names in (*combinations(RULES, 1), *combinations(RULES, 2)):
        for key in (LATE,) if "key missing" in names or len(names) == 2 else (EARLY, LATE):
            if (question := mixed(names, key)) is not None:
                yield " + ".join(names), question
    for number, names in enumerate(combinations(RULES, 3)):
        if number % 13 == 5 and (question := mixed(names, LATE)) is not None:
            yield " + ".join(names), question


# ---- one rule at a time ---------------------------------------------------------------------------------------------


def around(entry: dict, key: str, what: str, salt=("xxh3", "w"), **more):
    """The microsecond before, at and after each flip of a key."""
    for name, flip in zip(("on", "off"), ramps.ramp_of(entry).flips(positions.position(*salt, key))):
        for step, word in ((-1, "before"), (0, "at"), (1, "after")) if flip is not None else ():
            yield f"{what}: the microsecond {word} the flip {name}", ask(entry, key, show_time(flip + step), **more)


def hashes():
    for name, more in (
        ("no salt: sha1", {}),
        ("a salt: xxh3", {"salt": "w"}),
        ("an empty salt: xxh3", {"salt": ""}),
        ("sha1 with a salt", {"hash": "sha1", "salt": "w"}),
        ("murmur3 with a salt", {"hash": "murmur3", "salt": "w"}),
        ("murmur3 without a salt", {"hash": "murmur3"}),
        ("xxh3 without a salt", {"hash": "xxh3"}),
        ("sha1 named, no salt", {"hash": "sha1"}),
    ):
        entry = {"stable": False, "new": True} | WINDOW | more
        for key in ("", "alice", "塩-7"):
            yield name, ask(entry, key)


def values():
    for new in (
        None,
        False,
        0,
        "",
        [],
        {},
        18446744073709551615,
        -9223372036854775808,
        "\u0000\u2028🧂",
        {"b": [1, {"a": None}], "a": ""},
        Decimal("0.1"),
        9007199254740993,
    ):
        yield "new may be any JSON", ask({"stable": "old", "new": new} | WINDOW, "k", "2026-02-01T00:00:00.000000Z")
        yield "stable may be any JSON", ask({"stable": new, "new": "n"} | WINDOW, "k", "2025-02-01T00:00:00.000000Z")
    for entry in ({"stable": 1}, {"stable": 1, "new": 2}, {"stable": 1, "new": 2, "enabled": True}):
        for key in ("k", None):
            yield "no window: the share is 0", ask(entry, key)
    yield "no window, an adopter", ask({"stable": 1, "new": 2, "early_adopters": ["k"]}, "k")
    yield "no window, another key", ask({"stable": 1, "new": 2, "early_adopters": ["k"]}, "j")
    yield "no window, an activation", ask({"stable": 1, "new": 2, "salt": "w"}, EARLY, **activation(50))
    for entry in (
        {"stable": 1, "lock": "new"},
        {"stable": 1, "early_adopters": ["k"]},
        {"stable": 1, "enabled": False},
    ):
        yield "new is due and there is none", ask(entry | WINDOW, "k")
    yield "new is due and there is none", ask({"stable": 1} | WINDOW, "k", **activation(100))
    yield "new is due and there is none", ask({"stable": 1} | WINDOW, "k", **activation("12.5"))
    yield "new is due and there is none", ask({"stable": 1} | WINDOW, "k", **pin(variant="new"))


def windows():
    for pcts in ({}, {"start_pct": 10, "end_pct": 60}, {"start_pct": 50, "end_pct": 50}, {"end_pct": 30}):
        for key in (EARLY, MIDDLE, LATE):
            yield from around(BASE | pcts, key, f"window {pcts}")
        yield f"window {pcts}: long after", ask(BASE | pcts, LATE, "2027-01-01T00:00:00.000000Z")
        yield f"window {pcts}: long before", ask(BASE | pcts, EARLY, "2020-01-01T00:00:00.000000Z")
    curve = BASE | {"start_pct": 1, "curve": "exponential"}
    steps = {
        "stable": "old",
        "new": "fresh",
        "salt": "w",
        "start_time": START,
        "steps": [{"pct": 1, "hold": "1h"}, {"pct": 10, "over": "1d", "hold": "12h"}, {"pct": 100, "over": "3d"}],
    }
    for name, entry in (("curve", curve), ("steps", steps)):
        for key in (EARLY, LATE):
            yield from around(entry, key, name)
    for now in (START, END):
        yield "no key where everyone has the same", ask(BASE, None, show_time(time(now) - 1))
        yield "no key at a corner", ask(BASE, None, show_time(time(now)))
    yield "no key, full share, adopters", ask(BASE | {"early_adopters": ["k"]}, None, show_time(time(END)))
    yield "no key, no share, adopters", ask(BASE | {"early_adopters": ["k"]}, None, "2025-01-01T00:00:00.000000Z")


def adopters():
    listed = [
        "canary-host",
        "",
        {"regex": "^ci-[0-9]+$"},
        {"regex": "beta"},
        {"regex": "^[Dd][Ee][Vv]$"},
        {"regex": "ß|塩"},
        "[a-z]+",
    ]
    entry = BASE | {"early_adopters": listed}
    for key in (
        "canary-host",
        "canary-hos",
        "canary-host ",
        "Canary-Host",
        "",
        " ",
        "ci-17",
        "ci-",
        "xci-17",
        "ci-17x",
        "alphabetagamma",
        "DEV",
        "devs",
        "Straße",
        "塩",
        "[a-z]+",
        "abc",
    ):
        yield "early adopter or not, before the start", ask(entry, key, "2025-12-01T00:00:00.000000Z")
    yield "early adopter in the middle", ask(entry, "ci-1")
    yield "early adopter in the middle of an activation", ask(entry, "ci-1", **activation("0.000001"))
    for to, end in ((0, "2026-01-07T00:00:00.000000Z"), (20, "2026-01-07T00:00:00.000000Z")):
        back = entry | rollback("2026-01-05 00:00Z", "2d", to)
        for step in (-1, 0):
            yield f"early adopter at the end of a rollback to {to}", ask(back, "ci-1", show_time(time(end) + step))
            yield f"no key at the end of a rollback to {to}", ask(back, None, show_time(time(end) + step))
    at_once = entry | rollback("2026-01-05 00:00Z")
    for step in (-1, 0):
        yield "early adopter, rollback at once", ask(at_once, "ci-1", show_time(time("2026-01-05 00:00Z") + step))
    early = entry | rollback("2025-12-01 00:00Z", "1d")
    for now in ("2025-11-30T00:00:00.000000Z", "2025-12-01T12:00:00.000000Z", "2025-12-02T00:00:00.000000Z", NOW):
        yield "early adopter, rollback before the start", ask(early, "ci-1", now)


def rollbacks():
    for back in (
        rollback("2026-01-05 00:00Z", "2h"),
        rollback("2026-01-05 00:00Z", "2h", 5),
        rollback("2026-01-05 12:00Z"),
        rollback("2026-01-09 00:00Z", "3d", 41),
        rollback("2026-02-01 00:00Z", "10d", 0),
        rollback("2026-01-01 00:00Z", "1h"),
        rollback("2025-12-01 00:00Z", "1h"),
        rollback("2026-01-02 00:00Z", "1h", 80),
    ):
        for key in (EARLY, MIDDLE, LATE):
            yield from around(BASE | back, key, f"{back}")
        for now in (NOW, "2026-06-01T00:00:00.000000Z"):
            yield f"{back}: the ramp does not resume", ask(BASE | back, MIDDLE, now)


def numbers():
    def between(stable, new, *nows, key="k", **more):
        entry = {"stable": stable, "new": new, "interpolate": True} | WINDOW | more.pop("entry", {})
        for now in nows:
            yield f"a number between {stable} and {new}", ask(entry, key, now, **more)

    start, quarter, half, end = (f"2026-01-{day}:00:00.000000Z" for day in ("01T00", "03T12", "06T00", "11T00"))
    before, last = "2025-12-31T23:59:59.999999Z", "2026-01-10T23:59:59.999999Z"
    yield from between(20, 100, before, start, quarter, half, last, end, "2027-01-01T00:00:00.000000Z")
    yield from between(Decimal("2.0"), Decimal("0.5"), before, start, quarter, half, last, end)
    yield from between(0, 1, quarter, half, end)
    yield from between(1, 2, half)
    yield from between(2, 3, half)
    yield from between(0, 5, half)
    yield from between(0, -5, quarter, half)
    yield from between(-1, 0, half)
    yield from between(-2, -1, half)
    yield from between(-3, -8, quarter, half)
    yield from between(-10, 10, quarter, half, end)
    yield from between(7, 7, quarter)
    yield from between(100, 20, quarter, half)
    yield from between(0, 9223372036854775807, quarter, half, end)
    yield from between(-9223372036854775808, 9223372036854775807, start, quarter, half, end)
    yield from between(0, 18446744073709551615, half, end)
    yield from between(1, Decimal("2.0"), start, half, end)
    yield from between(Decimal("0.1"), Decimal("0.7"), before, start, "2026-01-02T03:04:05.678901Z", half, end)
    yield from between(Decimal("-1.5"), Decimal("1e3"), "2026-01-04T05:06:07.999999Z", end)
    yield from between(Decimal("1e-300"), Decimal("1e300"), half, end)
    yield from between(
        0, 1000000000, "2026-01-02T00:00:00.000000Z", "2026-01-02T00:00:00.999999Z", "2026-01-02T00:00:01.000000Z"
    )
    odd = {"start_time": "2026-01-01 00:00:00.5Z", "end_time": "2026-01-01 00:00:09.25Z"}
    yield from between(
        0,
        1000,
        *(
            f"2026-01-01T00:00:{s}Z"
            for s in (
                "00.000000",
                "00.500000",
                "00.999999",
                "01.000000",
                "05.500000",
                "09.000000",
                "09.250000",
                "09.999999",
                "10.000000",
            )
        ),
        entry=odd,
    )
    old = {"start_time": "1969-12-31 23:59:50Z", "end_time": "1970-01-01 00:00:10Z"}
    yield from between(
        0, 20, *(f"1969-12-31T23:59:{s}Z" for s in ("49.999999", "50.000000", "53.999999", "59.500000")), entry=old
    )
    part = {"start_pct": 10, "end_pct": 60}
    yield from between(0, 1000, before, start, half, end, entry=part)
    yield from between(Decimal("0.0"), Decimal("1.0"), before, start, half, end, entry=part)
    hold = {"steps": [{"pct": 50, "hold": "5d"}, {"pct": 100, "over": "5d"}]}
    yield from between(0, 5, "2026-01-03T00:00:00.000000Z", half, entry=hold)
    back = rollback("2026-01-05 00:00Z", "2d", 10)
    yield from between(0, 1000, "2026-01-05T12:00:00.000000Z", half, "2026-01-07T00:00:00.000000Z", entry=back)
    yield from between(20, 100, half, key=None)
    yield from between(20, 100, half, key=None, entry={"early_adopters": ["k"]})
    yield from between(20, 100, half, entry={"early_adopters": ["k"]})
    yield from between(20, 100, half, key=None, **activation(25))
    yield from between(20, 100, half, **activation(0))
    yield from between(20, 100, half, **activation(100))
    yield from between(20, 101, half, **activation(50))
    yield from between(20, 100, half, **pin(variant="new"))
    yield from between(20, 100, half, entry={"lock": "stable"})
    yield from between(20, 100, half, entry={"enabled": False})


def leases():
    entry = BASE | {"lease": "1h"}
    at = lambda day, hour=0, minute=0: f"2026-01-{day:02}T{hour:02}:{minute:02}:00.000000Z"
    state = lambda fresh, ramp: {"lease_state": {"fresh": fresh, "ramp": ramp}}
    for key in (EARLY, MIDDLE, LATE):
        yield "a poll just succeeded", ask(entry, key, at(5), **state(at(5), at(5)))
        yield "half a lease ago", ask(entry, key, at(5, 0, 30), **state(at(5), at(5)))
        yield "no successful poll for days: the share holds", ask(entry, key, at(9), **state(at(5), at(5)))
        yield "a successful poll after days of failures: no jump", ask(entry, key, at(9), **state(at(9), at(5, 1)))
        yield "catching up at twice the speed", ask(entry, key, at(9, 0, 40), **state(at(9), at(5, 1)))
        yield "catching up, then no successful poll again", ask(entry, key, at(10), **state(at(9), at(5, 1)))
        yield "caught up", ask(entry, key, at(9, 0, 50), **state(at(9), at(8, 23, 30)))
    base = time(at(9))
    for behind, after in (
        (HOUR, HOUR),
        (HOUR, HOUR - 1),
        (HOUR, HOUR + 1),
        (HOUR + 1, HOUR),
        (3, 1),
        (3, 2),
        (3, 3),
        (2, 1),
    ):
        yield "catching up to the microsecond", ask(
            entry | {"end_pct": 50},
            MIDDLE,
            show_time(base + after),
            **state(show_time(base), show_time(base - behind)),
        )
    place = positions.position("xxh3", "w", MIDDLE)
    rise = ramps.ramp_of(entry).rise(place)
    fresh, ramp = rise - 90 * 60 * SECOND // 2, rise - HOUR
    reaches = ramps.Lease(HOUR, fresh, ramp).when(rise, fresh)
    for step in (-1, 0, 1):
        yield "a flip while catching up", ask(
            entry, MIDDLE, show_time(reaches + step), **state(show_time(fresh), show_time(ramp))
        )
    for late, word in ((0, "just within the lease"), (1, "just beyond the lease")):
        fresh = rise - HOUR - late
        for step in (0, 1, DAY):
            yield f"a flip {word}", ask(
                entry, MIDDLE, show_time(rise + step), **state(show_time(fresh), show_time(fresh))
            )
    yield "no lease: the state does not matter", ask(BASE, LATE, at(10), **state(at(2), at(2)))
    yield "the lease of another length", ask(BASE | {"lease": "3d"}, MIDDLE, at(7), **state(at(3), at(3)))
    yield "a lease of a millisecond: hardly a rise without a poll", ask(BASE | {"lease": "1ms"}, MIDDLE, at(9), **state(at(3), at(3)))
    yield "an activation does not wait", ask(entry, MIDDLE, at(9), **state(at(2), at(2)), **activation(50))
    back = entry | rollback("2026-01-07 00:00Z", "2d")
    for key in (EARLY, MIDDLE, LATE, key_at(30, 35), key_at(55, 59)):
        for now in (at(6, 23, 59), at(7), at(7, 12), at(8), at(8, 12), at(9)):
            yield "a rollback beyond the lease: from the share of this host", ask(back, key, now, **state(at(4), at(4)))
    for key in (EARLY, MIDDLE, key_at(55, 59)):
        yield "a rollback under way, within the lease", ask(back, key, at(8), **state(at(8), at(8)))
    to = entry | rollback("2026-01-07 00:00Z", "2d", 50)
    yield "a rollback beyond the lease, the share lower already", ask(to, MIDDLE, at(8), **state(at(4), at(4)))
    yield "a rollback beyond the lease, adopters", ask(
        back | {"early_adopters": [LATE]}, LATE, at(8, 23, 59), **state(at(4), at(4))
    )
    yield "after a rollback beyond the lease, adopters", ask(
        back | {"early_adopters": [LATE]}, LATE, at(9), **state(at(4), at(4))
    )
    number = {"stable": 0, "new": 1000, "interpolate": True, "lease": "1h"} | WINDOW
    yield "a number beyond the lease", ask(number, None, at(9), **state(at(5), at(5)))
    yield "a number while catching up", ask(number, None, at(9, 0, 30), **state(at(9), at(5, 1)))


def expiries():
    until = "2026-01-06T12:00:00.000000Z"
    for step in (-1, 0):
        now = show_time(time(until) + step)
        for what in ({"variant": "new"}, {"variant": "stable"}, {"value": "pinned"}):
            yield "a host lock up to its end", ask(BASE, LATE, now, **pin(until, **what))
        for percent in (0, 100, "12.5", "99.999999"):
            yield "an activation up to its end", ask(BASE, MIDDLE, now, **activation(percent, until))
            yield "a bare activation up to its end", ask(None, EARLY, now, **activation(percent, until, False))
        yield "a lock over a disabled flag", ask(BASE | {"enabled": False}, LATE, now, **pin(until, variant="new"))
        yield "a lock and an activation that end together", ask(
            BASE, LATE, now, **pin(until, variant="stable"), **activation(100, until)
        )
        locked = BASE | {"lock": "stable"}
        yield "an activation over a document's lock", ask(locked, LATE, now, **activation(100, until))
        yield "a value for an unknown flag", ask(None, "k", now, **pin(until, value=[None]))
    yield "an activation outlives the flip", ask(BASE, MIDDLE, "2026-01-02T00:00:00.000000Z", **activation(0, until))


    listed = BASE | {"early_adopters": [LATE]} | rollback("2026-01-04 00:00Z", "1d")
    for now in ("2026-01-04T23:59:59.999999Z", "2026-01-05T00:00:00.000000Z", NOW):
        yield "an activation and the end of a rollback to 0, adopters", ask(listed, LATE, now, **activation(50))
        yield "an activation and the end of a rollback to 0, adopters", ask(listed, LATE, now, **activation(100))
    number = {"stable": 0, "new": 1000, "interpolate": True} | WINDOW
    for step in (-1, 0):
        yield "an activation of a number up to its end", ask(
            number, "k", show_time(time(until) + step), **activation(10, until)
        )


def bare():
    salted = [key_at(0, 12, salt="features/x"), key_at(13, 50, salt="features/x"), key_at(51, 100, salt="features/x")]
    for percent in (0, "0.000001", "12.5", 50, "99.999999", 100):
        for key in (*salted, None):
            yield "an activation without a definition", ask(None, key, **activation(percent, None, False))
    for percent in (0, 50, 100):
        for key in ("k", None):
            yield "a definition was there and is not loaded", ask(None, key, **activation(percent, None, True))
    yield "the document's definition counts", ask(BASE, LATE, **activation(100, None, False))
    yield "an unknown flag", ask(None, "k")
    yield "another flag's activation", ask(None, "k", **activation(100, None, False, "features/y"))
    yield "a lock on the variant of an unknown flag", ask(None, "k", **pin(variant="new"))
    yield "a lock on a bare flag", ask(None, "k", **activation(0, None, False), **pin(variant="new"))
    for flag in ("x", "flags/x"):
        yield "the default section", ask(BASE, LATE, section="flags", flag="x", **pin(variant="new", flag=flag))
        yield "the default section", ask(BASE, LATE, section="flags", flag="x", **activation(100, flag=flag))
        yield "the default section", ask(None, "k", section="flags", flag="x", **activation(50, None, False, flag))
    for section, name, key in (("a/b", "c", "a%2Fb/c"), ("a", "b/c", "a/b/c"), ("50%", "x", "50%25/x")):
        yield "escapes of a flag key", ask(BASE, LATE, section=section, flag=name, **pin(variant="new", flag=key))
        yield "escapes of a flag key", ask(None, "k", section=section, flag=name, **activation(50, None, False, key))


def questions():
    for part in (conflicts, hashes, values, windows, adopters, rollbacks, numbers, leases, expiries, bare):
        yield from part()
