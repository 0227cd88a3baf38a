"""Writes the vectors. `python3 generate.py`; it reads nothing from the network.

Append-only: a vector that stands in a file already is kept as it is, and the run fails if the reference would now
expect something else of it. To add vectors, add cases at the end of a list.
"""

import sys
from decimal import Decimal

import cases_decisions
import positions
import ramps
import reference
import units
from units import LINE, show_time, time

try:  # a third opinion, where it happens to be installed
    import mmh3
    import xxhash
except ImportError:
    mmh3 = xxhash = None


class Dice:
    """Numbers that look random and are the same everywhere (a linear congruence, its high bits)."""

    def __init__(self, seed: int):
        self.state = seed

    def below(self, bound: int) -> int:
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return (self.state >> 16) * bound >> 48

    def pick(self, choices):
        return choices[self.below(len(choices))]


# ---- positions ------------------------------------------------------------------------------------------------------

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:/@ "
SALTS = ["", "s", "features/install_to_opt_foo", "flags/x", "2026-11-21", "salz-ß-塩-🧂", "x" * 64, "longsalt/" * 40]
KEYS = [
    "",
    "0",
    "1",
    "alice",
    "bob",
    "Alice",
    " alice",
    "alice ",
    "host-17.example.net",
    "192.0.2.17",
    "2001:db8::17",
    "7a3cc95c-24d8-486c-8dd7-aa32dd52e1f7",
    "user@example.com",
    "é",
    "e\u0301",
    "ß",
    "日本語のキー",
    "🧂",
    "👩‍👩‍👧",
    "\u0000",
    "\t",
    "\n",
    "a\u0000b",
    '"quoted"',
    "\\",
    "\u202e",
    "\ufeff",
    "ключ",
    "a" * 255,
    "é" * 120,
]


def position_questions():
    dice = Dice(1)
    text = lambda length: "".join(dice.pick(LETTERS) for _ in range(length))
    for length in range(301):
        yield "xxh3", SALTS[length % len(SALTS)], text(length)
    for length in (511, 512, 513, 1023, 1024, 1025, 1088, 1089, 2048, 2049, 4100):
        yield "xxh3", "", text(length)
    for index, key in enumerate(KEYS):
        for algorithm in ("sha1", "xxh3", "murmur3"):
            yield algorithm, SALTS[(index + len(algorithm)) % len(SALTS)] if index % 3 else "", key
    for length in (*range(1, 21), 31, 32, 33, 54, 55, 56, 57, 63, 64, 65, 119, 120, 121, 128, 240, 241, 300):
        yield "sha1", SALTS[length % len(SALTS)], text(length)
        yield "murmur3", SALTS[(length + 3) % len(SALTS)], text(length)
    for salt in SALTS:
        for algorithm in ("sha1", "xxh3", "murmur3"):
            yield algorithm, salt, "alice"


def position_vectors():
    for algorithm, salt, key in position_questions():
        place = positions.position(algorithm, salt, key)
        if xxhash and algorithm == "xxh3":
            seed = xxhash.xxh3_64_intdigest(salt.encode())
            assert place == xxhash.xxh3_64_intdigest(key.encode(), seed) >> 32
        if mmh3 and algorithm == "murmur3":
            assert place == mmh3.hash(salt + key, 0, signed=False)
        yield {"hash": algorithm, "salt": salt, "key": key, "position": place}


# ---- ramps ----------------------------------------------------------------------------------------------------------

START = "2026-01-01T00:00:00.000000Z"
YEAR = 31_536_000_000_000
LENGTHS = [
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    63,
    64,
    65,
    999,
    1000,
    1001,
    1_000_000,
    3_600_000_000,
    4_294_967_295,
    4_294_967_296,
    4_294_967_297,
    86_400_000_000,
    1_209_600_000_000,
    YEAR,
    40 * YEAR,
    1000 * YEAR,
]
PERCENTS = [
    (0, 100),
    (0, 50),
    (10, 60),
    (50, 50),
    (0, 0),
    (100, 100),
    (25, 75),
    ("0.000001", "0.000002"),
    (99, 100),
    ("99.999999", 100),
    (0, "0.000001"),
    ("33.333333", "66.666667"),
    ("12.5", "12.500001"),
    (5, 100),
    (0, 25),
]


def windowed(length: int, low, high, start: str = START, **more) -> dict:
    entry = {"stable": False, "new": True, "start_time": start, "end_time": show_time(time(start) + length)}
    for name, pct, usual in (("start_pct", low, 0), ("end_pct", high, 100)):
        if pct != usual:
            entry[name] = Decimal(str(pct))
    return entry | more


def micros(length: int) -> str:
    """A duration to the microsecond."""
    return f"{length // 1000}.{length % 1000:03}ms"


def stepped(steps, **anchor) -> dict:
    """`steps` as (pct, over, hold) in microseconds; None leaves a field out."""
    told = []
    for pct, over, hold in steps:
        step = {"pct": Decimal(str(pct))}
        if over is not None:
            step["over"] = micros(over)
        if hold is not None:
            step["hold"] = micros(hold)
        told.append(step)
    return {"stable": False, "new": True, "steps": told} | (anchor or {"start_time": START})


