"""The programs of examples/python, against a real HTTP server."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Origin, Process, Server

EXAMPLES = Path(__file__).parents[2] / "examples/python"


def test_the_script_prints_the_version_of_this_host(origin: Origin) -> None:
    program = [sys.executable, str(EXAMPLES / "script.py"), origin.url]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "installing formatter 1.0\n"), "the default, while nothing was ever fetched"
    origin.document = json.dumps({"tools": {"formatter": {"stable": "2.0"}}}).encode()
    ended = subprocess.run(program, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "installing formatter 2.0\n"), ended.stderr
    origin.document = None
    ended = subprocess.run(program, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "installing formatter 2.0\n"), "from the cache"


def test_the_service_answers_by_user_and_plan(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = {"name": "premium", "when": {"attribute": "plan", "is": "premium"}, "serve": "new"}
    shop = {"new_cart": {"stable": False, "new": True, "rules": [rule]}, "rows": {"stable": 40}}
    origin.document = json.dumps({"shop": shop}).encode()
    monkeypatch.setenv("FLAGS", origin.url)
    spec = importlib.util.spec_from_file_location("service", EXAMPLES / "service.py")
    assert spec is not None and spec.loader is not None
    service = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(service)
    client = service.app.test_client()
    assert client.get("/cart?user=ann&plan=premium").json == {"new_cart": True, "rows": 40}
    assert client.get("/cart?user=ann").json == {"new_cart": False, "rows": 40}
    assert client.get("/ready").json == {"health": "fresh", "flags": 2}
    service.flags.close()


def test_the_service_with_live_changes_finds_them_again(tmp_path: Path) -> None:
    program = [sys.executable, str(EXAMPLES / "live.py"), str(tmp_path / "flags"), "shop/new_cart", "dana"]
    printed = [subprocess.run(program, capture_output=True, text=True, timeout=60) for _ in range(2)]
    told = "acknowledged: True\nnow: True\nchanged by dana because it is ready\n"
    assert printed[0].stdout == f"before: False\n{told}", printed[0].stderr
    assert printed[1].stdout == f"before: True\n{told}changed by dana because it is ready\n", printed[1].stderr


def test_the_follower_prints_each_change_of_its_server(tmp_path: Path) -> None:
    server = Server("--data-dir", str(tmp_path / "data"))
    follower = Process([sys.executable, str(EXAMPLES / "follower.py"), "shop/new_cart", server.url])
    assert follower.line() == "now: False"
    server.run("activate", "shop/new_cart", "--create")
    assert follower.line() == "now: True"
    server.run("deactivate", "shop/new_cart")
    assert follower.line() == "now: False"
