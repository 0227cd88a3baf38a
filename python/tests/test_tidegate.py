"""`tidegate.Tidegate`, against a real HTTP server, files and functions."""

from __future__ import annotations

import gc
import json
import logging
import pickle
import re
import threading
import time
import weakref
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, List, Optional

import pytest

import tidegate
from conftest import Origin, until
from tidegate import Fetched, ManualClock, Tidegate, locks

START = datetime(2040, 3, 1, tzinfo=timezone.utc)
RAMP = {"shop": {"x": {"stable": 1, "new": 2, "start_time": "2040-03-01 00:00Z", "duration": "1d"}}}


def text(document: Any, **options: Any) -> Tidegate:
    return Tidegate.text(json.dumps(document), locks=False, **options)


@pytest.mark.parametrize(
    "value",
    [True, False, None, 0, -7, 2**63, -(2**63), 2**64 - 1, 0.1, 1e-7, 1e22, "", "é\n\"\\", "\U0001f600", [1, [2.5, None]], {"a": {"b": []}}],
)
def test_a_value_is_the_python_object_that_json_loads_gives(value: Any) -> None:
    with text({"s": {"f": {"stable": value}}}) as tide:
        answers = [tide.get("s", "f", "k", "default"), tide.view().get("s", "f", "k"), tide.flag("s", "f").get("k", "default")]
        assert answers == [value] * 3 and {type(answer) for answer in answers} == {type(value)}
        assert tide.explain("s", "f", "k").value == value


def test_named_variants_answer_with_their_names_and_values() -> None:
    button = {"variants": {"red": "#f00", "round": {"corner": 4}}, "stable": "red", "new": "round"}
    document = {"s": {"f": {**button, "start_time": "2020-01-01 00:00Z", "duration": "1d"}, "g": {**button}}}
    with text(document) as tide:
        f, g = tide.flag("s", "f"), tide.flag("s", "g")
        assert tide.get("s", "f", "k") == f.get("k") == {"corner": 4} and tide.get("s", "g", "k") == g.get("k") == "#f00"
        assert (f.variant_for("k"), g.variant_for("k")) == ("round", "red")
        explanation = f.explain("k")
        assert (explanation.variant, explanation.side, explanation.value) == ("round", "new", {"corner": 4})


def test_a_mutable_value_belongs_to_the_caller() -> None:
    with text({"s": {"f": {"stable": [1]}}}) as tide:
        tide.get("s", "f", "k").append(2)
        assert tide.get("s", "f", "k") == [1]


def test_the_default_answers_for_an_unknown_flag_and_the_status_names_it() -> None:
    with text(RAMP) as tide:
        assert tide.get("shop", "y", "k", default="d") == "d" and tide.get("shop", "y", key="k") is None
        assert tide.flag("shop", "y").get("k", 5) == 5
        assert tide.status().unknown_flags == tidegate.Misreads(count=2, flags=("shop/y",))


def test_a_manual_clock_moves_a_key_through_its_ramp() -> None:
    clock = ManualClock(START - timedelta(hours=1))
    with text(RAMP, clock=clock) as tide:
        flips = tide.when("shop", "x", "user-17")
        assert flips.on is not None and START < flips.on < START + timedelta(days=1) and flips.off is None
        flag = tide.flag("shop", "x")
        clock.set(flips.on - timedelta(microseconds=1))
        assert tide.get("shop", "x", "user-17") == flag.get("user-17") == 1 and tide.flag("shop", "x").variant_for("user-17") == "stable"
        clock.advance(timedelta(microseconds=1))
        assert clock.now() == flips.on
        assert tide.get("shop", "x", "user-17") == flag.get("user-17") == 2 and tide.flag("shop", "x").variant_for("user-17") == "new"
        earlier = tide.view().at(START)
        assert earlier.now() == START and earlier.get("shop", "x", "user-17") == 1
        explanation = tide.explain("shop", "x", "user-17")
        assert explanation == tide.flag("shop", "x").explain("user-17") == tide.view().explain("shop", "x", "user-17")
        assert (explanation.value, explanation.rule, explanation.reason) == (2, "ramp", "SPLIT")
        assert explanation.flips == flips and explanation.flip == flips.on and explanation.position is not None
        assert {step.step for step in explanation.passed} >= {"host_lock", "activation"}


