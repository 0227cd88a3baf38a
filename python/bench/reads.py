"""What a read costs, beside an empty method of a class in Rust: `cargo xtask python bench` prints it for a release build.

All calls are timed in turns, and the fastest turn of each counts, so that a busy machine slows all of them.
"""

from __future__ import annotations

import json
import timeit
from typing import Any, Callable, Dict, List

from tidegate import Tidegate, _native

TURNS = 60
CALLS = 4_000

SETTLED = {"stable": False, "new": True, "start_time": "2020-01-01 00:00Z", "duration": "1d"}
MOVING = {"stable": 20, "new": 40, "start_time": "2020-01-01 00:00Z", "duration": "36500d"}
BEFORE = {"stable": 20, "new": 40, "start_time": "2090-01-01 00:00Z", "duration": "14d"}
HALF = {"stable": 20, "new": 40, "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50}
DOCUMENT = {"s": {"settled": SETTLED, "xxh3": {**MOVING, "salt": "s"}, "sha1": MOVING, "before": BEFORE, "half": HALF, "half_xxh3": {**HALF, "salt": "s"}}}


def calls(tide: Tidegate) -> Dict[str, Callable[[str], Any]]:
    """The empty method first."""

    def get(flag: str) -> Callable[[str], Any]:
        return tide.flag("s", flag).get

    return {
        "an empty method": _native.Empty().method,
        "`flag.is_active_for(key)`, a flag that no longer moves": tide.flag("s", "settled").is_active_for,
        "`flag.get(key)`, a flag that no longer moves": get("settled"),
        "`flag.get(key)`, in its ramp, with a `salt`": get("xxh3"),
        "`flag.get(key)`, for half of the keys, with a `salt`": get("half_xxh3"),
        "`flag.get(key)`, before its ramp, without a `salt`": get("before"),
        "`flag.get(key)`, in its ramp, without a `salt`: the position is a SHA-1": get("sha1"),
        "`flag.get(key)`, for half of the keys, without a `salt`: the position is a SHA-1": get("half"),
        "`tide.is_active_for(flag_key, key)`": lambda key: tide.is_active_for("s/settled", key),
        "`tide.get(section, flag, key)`, without a `salt`": lambda key: tide.get("s", "sha1", key),
    }


def main() -> None:
    with Tidegate.text(json.dumps(DOCUMENT), locks=False) as tide:
        timed = calls(tide)
        best: Dict[str, float] = dict.fromkeys(timed, float("inf"))
        timers: List[timeit.Timer] = [timeit.Timer("call('user-17')", globals={"call": call}) for call in timed.values()]
        for _ in range(TURNS):
            for name, timer in zip(best, timers):
                best[name] = min(best[name], timer.timeit(CALLS) / CALLS)
    floor = best["an empty method"]
    print("| call | time | against the empty method |\n| --- | --- | --- |")
    for name, seconds in best.items():
        print(f"| {name} | {seconds * 1e9:.0f} ns | {seconds / floor:.1f} |")


if __name__ == "__main__":
    main()
