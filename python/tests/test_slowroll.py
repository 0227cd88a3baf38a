"""`tidegate.slowroll` in the place of slowroll, beside the real one from PyPI."""

from __future__ import annotations

import importlib.metadata
import json
import random
import re
import socket
import threading
import urllib.error
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest
import slowroll
from slowroll.api import _default_hasher
from slowroll.isoformat import datetime_fromisoformat
from slowroll.time_delta_str import delta_parser

import tidegate
from conftest import Origin, until
from tidegate.slowroll import SlowrollConfig

START = datetime(2040, 3, 1, tzinfo=timezone.utc)
RAMP = {"s": {"f": {"stable": "old", "new": "new", "end_time": "2040-03-02 00:00Z", "duration": "1d"}}}


def fetch(document: Any) -> Callable[[str, Optional[str]], Tuple[str, str]]:
    body = json.dumps(document)
    return lambda url, etag: (body, "tag")


def blocks(language: str) -> List[str]:
    """The blocks of slowroll's README, as the package from PyPI has it."""
    readme = importlib.metadata.metadata("slowroll")["Description"] or str(
        importlib.metadata.metadata("slowroll").get_payload()  # type: ignore[attr-defined]
    )
    return re.findall(rf"```{language}\n(.*?)```", readme, re.S)


def test_the_readme_of_slowroll_runs_with_one_changed_import(origin: Origin) -> None:
    (program,), (document,) = blocks("py"), blocks("json")
    assert program.splitlines()[0] == "from slowroll import SlowrollConfig"
    changed = program.replace("from slowroll import", "from tidegate.slowroll import")
    # The README's URL is a placeholder, and so is what stands in the `if`.
    changed = changed.replace("https://example.com/config.json", origin.url).replace("    ...", "    reached = True")
    origin.document = document.encode()
    names: Dict[str, Any] = {"socket": socket, "reached": False}
    exec(changed, names)
    assert names["reached"], "the window of the README is over"
    sc = names["sc"]
    assert type(sc) is SlowrollConfig
    assert sc.get_value("features", "install_to_opt_foo", "canary-host") is True
    assert sc.get_value("features", "unknown", "canary-host", "default") == "default"
    assert sc.get_value("unknown", "install_to_opt_foo", "canary-host") is None
    assert len(origin.asked) == 1, "a read fetches nothing"
    sc.tidegate.close()


# Side by side. Each kind of entry that slowroll decides differently is listed here with the reason; the guide has the same list.
WRONG_IN_SLOWROLL = {
    "percentages": "`start_pct` shifts the ramp to before its window, and `end_pct` does not limit it",
    "text of adopters": "`early_adopters` as a text holds each part of it",
    "negative duration": "the window ends before it begins",
    "no window": "an entry with `new` and without a window raises an exception",
    "two parts": "`1h30m` twice the same unit, or text between, raises an exception at the read",
}


def random_entry(draw: random.Random) -> Tuple[str, Dict[str, Any]]:
    """An entry, and why slowroll may be wrong about it."""
    values: List[Any] = [False, True, None, 1, -2.5, "1.0", "é", [1], {"a": [None]}]
    entry: Dict[str, Any] = {"stable": draw.choice(values)}
    if draw.random() < 0.1:
        return "right", entry
    entry["new"] = draw.choice(values)
    end = START + timedelta(microseconds=draw.randrange(10**12))
    form = draw.choice(["%Y-%m-%d %H:%MZ", "%Y-%m-%d %H:%M:%SZ", "%Y-%m-%d %H:%M:%S.%fZ"])
    entry["end_time"] = end.strftime(form)
    parts = [f"{draw.randrange(1, 30)}{unit}" for unit in ("d", "h", "m", "s", "ms") if draw.random() < 0.5]
    entry["duration"] = draw.choice(["", " "]).join(parts) or draw.choice(["14d", "1.5h", "1 ms", "90m"])
    if draw.random() < 0.3:
        entry["early_adopters"] = [f"key-{draw.randrange(40)}" for _ in range(draw.randrange(4))]
    chance = draw.random()
    if chance < 0.15:
        start = draw.choice([0, 1, 10, 33.3])
        entry.update({"start_pct": start, "end_pct": draw.choice([50, 99.5, 100])})
        return "percentages" if (start, entry["end_pct"]) != (0, 100) else "right", entry
    if chance < 0.2:
        entry["early_adopters"] = "key-1, key-22"
        return "text of adopters", entry
    if chance < 0.25:
        entry["duration"] = "-" + entry["duration"]
        return "negative duration", entry
    if chance < 0.3:
        del entry["end_time"]
        return "no window", entry
    if chance < 0.35:
        entry["duration"] = draw.choice(["1h 2h", "1h and 2m", "soon"])
        return "two parts", entry
    return "right", entry