def test_a_datetime_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        ManualClock(datetime(2040, 3, 1))


def test_rules_read_attributes() -> None:
    flag = {"stable": False, "new": True, "rules": [{"name": "premium", "when": {"attribute": "plan", "is": "premium"}, "serve": "new"}]}
    document = {"s": {"f": flag}}
    assert not [found for found in tidegate.check(json.dumps(document)) if found.severity == "error"]
    with text(document) as tide:
        for read in (tide.is_active_for, tide.view().is_active_for):
            assert read("s/f", "ann", attributes={"plan": "premium"}) and not read("s/f", "ann")
        assert tide.flag("s", "f").is_active_for("ann", attributes={"plan": "premium"})
        assert tide.get("s", "f", "ann", attributes={"plan": "premium"}) is True
        with pytest.raises(TypeError, match="object"):
            tide.get("s", "f", "ann", attributes=["plan"])  # type: ignore[arg-type]


def test_draws_follow_their_seed() -> None:
    document = {"s": {"f": {"stable": False, "new": True, "start_time": "2020-01-01 00:00Z", "duration": "1d", "end_pct": 50}}}

    def draws(seed: int) -> List[bool]:
        with text(document, random_seed=seed) as tide:
            return [tide.is_active("s/f") for _ in range(64)]

    assert draws(7) == draws(7) != draws(8)
    assert {True, False} == set(draws(7))


def test_pins_are_for_tests() -> None:
    with text(RAMP, pins={"shop/x": [1]}, pin_variants={"shop/y": "new"}) as tide:
        assert tide.get("shop", "x", "k") == [1]
        assert [lock.flag for lock in tide.status().locks.locks] == ["shop/x", "shop/y"]
    with pytest.raises(ValueError, match="'stable' or 'new'"):
        text(RAMP, pin_variants={"shop/x": "old"})


def test_locks_of_this_host_are_seen_by_a_running_instance(tmp_path: Path) -> None:
    file = tmp_path / "locks.json"
    with Tidegate.text(json.dumps(RAMP), locks_file=file) as tide:
        assert locks.list(file=file) == () and locks.remove("shop/x", file=file) is None
        until_ = datetime(2050, 1, 1, tzinfo=timezone.utc)
        assert locks.add("shop/x", value={"a": 1}, actor="dana", reason="INC-1", until=until_, file=file) is None
        until(lambda: tide.get("shop", "x", "k") == {"a": 1})
        (lock,) = locks.list(file=file)
        assert (lock.flag, lock.value, lock.actor, lock.reason, lock.until) == ("shop/x", {"a": 1}, "dana", "INC-1", until_)
        assert locks.add("shop/x", variant="new", file=file) == lock
        until(lambda: tide.get("shop", "x", "k") == 2)
        removed = locks.remove("shop/x", file=file)
        assert removed is not None and removed.variant == "new"
        until(lambda: tide.get("shop", "x", "k") == 1)
    with pytest.raises(TypeError):
        locks.add("shop/x", file=file)
    file.write_text("{")
    with pytest.raises(tidegate.LockError, match="list of locks"):
        locks.list(file=file)


def test_a_refused_text_raises_with_all_diagnostics() -> None:
    with pytest.raises(tidegate.DocumentError, match="refused") as raised:
        text({"s": {"f": {"new": 1}, "g": {"stable": 1, "duration": "x"}}})
    errors = [found for found in raised.value.diagnostics if found.severity == "error"]
    assert {found.path for found in errors} >= {"s.f", "s.g.duration"} and all(found.code and found.line for found in errors)
    again = pickle.loads(pickle.dumps(raised.value))
    assert (str(again), again.diagnostics) == (str(raised.value), raised.value.diagnostics)
    assert isinstance(raised.value, ValueError) and isinstance(raised.value, tidegate.TidegateError)


