"""`Tidegate.follow`, against the real `tidegate serve`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable

import pytest

import tidegate
from conftest import Server, until
from tidegate import Tidegate
from test_processes import in_child

DOCUMENT = json.dumps({"shop": {"rows": {"stable": 20}}})

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def server(folder: Path, listen: str = "127.0.0.1:0") -> Server:
    (folder / "flags.json").write_text(DOCUMENT)
    return Server("--data-dir", str(folder / "data"), "--document", str(folder / "flags.json"), listen=listen)


def follow(url: str, folder: Path, **options: Any) -> Tidegate:
    return Tidegate.follow(url, cache_dir=folder / "cache", cache_name="shop", locks=False, **options)


def test_a_follower_has_what_its_server_has_and_is_told_of_each_change(tmp_path: Path) -> None:
    served = server(tmp_path)
    with follow(served.url, tmp_path) as tide:
        assert tide.is_ready() and tide.get("shop", "rows", "k") == 20
        changes = tide.subscribe()
        served.run("percentage", "shop/banner", "40", "--create")
        told = changes.wait(20)
        assert told is not None and told.activations and "shop/banner" in told
        on = {key: tide.is_active_for("shop/banner", key) for key in map(str, range(50))}
        assert set(on.values()) == {True, False}
        status = tide.follow_status()
        assert status is not None and status.is_connected and status.server == served.url and status.servers == (served.url,)
        assert status.is_equal and status.registers == 1 and status.last_error is None and tide.is_synced()
        with pytest.raises(tidegate.NotLiveError, match=f"follows {served.url}"):
            tide.activate("shop/banner")
        assert tide.explain("shop", "banner", "1").rule == "activation"


def test_a_follower_answers_while_its_server_is_unreachable_and_has_its_changes_afterwards(tmp_path: Path) -> None:
    served = server(tmp_path)
    served.run("activate", "shop/banner", "--create")
    with follow(served.url, tmp_path) as tide:
        assert tide.is_active_for("shop/banner", "k")
        served.kill()
        until(lambda: not tide.is_synced())
        assert tide.is_active_for("shop/banner", "k") and tide.get("shop", "rows", "k") == 20
        status = tide.follow_status()
        assert status is not None and not status.is_connected and status.age_seconds is not None
        served = server(tmp_path, served.url.removeprefix("http://"))
        served.run("deactivate", "shop/banner")
        until(lambda: not tide.is_active_for("shop/banner", "k"))
        until(tide.is_synced)


def test_a_follower_starts_from_its_disk_while_no_server_is_reachable(tmp_path: Path) -> None:
    served = server(tmp_path)
    served.run("percentage", "shop/banner", "40", "--create")
    answers = ""
    for reachable in (True, False):
        with follow(served.url, tmp_path) as tide:
            here = "".join(str(int(tide.is_active_for("shop/banner", str(key)))) for key in range(200))
            assert answers in ("", here) and "1" in here and tide.get("shop", "rows", "k") == 20
            answers = here
            assert tide.is_ready() and tide.is_synced() == reachable
        served.kill()
    with Tidegate.follow(served.url, cache_dir=tmp_path / "other", locks=False) as tide:
        assert not tide.is_ready() and tide.get("shop", "rows", "k", "default") == "default"
        assert tide.status().health == "starting"


def test_of_several_servers_one_that_is_reachable_is_followed(tmp_path: Path) -> None:
    served = server(tmp_path)
    with Tidegate.follow("http://127.0.0.1:1", served.url, cache=False, locks=False) as tide:
        until(lambda: bool(tide.get("shop", "rows", "k") == 20))
        status = tide.follow_status()
        assert status is not None and status.server == served.url
    with pytest.raises(tidegate.ConnectError):
        Tidegate.follow("ftp://127.0.0.1", locks=False)


def test_a_child_of_a_fork_follows_by_itself(tmp_path: Path) -> None:
    served = server(tmp_path)
    with follow(served.url, tmp_path) as tide:
        parent = os.getpid()

        def work(ready: Callable[[], None]) -> None:
            assert tide.get("shop", "rows", "k") == 20 and os.getpid() != parent
            until(tide._is_own)
            ready()
            until(lambda: tide.is_active_for("shop/banner", "k"))
            tide.close()

        in_child(work, lambda: print(served.run("activate", "shop/banner", "--create")))
        until(lambda: tide.is_active_for("shop/banner", "k"))
