"""`Tidegate.live`: changes, in this process and between several."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, List, Set, cast

import pytest

import tidegate
from conftest import Node, Redis, program, until
from tidegate import Changes, ManualClock, Tidegate, _live_types, _types

START = datetime(2040, 3, 1, tzinfo=timezone.utc)
SOURCES = Path(__file__).parents[2] / "crates/tidegate/src"


def live(*arguments: Any, **options: Any) -> Tidegate:
    return Tidegate.live(*arguments, locks=False, **options)


def test_a_change_is_active_when_the_call_returns_and_its_receipt_says_what_it_did() -> None:
    with live(name="one") as tide:
        receipt = tide.activate_percentage("shop/banner", 12.5, actor="dana", reason="ready")
        assert (receipt.flag, receipt.ack, receipt.reached, receipt.created) == ("shop/banner", "majority", True, True)
        assert (receipt.effect.from_, receipt.effect.to) == (None, 12.5) and receipt.at.tzinfo == timezone.utc
        assert receipt.redis is None and not (receipt.pending or receipt.unreached or receipt.outranked)
        on = [key for key in map(str, range(1_000)) if tide.is_active_for("shop/banner", key)]
        assert 50 < len(on) < 200
        raised = tide.activate_percentage("shop/banner", Decimal("20.000001"))
        assert (raised.effect.from_, raised.effect.to, raised.created) == (12.5, 20.000001, False)
        assert all(tide.is_active_for("shop/banner", key) for key in on)
        assert tide.activate("shop/banner", ack="local").ack == "local" and tide.is_active_for("shop/banner", "k")
        assert tide.deactivate("shop/banner").effect.to == 0 and not tide.is_active_for("shop/banner", "k")
        assert tide.flag("shop", "banner").is_active_for("k") is False
        tide.clear("shop/banner")
        assert tide.get("shop", "banner", "k", "default") == "default"
        tide.define("shop/title", {"stable": {"text": "Shop"}, "new": None})
        assert tide.get("shop", "title", "k") == {"text": "Shop"}
        tide.define("shop/title", '{"stable": "as text"}')
        assert tide.get("shop", "title", "k") == "as text"
        tide.remove("shop/title")
        assert tide.get("shop", "title", "k") is None


def test_the_history_says_who_changed_what_and_why() -> None:
    with live(name="one") as tide:
        first = tide.activate_percentage("x", "20", actor="dana", reason="INC-1", until=datetime(2050, 1, 1, tzinfo=timezone.utc))
        second = tide.clear("x", actor="kim")
        tide.activate("y")
        page = tide.history("x")
        assert (page.node.name, page.next, page.missing) == ("one", None, ())
        cleared, activated = page.changes
        assert activated.value == {"percentage": 20, "until": "2050-01-01T00:00:00.000000Z", "defined": False}
        assert (activated.actor, activated.reason, activated.kind, activated.stamp) == ("dana", "INC-1", "activation", first.stamp)
        assert (cleared.value, cleared.actor, cleared.replaced) == (None, "kim", first.stamp)
        assert [change.flag for change in tide.history().changes] == ["flags/y", "flags/x", "flags/x"]
        newest = tide.history(limit=1)
        assert len(newest.changes) == 1 and newest.next is not None
        assert [change.flag for change in tide.history(before=newest.next).changes] == ["flags/x", "flags/x"]
        record = tide.record("x")
        assert record.activation is not None and record.definition is None and record.document is None
        assert (record.activation.stamp, record.activation.value) == (second.stamp, None)
        assert tide.wait_for("x", second.stamp, 0) and not tide.wait_for("z", second.stamp, timedelta(milliseconds=10))


def test_changes_override_the_document_beside_them() -> None:
    document = json.dumps({"shop": {"x": {"stable": 1, "new": 2}, "banner": {"stable": False}}})
    with live(text=document) as tide:
        assert tide.get("shop", "x", "k") == 1
        assert not tide.activate("shop/x", existing=True).created
        assert tide.get("shop", "x", "k") == 2
        with pytest.raises(tidegate.UnknownFlagError, match="did you mean `shop/banner`") as unknown:
            tide.activate("shop/baner", existing=True)
        assert isinstance(unknown.value, LookupError) and isinstance(unknown.value, tidegate.ChangeError)
        with pytest.raises(tidegate.ChangeError, match="defined by the document"):
            tide.define("shop/x", {"stable": 3})
        tide.activate("shop/elsewhere", elsewhere=True)
        assert tide.get("shop", "elsewhere", "k", "default") == "default"
    with Tidegate.live(callback=lambda tag: document, locks=False, default_percentages={"shop/y": 100}) as tide:
        assert tide.get("shop", "x", "k") == 1 and tide.is_active_for("shop/y", "k")
    with pytest.raises(TypeError, match="one document"):
        live(text=document, file="flags.json")


def test_what_is_not_made_raises_and_changes_nothing() -> None:
    with live() as tide:
        with pytest.raises(tidegate.InvalidChangeError) as refused:
            tide.define("x", {"stable": 1, "duration": "soon"})
        assert {found.severity for found in refused.value.diagnostics} >= {"error"} and isinstance(refused.value, ValueError)
        for percentage in (101, -1, "some", float("nan"), True):
            with pytest.raises(tidegate.InvalidChangeError, match="percentage"):
                tide.activate_percentage("x", percentage)
        with pytest.raises(tidegate.InvalidChangeError, match="past"):
            tide.activate("x", until=datetime(2020, 1, 1, tzinfo=timezone.utc))
        with pytest.raises(ValueError, match="time zone"):
            tide.activate("x", until=datetime(2050, 1, 1))
        with pytest.raises(ValueError, match="ack"):
            tide.activate("x", ack="most")
        with pytest.raises(TypeError, match="unexpected keyword argument 'actr'"):
            tide.activate("x", actr="dana")  # type: ignore[call-arg]
        assert tide.history("x").changes == ()
        stamp = tide.activate("x", if_stamp=None).stamp
        tide.deactivate("x", if_stamp=stamp)
        with pytest.raises(tidegate.ConflictError):
            tide.activate("x", if_stamp=stamp)
        with pytest.raises(tidegate.UnknownFlagError):
            tide.clear("y")
    with pytest.raises(tidegate.ChangeError, match="ended"):
        tide.activate("x")
    with pytest.raises(tidegate.ClusterError, match="ended"):
        tide.cluster_status()
    with Tidegate.text("{}", locks=False) as tide:
        for ask in (lambda: tide.activate("x"), lambda: tide.history("x"), tide.cluster_status):
            with pytest.raises(tidegate.NotLiveError, match="takes no live changes"):
                ask()
        assert tide.follow_status() is None and tide.is_synced()


def test_what_cannot_be_configured_raises() -> None:
    with pytest.raises(tidegate.ConnectError, match="no name for a node"):
        live(name="")
    with pytest.raises(tidegate.ConnectError, match="redis://") as raised:
        live(redis="http://user:s3cret@127.0.0.1/")
    assert "s3cret" not in str(raised.value)
    no_certificate = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    for certificates in ({"redis_root_certificates": no_certificate}, {"redis_client_certificate": (b"?", b"?")}):
        with pytest.raises(tidegate.ConnectError, match="certificates for Redis"):
            live(redis="rediss://127.0.0.1:1", startup_wait=0, **certificates)
    with pytest.raises(ValueError, match="listen"):
        live(listen="somewhere")
    with pytest.raises(tidegate.ConnectError, match="certificates"):
        live(listen="0.0.0.0:0")
    with pytest.raises(TypeError, match="unexpected keyword argument 'peer'"):
        live(peer="127.0.0.1:1")


def test_an_activation_ends_when_it_was_to() -> None:
    clock = ManualClock(START)
    with live(clock=clock) as tide:
        tide.activate("x", until=START + timedelta(hours=1))
        assert tide.is_active_for("x", "k")
        clock.advance(timedelta(hours=1))
        assert not tide.is_active_for("x", "k")


def test_subscribers_are_told_of_activations_and_definitions() -> None:
    with live() as tide:
        changes = tide.subscribe()
        tide.activate("shop/x")
        told = changes.wait(20)
        assert told == Changes(False, False, False, True, False, frozenset({"shop/x"}))
        tide.define("shop/y", {"stable": 1})
        told = changes.wait(20)
        assert told is not None and told.definitions and "shop/y" in told and "shop/x" not in told

        async def listen() -> Changes:
            changes = tide.subscribe()
            waiting = asyncio.ensure_future(changes.__anext__())
            await asyncio.to_thread(tide.deactivate, "shop/x")
            return await asyncio.wait_for(waiting, 20)

        news = asyncio.run(listen())
        assert news.activations and "shop/x" in news


def test_what_was_changed_is_in_the_folder_at_the_next_start(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with live(folder, name="one") as tide:
        tide.activate_percentage("shop/x", 20)
        status = tide.cluster_status()
        assert (status.node.folder, status.node.durable, status.problems, status.redis) == (str(folder), True, (), None)
        with pytest.raises(tidegate.ConnectError, match=str(os.getpid())):
            live(folder)
        before = [tide.is_active_for("shop/x", str(key)) for key in range(100)]
    del tide
    with live(folder) as tide:
        assert [tide.is_active_for("shop/x", str(key)) for key in range(100)] == before and any(before)


def test_the_gil_is_released_while_a_change_waits() -> None:
    with live(redis="redis://127.0.0.1:1", startup_wait=0) as tide:
        receipts: List[tidegate.Receipt] = []
        changing = threading.Thread(target=lambda: receipts.append(tide.activate("x", timeout=1)))
        changing.start()
        counted = 0
        while changing.is_alive():
            counted += 1
        assert counted > 1_000 and not receipts[0].reached
        assert receipts[0].redis is not None and receipts[0].redis.problem is not None


def test_two_processes_are_a_cluster_and_a_change_survives_that_both_are_killed(tmp_path: Path) -> None:
    command = [program(), "cluster", "init", str(tmp_path / "certificates"), "a=127.0.0.1", "b=127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)

    def start() -> List[Node]:
        def node(name: str, **options: Any) -> Node:
            certificates = str(tmp_path / "certificates" / name)
            return Node(tmp_path / name, name=name, listen="127.0.0.1:0", certificates=certificates, **options)

        first = node("a", startup_wait=0)
        return [first, node("b", peers=[first.ask("tide.cluster_status().node.address")])]

    answers = "[tide.is_active_for('shop/x', str(key)) for key in range(200)]"
    nodes = start()
    until(lambda: nodes[0].ask("len(tide.cluster_status().members)") == 2)
    receipt = nodes[1].ask("tide.activate_percentage('shop/x', 40, ack='majority', timeout=20, actor='dana')")
    assert receipt["reached"] and sorted(node["name"] for node in receipt["durable_on"]) == ["a", "b"]
    assert nodes[0].ask(f"tide.wait_for('shop/x', {receipt['stamp']!r}, 20)")
    before = nodes[0].ask(answers)
    assert nodes[1].ask(answers) == before and {True, False} == set(before)
    assert nodes[0].ask("tide.history('shop/x').changes[0].actor") == "dana"
    for node in nodes:
        node.kill()
    nodes = start()
    assert [node.ask(answers) for node in nodes] == [before, before]
    until(lambda: nodes[1].ask("tide.is_synced()"))
    assert nodes[0].ask("tide.deactivate('shop/x', ack='all', timeout=20).reached")
    assert not any(nodes[1].ask(answers))


def test_processes_agree_through_redis(tmp_path: Path) -> None:
    redis = Redis(tmp_path)
    nodes = [Node(redis=redis.url, cluster="checkout", name=name) for name in ("a", "b")]
    receipt = nodes[0].ask("tide.activate_percentage('shop/x', 40, timeout=20)")
    assert receipt["reached"] and receipt["redis"]["acknowledged"] and receipt["redis"]["appendfsync"] == "everysec"
    assert nodes[1].ask(f"tide.wait_for('shop/x', {receipt['stamp']!r}, 20)")
    answers = "[tide.is_active_for('shop/x', str(key)) for key in range(200)]"
    before = nodes[0].ask(answers)
    assert nodes[1].ask(answers) == before and {True, False} == set(before)
    late = Node(redis=redis.url, cluster="checkout")
    assert late.ask(answers) == before, "it has read Redis when it has started"
    status = nodes[1].ask("tide.cluster_status().redis.url + str(tide.cluster_status().redis.connected)")
    assert status == f"redis://127.0.0.1:{redis.port}/0True"
    redis.kill()
    assert nodes[1].ask(answers) == before
    receipt = nodes[1].ask("tide.deactivate('shop/x', timeout=0.3)")
    assert not receipt["reached"] and receipt["redis"]["problem"] and Redis.password not in str(receipt)
    assert not any(nodes[1].ask(answers))


def test_the_interpreter_ends_at_once_and_what_was_accepted_is_on_the_disk(tmp_path: Path) -> None:
    text = f"""