def test_what_cannot_be_configured_raises() -> None:
    with pytest.raises(tidegate.ConnectError, match="ftp"):
        Tidegate.http("ftp://example.com/")
    with pytest.raises(TypeError, match="unexpected keyword argument 'cachename'"):
        Tidegate.http("http://127.0.0.1:1/", cachename="x")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="poll_interval"):
        Tidegate.text("{}", poll_interval=-1)
    with pytest.raises(TypeError):
        Tidegate.text("{}", poll_interval="1")  # type: ignore[arg-type]


def test_a_document_over_http_is_polled_with_its_tag_and_cached(origin: Origin) -> None:
    origin.document = json.dumps({"s": {"f": {"stable": 1}}}).encode()
    with Tidegate.http(origin.url, cache_name="c", poll_interval=timedelta(milliseconds=100), locks=False) as tide:
        assert tide.is_ready() and tide.get("s", "f", "k") == 1
        until(lambda: len(origin.asked) > 2)
        assert origin.asked[0] is None and origin.asked[1] == tide.status().tag is not None
        origin.document = json.dumps({"s": {"f": {"stable": 2}}}).encode()
        until(lambda: tide.get("s", "f", "k") == 2)
        origin.document = b"{"
        until(lambda: tide.status().health == "refused")
        status = tide.status()
        assert status.refused is not None and status.refused.diagnostics[0].severity == "error"
        assert status.refused.since.tzinfo == timezone.utc and tide.get("s", "f", "k") == 2
        origin.document = None
        until(lambda: tide.status().last_error is not None)
    with Tidegate.http(origin.url, cache_name="c", locks=False) as tide:
        assert tide.get("s", "f", "k") == 2 and tide.status().served_from == "cache"


def test_a_source_that_is_unreachable_raises_nothing() -> None:
    with Tidegate.http("http://127.0.0.1:1/", startup_wait=10, locks=False) as tide:
        assert not tide.is_ready() and tide.get("s", "f", "k", "default") == "default"
        trouble = tide.status().last_error
        assert trouble is not None and "refused" in trouble.message


def test_a_file_is_watched(tmp_path: Path) -> None:
    file = tmp_path / "flags.json"
    file.write_text(json.dumps(RAMP))
    with Tidegate.file(file, poll_interval=0.1, locks=False) as tide:
        assert tide.get("shop", "x", "k") == 1
        file.write_text(json.dumps({"shop": {"x": {"stable": "longer"}}}))
        until(lambda: tide.get("shop", "x", "k") == "longer")


