"""What a read costs beside slowroll's, in one run."""

from __future__ import annotations

import json
import timeit
from typing import Any, Dict

import slowroll

from tidegate.slowroll import SlowrollConfig


def test_get_value_is_100_times_as_fast_as_that_of_slowroll() -> None:
    ramp = {"stable": "1.0", "new": "1.1", "end_time": "2040-03-02 00:00Z", "duration": "30d", "early_adopters": ["ann"]}
    document = json.dumps({"flags": {f"flag-{number}": ramp for number in range(1_000)}})
    arguments: Dict[str, Any] = {"fetch_cb": lambda url, etag: (document, None)}  # it costs slowroll nothing to fetch
    original, ours = slowroll.SlowrollConfig("url", "name", **arguments), SlowrollConfig("url", "name", **arguments)
    assert ours.get_value("flags", "flag-500", "key") == original.get_value("flags", "flag-500", "key") == "1.0"

    def seconds(config: Any, reads: int) -> float:
        return min(timeit.repeat(lambda: config.get_value("flags", "flag-500", "key"), number=reads, repeat=7)) / reads

    ratio = seconds(original, 20) / seconds(ours, 2_000)
    ours.tidegate.close()
    assert ratio >= 100, f"only {ratio:.0f} times as fast"
    print(f"get_value: {ratio:.0f} times as fast as slowroll's")