def outcome(read: Callable[[], Any]) -> Any:
    try:
        return ("value", json.dumps(read()))
    except Exception as error:
        return ("exception", type(error), str(error))


def instants(draw: random.Random, entry: Dict[str, Any], key: str) -> List[datetime]:
    """Instants around the flip of a key, and one anywhere."""
    anywhere = START + timedelta(microseconds=draw.randrange(-(10**12), 2 * 10**12))
    try:
        duration = delta_parser(entry["duration"])
        start = entry.get("start_pct", 0) / 100
        flip = datetime_fromisoformat(entry["end_time"]) - duration + duration * (_default_hasher(key) / 2**32 - start)
    except Exception:
        return [anywhere] * 4
    return [flip - timedelta(microseconds=1), flip, flip + timedelta(microseconds=1), anywhere]


def test_20_000_decisions_beside_slowroll() -> None:
    draw = random.Random(15)
    now = START
    decisions: Counter[str] = Counter()
    differences: Counter[str] = Counter()
    configs: List[SlowrollConfig] = []
    for number in range(200):
        kind, entry = random_entry(draw)
        decorated = {"s": {"f": entry, "other": {"stable": 1}}, "empty": {}}
        arguments: Dict[str, Any] = {"fetch_cb": fetch(decorated), "now_cb": lambda: now}
        original = slowroll.SlowrollConfig("url", "name", **arguments)
        exact = SlowrollConfig("url", "name", **arguments, exactly_slowroll=True)
        ours = SlowrollConfig("url", f"name-{number}", **arguments)
        configs.append(ours)
        for _ in range(25):
            key = f"key-{draw.randrange(10_000)}" if draw.random() < 0.8 else f"key-{draw.randrange(40)}"
            for now in instants(draw, entry, key):
                expected = outcome(lambda: original.get_value("s", "f", key, "default"))
                assert outcome(lambda: exact.get_value("s", "f", key, "default")) == expected, (entry, key, now)
                decisions[kind] += 1
                answer = outcome(lambda: ours.get_value("s", "f", key, "default"))
                if answer != expected:
                    assert kind in WRONG_IN_SLOWROLL, (entry, key, now, answer, expected)
                    differences[kind] += 1
        if kind == "right":
            for now in instants(draw, entry, "key-7"):
                assert ours.decide("key-7", entry) == original.decide("key-7", entry), (entry, now)
    assert sum(decisions.values()) == 20_000
    assert decisions["right"] > 10_000 and set(differences) == set(WRONG_IN_SLOWROLL), (decisions, differences)
    for config in configs:
        config.tidegate.close()


def test_exactly_slowroll_raises_what_slowroll_raises(origin: Origin) -> None:
    """Also where the document itself is at fault, and over HTTP."""
    documents = [b"{", b"[]", b'{"s": []}', b'{"s": {"f": {"new": 1}}}', b'{"s": {"f": {"stable": 1, "new": 2, "end_time": 5}}}']
    flawed = {"stable": 1, "new": 2, "end_time": "2040-03-02 00:00Z", "duration": "1d"}
    for change in ({"start_pct": 100}, {"start_pct": "1"}, {"end_pct": None}, {"duration": 5}, {"early_adopters": 5}):
        documents.append(json.dumps({"s": {"f": {**flawed, **change}}}).encode())
    originals: List[Any] = []
    for document in [None, *documents, json.dumps(RAMP).encode()]:
        origin.document = document
        read = [
            outcome(lambda: config("s", "f", "key-1"))
            for config in (
                slowroll.SlowrollConfig(origin.url, "name").get_value,
                SlowrollConfig(origin.url, "name", exactly_slowroll=True).get_value,
            )
        ]
        assert read[0] == read[1]
        originals.append(read[0][0])
    assert originals == ["exception"] * (len(documents) + 1) + ["value"]
    assert origin.asked == [None] * 2 * len(originals), "it is fetched at every read, and without a tag"
    ours = SlowrollConfig(origin.url, "name", exactly_slowroll=True)
    assert ours.get_config() == slowroll.SlowrollConfig(origin.url, "name").get_config()
    local = slowroll.SlowrollConfig("u", "n", fetch_cb=lambda url, etag: (None, None))
    ours = SlowrollConfig("u", "n", fetch_cb=lambda url, etag: (None, None), exactly_slowroll=True)
    assert outcome(local.get_config)[:2] == outcome(ours.get_config)[:2] == ("exception", AssertionError)
    naive: Dict[str, Any] = {"fetch_cb": fetch(RAMP), "now_cb": lambda: datetime(2040, 3, 1)}
    for config in (slowroll.SlowrollConfig("u", "n", **naive), SlowrollConfig("u", "n", **naive, exactly_slowroll=True)):
        with pytest.raises(AssertionError):
            config.get_value("s", "f", "k")