def test_a_callback_gets_the_tag_and_its_exceptions_are_in_the_status() -> None:
    asked: List[Optional[str]] = []
    given: List[Any] = [Fetched(json.dumps({"s": {"f": {"stable": 1}}}), "one"), None, KeyError("gone"), b'{"s": {"f": {"stable": 2}}}']

    def fetch(tag: Optional[str]) -> Any:
        asked.append(tag)
        answer = given[min(len(asked), len(given)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    with Tidegate.callback(fetch, poll_interval=0.1, locks=False) as tide:
        assert tide.get("s", "f", "k") == 1
        until(lambda: len(asked) > 2 and tide.status().last_error is not None)
        trouble = tide.status().last_error
        assert trouble is not None and "KeyError: 'gone'" in trouble.message
        until(lambda: tide.get("s", "f", "k") == 2)
    assert asked[:4] == [None, "one", "one", "one"]


def test_an_instance_that_is_dropped_ends_its_threads() -> None:
    tide = Tidegate.callback(lambda tag: b"{}", locks=False)
    gone = weakref.ref(tide)
    del tide
    gc.collect()
    assert gone() is None
    until(lambda: not any(thread.name == "tidegate-callback" for thread in threading.enumerate()))


def test_a_closed_instance_still_answers() -> None:
    tide = text(RAMP)
    with tide as entered:
        assert entered is tide
    assert tide.get("shop", "x", "k") == 1
    tide.close()


def test_a_hasher_of_the_program_places_keys_and_its_exceptions_reach_the_reader() -> None:
    def hasher(key: str) -> int:
        return {"first": 0, "last": 2**32 - 1, "outside": 2**32}[key]

    with text(RAMP, hasher=hasher, clock=ManualClock(START + timedelta(hours=1))) as tide:
        for read in (tide.get, tide.view().get):
            assert read("shop", "x", "first") == 2 and read("shop", "x", "last") == 1
        assert tide.flag("shop", "x").get("first") == 2
        assert tide.explain("shop", "x", "first").hash == "hasher"
        for flawed in (
            lambda: tide.get("shop", "x", "k"),
            lambda: tide.view().get("shop", "x", "k"),
            lambda: tide.flag("shop", "x").get("k"),
            lambda: tide.flag("shop", "x").variant_for("k"),
            lambda: tide.explain("shop", "x", "k"),
            lambda: tide.when("shop", "x", "k"),
            lambda: tide.is_active_for("shop/x", "k"),
        ):
            with pytest.raises(KeyError):
                flawed()
        with pytest.raises(OverflowError):
            tide.get("shop", "x", "outside")
        assert tide.get("shop", "x", "first") == 2, "an exception is raised once"


def test_log_records_reach_logging(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tidegate"):
        with Tidegate.callback(lambda tag: b'{"s": 100%}', locks=False, poll_interval=0.1) as tide:
            until(lambda: tide.status().refused is not None)
            until(lambda: any(record.levelno == logging.WARNING for record in caplog.records))
    record = next(record for record in caplog.records if record.levelno == logging.WARNING)
    assert record.name == "tidegate" and "refused" in record.getMessage() and not record.args == ()


def test_the_gil_is_released_while_an_instance_waits() -> None:
    """The callback needs the GIL while `connect` waits for it: otherwise this would wait until `startup_wait` is over."""
    counted = 0
    done = threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1

    def fetch(tag: Optional[str]) -> bytes:
        before = counted
        until(lambda: counted > before)
        return b'{"s": {"f": {"stable": 1}}}'

    counter = threading.Thread(target=count)
    counter.start()
    began = time.monotonic()
    try:
        with Tidegate.callback(fetch, startup_wait=60, locks=False) as tide:
            assert tide.get("s", "f", "k") == 1 and time.monotonic() - began < 30
    finally:
        done.set()
        counter.join()


def test_check_reports_what_the_command_line_reports() -> None:
    assert tidegate.check(json.dumps(RAMP)) == ()
    (found,) = tidegate.check(b'{"s": {"f": {"stable": 1, "stabel": 2}}}')
    assert (found.severity, found.path, found.line) == ("warning", "s.f.stabel", 1) and "stable" in found.help


def test_the_version_is_that_of_the_workspace() -> None:
    manifest = (Path(__file__).parents[2] / "Cargo.toml").read_text()
    version = re.search(r'^\[workspace.package\]\nversion = "(.*)"$', manifest, re.M)
    assert version is not None and tidegate.__version__ == version[1]


def test_every_option_of_the_builder_is_an_option_here() -> None:
    """A setting that the library gets has to be decided on here, too."""
    root = Path(__file__).parents[2] / "crates/tidegate/src"
    methods = set(re.findall(r"^    pub fn (\w+)(?:<[^>]*>)?\(mut self", (root / "builder.rs").read_text(), re.M))
    methods |= set(re.findall(r"^    pub fn (\w+)(?:<[^>]*>)?\(self", (root / "builder.rs").read_text(), re.M))
    elsewhere = {
        "without_cache": "cache",
        "without_locks": "locks",
        "pin": "pins",
        "trusted_key": "trusted_keys",
        "header": "headers",
        "default_percentage": "default_percentages",
    }
    left_out = {"one_shot", "live"}  # for commands; `Tidegate.live`
    from tidegate._instance import Options

    known = set(Options.__annotations__)
    missing = {elsewhere.get(method, method) for method in methods - left_out} - known
    assert methods and not missing, missing
