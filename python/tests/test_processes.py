"""What happens at a fork, and at the end of the interpreter."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, List, Optional

import pytest

import tidegate
from conftest import Node, Origin, Redis, until
from tidegate import Tidegate

DOCUMENT = json.dumps({"s": {"f": {"stable": 1}}}).encode()
LATER = json.dumps({"s": {"f": {"stable": 2}}}).encode()

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def in_child(work: Callable[[Callable[[], None]], None], when_ready: Callable[[], None] = lambda: None) -> None:
    """Runs that in the child of a fork; what it raises fails the test. The child says when it is ready."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work(lambda: os.close(writer))
            os._exit(0)
        except BaseException as error:
            sys.stderr.write(f"in the child: {error!r}\n")
            os._exit(1)
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    when_ready()
    deadline = time.monotonic() + 60
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid != 0:
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail("the child has not ended")
        time.sleep(0.01)
    assert status == 0


def test_a_child_answers_at_once_and_follows_its_source(origin: Origin) -> None:
    origin.document = DOCUMENT
    with Tidegate.http(origin.url, cache=False, poll_interval=0.1, locks=False) as tide:
        flag = tide.flag("s", "f")

        def work(ready: Callable[[], None]) -> None:
            assert tide.get("s", "f", "k") == flag.get("k") == 1, "before its own instance is there"
            ready()
            until(lambda: bool(tide.get("s", "f", "k") == 2))
            assert flag.get("k") == 2 and flag.variant_for("k") == "stable"
            tide.close()

        # The origin lives in the parent: its document changes while the child runs.
        in_child(work, lambda: setattr(origin, "document", LATER))
        until(lambda: tide.get("s", "f", "k") == 2)


def test_a_child_hears_of_changes(origin: Origin) -> None:
    origin.document = DOCUMENT
    with Tidegate.http(origin.url, cache=False, poll_interval=0.1, locks=False) as tide:
        changes = tide.subscribe()
        waiting = threading.Thread(target=changes.wait)  # it has the subscription locked while the process forks
        waiting.start()

        def work(ready: Callable[[], None]) -> None:
            until(lambda: not any(thread.name == "tidegate-fork" for thread in threading.enumerate()))
            assert changes.wait(0) is None
            ready()
            until(lambda: (told := changes.wait(0.2)) is not None and "s/f" in told)
            assert tide.get("s", "f", "k") == 2

        in_child(work, lambda: setattr(origin, "document", LATER))
        waiting.join()


def test_a_child_calls_its_own_callback() -> None:
    parent = os.getpid()

    def fetch(tag: Optional[str]) -> bytes:
        return DOCUMENT if os.getpid() == parent else LATER

    with Tidegate.callback(fetch, poll_interval=0.1, locks=False) as tide:

        def work(ready: Callable[[], None]) -> None:
            until(lambda: bool(tide.get("s", "f", "k") == 2))

            def grandchild(ready: Callable[[], None]) -> None:
                assert tide.get("s", "f", "k") == 2
                until(lambda: tide.status().polls > 2)

            in_child(grandchild)

        in_child(work)
        assert tide.get("s", "f", "k") == 1


def test_a_child_drops_what_its_parent_made_without_waiting() -> None:
    tides = [Tidegate.text(DOCUMENT, locks=False) for _ in range(3)]

    def work(ready: Callable[[], None]) -> None:
        began = time.monotonic()
        tides.clear()
        assert time.monotonic() - began < 1.5, "it waited for threads of its parent"

    in_child(work)
    for tide in tides:
        tide.close()


def test_a_child_answers_from_its_parent_until_it_has_as_much_itself(origin: Origin) -> None:
    origin.document = DOCUMENT
    with Tidegate.http(origin.url, cache=False, poll_interval=0.1, startup_wait=0.1, locks=False) as tide:
        until(tide.is_ready)
        origin.document = None

        def work(ready: Callable[[], None]) -> None:
            until(lambda: any(thread.name == "tidegate-fork" for thread in threading.enumerate()))
            ready()
            until(tide._is_own)
            assert tide.get("s", "f", "k") == 2, "it has never answered with less than its parent"
            tide.close()

        def bring_back() -> None:
            asked = len(origin.asked)
            until(lambda: len(origin.asked) > asked + 3)
            origin.document = LATER

        in_child(work, bring_back)


def test_a_child_shares_changes_through_redis_by_itself(tmp_path: Path) -> None:
    redis = Redis(tmp_path)
    with Tidegate.live(redis=redis.url, locks=False) as tide:
        tide.activate("before", timeout=20)
        id_of_parent = tide.cluster_status().node.id

        def work(ready: Callable[[], None]) -> None:
            assert tide.is_active_for("before", "k")
            receipt = tide.activate("child", timeout=20)  # it waits for the instance of this process
            assert receipt.reached and tide.cluster_status().node.id != id_of_parent
            ready()
            until(lambda: tide.is_active_for("parent", "k"))
            assert tide.is_active_for("before", "k")
            tide.close()

        in_child(work, lambda: print(tide.activate("parent", timeout=20)))
        until(lambda: tide.is_active_for("child", "k"))