HOUR, DAY = 3_600_000_000, 86_400_000_000
STAIRS = [
    [(1, None, HOUR), (10, DAY, 12 * HOUR), (100, 3 * DAY, None)],
    [(100, None, None)],
    [(100, DAY, None)],
    [(0, DAY, None), (100, DAY, None)],
    [(0, None, None)],
    [(5, None, DAY), (5, DAY, DAY), (5, None, None)],
    [(1, None, DAY), (2, None, DAY), (4, None, DAY), (8, None, DAY), (100, None, DAY)],
    [(10, 3, 2), (20, 3, 2), (40, 5, 1), (100, 7, None)],
    [(10, 1, None), (20, 1, None), (30, 1, None), (100, 1, None)],
    [(10, 0, 0), (50, 0, 0), (100, 0, 0)],
    [(10, None, None), (50, None, None), (70, None, 5), (90, None, None)],
    [("33.333333", DAY, None), ("66.666666", DAY, None)],
    [("0.000001", None, HOUR), ("0.001", HOUR, HOUR), (1, HOUR, HOUR), (50, DAY, 7 * DAY)],
    [(50, 1_000_001, 999_999), (100, 1_000_001, None)],
    [(25, 2, 1), (75, 2, 1), (100, 2, 1)],
]
CURVES = [
    (1, 100),
    (5, 100),
    (10, 80),
    (50, 100),
    (60, 100),
    (100, 100),
    (50, 50),
    ("0.000001", 100),
    ("0.1", "0.2"),
    ("0.1", "0.3"),
    (25, 100),
    ("12.5", 100),
    (3, 97),
    (99, 100),
]


def ramp_entries():
    for length in LENGTHS:
        yield windowed(length, 0, 100)
    for index, (low, high) in enumerate(PERCENTS):
        yield windowed(14 * DAY, low, high)
        yield windowed(LENGTHS[index % 12], low, high)
        yield windowed(LENGTHS[(index * 7) % len(LENGTHS)], low, high, start="2025-06-07 08:09:10.111213Z")
    for length in (1, 3, 5, 7, 9, 11, 13, 101, 1_000_003, DAY + 1):  # odd lengths: many halves
        yield windowed(length, 0, 50)
        yield windowed(length, 25, 75)
    yield windowed(DAY, 0, 100, start="1969-12-31T12:00:00.000001Z")
    yield windowed(7, 0, 100, start="1969-12-31T23:59:59.999997Z")
    yield windowed(DAY, 0, 100, start="0001-01-01T00:00:00Z")
    yield windowed(DAY - 1, 0, 100, start="9999-12-31T00:00:00Z")
    yield {"stable": False, "new": True}
    for index, stairs in enumerate(STAIRS):
        yield stepped(stairs)
        yield stepped(stairs, end_time="2026-03-04T05:06:07.080910Z" if index % 2 else START)
    for index, (low, high) in enumerate(CURVES):
        for length in (7 * DAY, LENGTHS[(index * 5 + 3) % 14]):
            yield windowed(length, low, high, curve="exponential")
    # rollbacks, (start after the ramp's start, duration, to_pct) against ramps of a day, three microseconds, steps, a curve
    start = time(START)
    falls = [
        (-HOUR, HOUR, 0),
        (0, HOUR, 0),
        (1, HOUR, 0),
        (6 * HOUR, 2 * HOUR, 0),
        (6 * HOUR, 2 * HOUR, 5),
        (12 * HOUR, 3, 0),
        (12 * HOUR, 5, 50),
        (12 * HOUR, 1, 10),
        (18 * HOUR, None, 0),
        (18 * HOUR, None, 30),
        (2 * HOUR, DAY, 80),
        (6 * HOUR, HOUR, 25),
        (DAY, DAY, 0),
        (10 * DAY, HOUR, "99.999999"),
        (10 * DAY, YEAR, 0),
        (10 * DAY, 4_294_967_297, 0),
        (DAY - 1, 7, "0.000001"),
        (12 * HOUR + 1, 0, 100),
    ]
    for at, length, to in falls:
        back = {"start_time": show_time(start + at)}
        if length is not None:
            back["duration"] = micros(length)
        if to != 0:
            back["to_pct"] = Decimal(str(to))
        yield windowed(DAY, 0, 100, rollback=back)
        if len(back) > 1:
            yield windowed(DAY, 10, 60, rollback=back)
        yield stepped([(10, HOUR, HOUR), (20, HOUR, HOUR), (50, 2 * HOUR, 6 * HOUR), (90, HOUR, None)]) | {
            "rollback": back
        }
    for at in range(-1, 5):
        for length in (0, 1, 2, 3):
            yield windowed(3, 0, 100, rollback={"start_time": show_time(start + at), "duration": micros(length)})
    for at, length, to in ((DAY, HOUR, 0), (5 * DAY, 3, 2), (7 * DAY, None, 50)):
        back = {"start_time": show_time(start + at), "to_pct": to} | ({"duration": micros(length)} if length else {})
        yield windowed(7 * DAY, 1, 100, curve="exponential", rollback=back)
    yield {"stable": False, "new": True, "rollback": {"start_time": START, "duration": "1h"}}


