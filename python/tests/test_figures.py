"""What a read costs: beside slowroll's in one run, and in instructions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import timeit
from pathlib import Path
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


def test_a_value_by_handle_takes_no_more_instructions_than_it_did(tmp_path: Path) -> None:
    """Counted by callgrind within the method, so that neither the machine nor other threads matter: `get` of a settled flag, of a ramp
    by xxh3, and of one by SHA-1. In a build without optimisation; what it says about a release build is that nothing was added."""
    program = tmp_path / "reads.py"
    program.write_text(
        f"""
import json
from tidegate import Tidegate
document = {{"settled": {{"stable": True}}, "xxh3": {{**{MOVING}, "salt": "s"}}, "sha1": {MOVING}}}
with Tidegate.text(json.dumps({{"s": document}}), locks=False) as tide:
    for name in document:
        get = tide.flag("s", name).get
        for _ in range({READS}):
            get("user-17")
"""
    )
    options = ["--tool=callgrind", f"--callgrind-out-file={os.devnull}", "--toggle-collect=*Flag*__pymethod_get__*"]
    counted = subprocess.run(["valgrind", *options, sys.executable, str(program)], capture_output=True, text=True, timeout=300)
    collected = re.search(r"Collected : (\d+)", counted.stderr)
    assert collected is not None, counted.stderr
    instructions = int(collected[1]) / (3 * READS)
    print(f"a value by handle: {instructions:.0f} instructions without optimisation")
    assert INSTRUCTIONS / 2 < instructions < INSTRUCTIONS * 1.05, f"{instructions:.0f}, and it was {INSTRUCTIONS}"


MOVING = {"stable": 20, "new": 40, "start_time": "2020-01-01 00:00Z", "duration": "36500d"}
READS = 500
INSTRUCTIONS = 9_240
"""What a `get` took when it was last measured. Where one takes more for a reason, this is the place to say so."""