import atexit, glob, logging, threading, time
def last():     # after the package's own
    names = [open(name).read().strip() for name in glob.glob("/proc/self/task/*/comm")]
    print([name for name in names if name in ("tidegate-live", "tidegate-store", "tidegate-redis")])
atexit.register(last)
from tidegate import Tidegate, TidegateError
logging.disable()
def later(change):
    try:
        change()
    except TidegateError:
        pass     # it has ended
tide = Tidegate.live({str(tmp_path / "data")!r}, redis="redis://127.0.0.1:1", startup_wait=0, locks=False)
for change in (lambda: tide.activate("y", timeout=60), lambda: tide.wait_for("z", "0" * 36, 60)):
    threading.Thread(target=later, args=(change,), daemon=True).start()
while not tide.is_active_for("y", "k"):
    time.sleep(0.01)
for number in range(200):
    tide.activate(f"x{{number}}", ack="local", timeout=0)
"""
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "[]\n", ""), "what writes has ended"
    assert time.monotonic() - began < 30
    with live(tmp_path / "data") as tide:
        assert all(tide.is_active_for(f"x{number}", "k") for number in range(200)) and tide.is_active_for("y", "k")


def test_log_records_of_live_changes_reach_logging(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "tidegate"):
        with live(peers=["127.0.0.1:1"], startup_wait=0.01):
            until(lambda: any("no member of the cluster" in record.getMessage() for record in caplog.records))


def options_of(file: str) -> Set[str]:
    return set(re.findall(r"^    pub fn (\w+)(?:<[^>]*>)?\(mut self", (SOURCES / file).read_text(), re.M))


def test_every_setting_of_the_library_is_an_option_here() -> None:
    """A setting that the library gets has to be decided on here, too."""
    from tidegate._instance import ChangeOptions, LiveOptions

    elsewhere = {"peer": "peers", "with_redis": "redis"}
    settings = {elsewhere.get(name, name) for name in options_of("live.rs")}
    assert len(settings) > 5 and not settings - set(LiveOptions.__annotations__)
    # Tags are what HTTP has for preconditions; here a stamp is.
    settings = options_of("live/change.rs") - {"if_match", "if_none_match"}
    assert len(settings) > 5 and settings == set(ChangeOptions.__annotations__)


def members_of(source: str, name: str) -> Set[str]:
    """The members of the JSON of a struct of the library."""
    struct = re.search(rf"^pub struct {name} \{{\n(.*?)^\}}", source, re.M | re.S)
    assert struct is not None, name
    members: Set[str] = set()
    for attributes, member, kind in re.findall(r"((?:    #\[.*\]\n)*)    pub (\w+): (.*),\n", struct[1]):
        renamed = re.search(r'rename = "(\w+)"', attributes)
        flattened = "flatten" in attributes
        members |= members_of(source, kind) if flattened else {renamed[1] if renamed else member}
    return members


def test_dataclasses_have_the_members_that_the_library_writes() -> None:
    """What the library reports in a later version has to be here, too."""
    source = "\n".join(path.read_text() for path in sorted(SOURCES.rglob("*.rs")))
    written_by_hand = {"Diagnostic", "Explanation", "Flips", "Lock", "Passed"}  # their JSON is: no list of members to read
    checked = 0
    for kind in [*vars(_live_types).values(), *vars(_types).values()]:
        if getattr(kind, "__module__", "") in (_live_types.__name__, _types.__name__) and isinstance(kind, type):
            if kind.__name__ not in written_by_hand:
                here = {field.name.rstrip("_") for field in fields(cast(Any, kind))}
                assert here == members_of(source, kind.__name__), kind.__name__
                checked += 1
    assert checked > 25