def test_what_fetch_cb_raises_is_raised_until_there_is_a_document() -> None:
    error = RuntimeError("no network")
    answers: List[Any] = [error]

    def fetch_cb(url: str, etag: Optional[str]) -> Any:
        assert url == "url"
        if isinstance(answers[-1], Exception):
            raise answers[-1]
        return answers[-1]

    sc = SlowrollConfig("url", "name", fetch_cb, lambda: START)
    with pytest.raises(RuntimeError) as raised:
        sc.get_value("s", "f", "k")
    assert raised.value is error
    answers.append((json.dumps(RAMP), None))

    def answered() -> bool:
        try:
            return bool(sc.get_value("s", "f", "k") == "old")
        except RuntimeError:
            return False

    until(answered)
    answers.append(error)
    assert sc.get_value("s", "f", "k") == "old", "the last good document stays active"
    sc.tidegate.close()
    again = SlowrollConfig("url", "name", fetch_cb, lambda: START)
    assert again.get_value("s", "f", "k") == "old", "and it is in the cache for the next start"
    again.tidegate.close()


def test_a_refused_document_raises_with_its_diagnostics() -> None:
    sc = SlowrollConfig("url", "name", fetch({"s": {"f": {"new": 1}}}))
    reads: List[Callable[[], Any]] = [lambda: sc.get_value("s", "f", "k"), lambda: sc.decide("k", {"new": 1})]
    for read in reads:
        with pytest.raises(tidegate.DocumentError, match="stable") as raised:
            read()
        assert isinstance(raised.value, ValueError) and raised.value.diagnostics[0].severity == "error"
    sc.tidegate.close()


def test_a_server_that_is_unreachable_or_has_nothing_raises(origin: Origin) -> None:
    for url, said in ((origin.url, "503"), ("http://127.0.0.1:1/", "refused")):
        sc = SlowrollConfig(url, f"name-{said}")
        with pytest.raises(OSError, match=said):
            sc.get_value("s", "f", "k")
        with pytest.raises(urllib.error.URLError if said == "refused" else Exception):
            slowroll.SlowrollConfig(url, "name").get_value("s", "f", "k")
        sc.tidegate.close()


def test_fetch_cb_gets_the_tag_and_says_that_nothing_has_changed() -> None:
    asked: List[Optional[str]] = []

    def fetch_cb(url: str, etag: Optional[str]) -> Any:
        asked.append(etag)
        return (json.dumps(RAMP), "one") if etag is None else (None, None)

    sc = SlowrollConfig("url", "name", fetch_cb, lambda: START)
    assert sc.get_value("s", "f", "k") == "old"
    sc.tidegate.close()
    again = SlowrollConfig("url", "name", fetch_cb, lambda: START)
    until(lambda: again.get_value("s", "f", "k") == "old" and len(asked) > 1)
    assert asked == [None, "one"], "the tag is kept with the document"
    again.tidegate.close()


def test_a_hasher_and_a_clock_of_the_program() -> None:
    now = START + timedelta(hours=12)
    places = {"first": 0, "middle": 2**31, "after": 2**31 + 1, "last": 2**32 - 1}
    arguments: Dict[str, Any] = {"fetch_cb": fetch(RAMP), "now_cb": lambda: now, "hasher": places.__getitem__}
    original, sc = slowroll.SlowrollConfig("u", "n", **arguments), SlowrollConfig("u", "n", **arguments)
    for key, value in zip(places, ["new", "new", "old", "old"]):
        for config in (original, sc):
            assert config.get_value("s", "f", key) == config.decide(key, RAMP["s"]["f"]) == value
    for config in (original, sc):
        with pytest.raises(KeyError):
            config.get_value("s", "f", "unknown")
        with pytest.raises(KeyError):
            config.decide("unknown", RAMP["s"]["f"])
    assert sc.tidegate.status().health == "fresh"
    sc.tidegate.close()


def test_attributes_and_get_config_are_there() -> None:
    fetch_cb = fetch(RAMP)
    sc = SlowrollConfig("url", "name", fetch_cb)
    assert (sc.url, sc.local_cache_name, sc.fetch_cb, sc.get_config()) == ("url", "name", fetch_cb, RAMP)


def test_nothing_is_fetched_before_the_first_read_and_threads_share_one_instance(origin: Origin) -> None:
    origin.document = json.dumps(RAMP).encode()
    sc = SlowrollConfig(origin.url, "name", now_cb=lambda: START)
    assert origin.asked == []
    values: List[Any] = []
    threads = [threading.Thread(target=lambda: values.append(sc.get_value("s", "f", "k"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == ["old"] * 8 and len(origin.asked) == 1
    assert sc.get_config() == RAMP and len(origin.asked) == 2
    sc.tidegate.close()