def ramp_vectors():
    dice = Dice(2)
    for entry in ramp_entries():
        ramp = ramps.ramp_of(entry)
        at, where = set(), {0, 1 << 31, LINE - 1}
        for t0, s0, t1, s1 in ramp.stretches():
            at |= {t0 - 1, t0, t0 + 1, (t0 + t1) // 2, t1 - 1, t1, t1 + 1}
            where |= {s0, s1 - 1, s1, s0 + dice.below(s1 - s0)}
            for part in (1, 3, 5, 7):  # halves between two microseconds
                for of in (2, 4, 8, 16):
                    if (
                        part < of
                        and part * (s1 - s0) % of == 0
                        and (t1 - t0) * part * 2 % of == 0 != (t1 - t0) * part % of
                    ):
                        where.add(s0 + part * (s1 - s0) // of)
        if (back := ramp.rollback) is not None:
            at |= {back.start - 1, back.start, back.start + 1, (back.start + back.end) // 2, back.end - 1, back.end}
            top, bottom = ramp.rollback_from(ramps.Wall())
            where |= {
                top - 1,
                top,
                bottom,
                bottom - 1,
                (top + bottom) // 2,
                bottom + dice.below(max(top - bottom, 1)),
            }
        where = thin(sorted(p for p in where if 0 <= p < LINE), 9)
        flips = [(p, *ramp.flips(p)) for p in where]
        for _, on, off in flips:
            for flip in (on, off):
                at |= {flip - 1, flip} if flip is not None else set()
        at = thin(sorted(t for t in at if units.MIN <= t <= units.MAX), 16)
        yield {
            "entry": entry,
            "points": [[show_time(t), s] for t, s in ramp.points],
            "shares": [{"at": show_time(t), "share": ramp.share_at(t)} for t in at],
            "flips": [{"position": p, "on": told(on), "off": told(off)} for p, on, off in flips],
        }


def told(instant: int | None) -> str | None:
    return None if instant is None else show_time(instant)


def thin(things: list, most: int) -> list:
    """At most so many, spread evenly, the first and the last among them."""
    if len(things) <= most:
        return things
    return [things[i * (len(things) - 1) // (most - 1)] for i in range(most)]


# ---- decisions ------------------------------------------------------------------------------------------------------


def decision_vectors():
    for about, question in cases_decisions.questions():
        yield {"about": about} | question | {"expect": reference.expectation(question)}


# ---- units ----------------------------------------------------------------------------------------------------------


def unit_vectors() -> dict:
    import cases_units

    told = {}
    for kind, reader in (("durations", units.duration), ("times", units.time), ("percentages", units.percent)):
        told[kind] = []
        for text, accepted in getattr(cases_units, kind.upper()):
            try:
                means = reader(text)
            except ValueError:
                means = None
            assert (means is not None) == accepted, (kind, text, means)
            if kind == "times" and accepted:
                means = show_time(means)
            told[kind].append({"text": text, "means": means})
    told["flag_keys"] = []
    for text in cases_units.FLAG_KEYS:
        section, flag = units.flag_key(text)
        told["flag_keys"].append(
            {"text": text, "section": section, "flag": flag, "canonical": units.show_flag_key(section, flag)}
        )
    return told


# ---- files ----------------------------------------------------------------------------------------------------------


def numbered(prefix: str, vectors) -> list[dict]:
    return [{"id": f"{prefix}-{number:04}"} | vector for number, vector in enumerate(vectors, 1)]


def write(name: str, note: str, parts: dict[str, list[dict]]) -> None:
    path = reference.HERE / name
    old = reference.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for part, vectors in parts.items():
        fresh = [reference.dumps(reference.loads(reference.dumps(vector))) for vector in vectors]
        for index, before in enumerate(old.get(part, [])):
            if index >= len(fresh) or reference.dumps(before) != fresh[index]:
                sys.exit(
                    f"{name} {part} {index + 1} would change; vectors are append-only\n{reference.dumps(before)}"
                )
    lines = [f'{{"note":{reference.dumps(note)}']
    for part, vectors in parts.items():
        lines.append(f',"{part}":[\n' + ",\n".join(reference.dumps(vector) for vector in vectors) + "\n]")
    path.write_text("".join(lines) + "}\n", encoding="utf-8", newline="\n")
    print(name, {part: len(vectors) for part, vectors in parts.items()})


if __name__ == "__main__":
    see = "see README.md; append-only"
    write("positions.json", f"Positions of keys; {see}", {"vectors": numbered("p", position_vectors())})
    write("ramps.json", f"Ramps: points, shares, flips; {see}", {"vectors": numbered("r", ramp_vectors())})
    write("decisions.json", f"Decisions; {see}", {"vectors": numbered("t", decision_vectors())})
    write("units.json", f"Times, durations, percentages, flag keys; {see}", unit_vectors())
    wrong = reference.check()
    sys.exit("\n".join(wrong) if wrong else 0)