def test_children_that_make_instances_are_different_nodes() -> None:
    ids = []
    with Tidegate.live(locks=False) as tide:
        ids.append(tide.cluster_status().node.id)
        for _ in range(2):
            reader, writer = os.pipe()

            def work(ready: Callable[[], None]) -> None:
                with Tidegate.live(locks=False) as own:
                    os.write(writer, own.cluster_status().node.id.encode())

            in_child(work)
            ids.append(os.read(reader, 100).decode())
            os.close(reader)
            os.close(writer)
    assert len(set(ids)) == 3 and all(ids)


def opened() -> List[str]:
    """The files and sockets that this process has open."""
    targets = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the list
            targets.append(os.readlink(f"/proc/self/fd/{name}"))
    return targets


def changed(tide: Tidegate, flag_key: str) -> bool:
    """A node with an address makes no change in the first two seconds of its life: others may know which stamps it has used."""
    try:
        return tide.activate(flag_key, ack="local").reached
    except tidegate.ChangeError:
        return False


def test_a_node_is_its_parents_alone_and_a_child_answers_what_was_active(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Tidegate.live(tmp_path / "data", listen="127.0.0.1:0", startup_wait=0, locks=False) as tide:
        until(lambda: changed(tide, "before"))
        assert [target for target in opened() if target.startswith(str(tmp_path))]
        changes = tide.subscribe()

        def work(ready: Callable[[], None]) -> None:
            assert tide.is_active_for("before", "k") and tide.flag("flags", "before").is_active_for("k")
            for ask in (lambda: tide.deactivate("before"), tide.cluster_status, tide.history):
                with pytest.raises(tidegate.NotLiveError, match="forked"):
                    ask()
            assert "belong to the parent" in caplog.text and changes.wait(0.01) is None
            assert not [target for target in opened() if target.startswith(str(tmp_path))]
            ready()
            tide.close()

        in_child(work, lambda: print(tide.activate("after", ack="local")))
        assert tide.is_active_for("after", "k") and tide.cluster_status().disk is None
        assert tide.activate("later", timeout=20).reached


def test_folder_and_address_of_a_node_that_was_killed_are_free_although_its_child_lives(tmp_path: Path) -> None:
    node = Node(tmp_path / "data", listen="127.0.0.1:0", startup_wait=0)
    address = node.ask("tide.cluster_status().node.address")
    until(lambda: "reached" in node.ask("tide.activate('x', ack='local')"))
    child = node.ask("(lambda child: child or __import__('time').sleep(60))(__import__('os').fork())")
    try:
        node.process.kill()
        node.process.wait()
        os.kill(child, 0)  # it lives
        again = Node(tmp_path / "data", listen=address, startup_wait=0)
        assert again.ask("tide.is_active_for('x', 'k')")
    finally:
        os.kill(child, signal.SIGKILL)


def read(tide: Tidegate) -> Any:
    return tide.get("s", "f", "k")


TIDE: Optional[Tidegate] = None


def read_global(_: int) -> Any:
    assert TIDE is not None
    return read(TIDE)


def test_workers_of_multiprocessing_read() -> None:
    global TIDE
    with Tidegate.text(DOCUMENT, locks=False) as TIDE:
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(read_global, range(20)) == [1] * 20


@pytest.mark.parametrize("closes", ["tide.close()", ""])
def test_the_interpreter_ends_at_once_and_logs_what_was_left(closes: str) -> None:
    program = f"""
import logging, time, threading
logging.basicConfig(level=logging.DEBUG, format="%(name)s %(message)s")
from tidegate import Tidegate
def fetch(tag):
    if tag is not None:
        time.sleep(3600)     # it hangs in a function of Python
    return __import__("tidegate").Fetched(b'{{"s": {{"f": {{"stable": 1}}}}}}', "one")
tide = Tidegate.callback(fetch, poll_interval=0.1, locks=False)
other = Tidegate.http("http://127.0.0.1:1/", startup_wait=10, locks=False)
waiting = threading.Thread(target=lambda: list(tide.subscribe()), daemon=True)
waiting.start()
print(tide.get("s", "f", "k"))
{closes}
"""
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "1\n"), ended.stderr
    assert "tidegate" in ended.stderr and "Traceback" not in ended.stderr and "panicked" not in ended.stderr, ended.stderr
    assert time.monotonic() - began < 30
