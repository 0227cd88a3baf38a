"""Changes, for `for` and `async for`."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any, List

import pytest

from conftest import until
from tidegate import Changes, Tidegate


def document(value: int) -> str:
    return json.dumps({"s": {"f": {"stable": value}, "still": {"stable": 1}}})


def watched(folder: Path) -> Any:
    (folder / "flags.json").write_text(document(1))
    return Tidegate.file(folder / "flags.json", poll_interval=0.1, locks=False)


def change(folder: Path, value: int) -> None:
    (folder / "next.json").write_text(document(value))
    (folder / "next.json").replace(folder / "flags.json")


def test_a_loop_is_told_of_each_change_and_ends_with_the_instance(tmp_path: Path) -> None:
    tide = watched(tmp_path)
    told: List[Changes] = []
    changes = tide.subscribe()

    def listen() -> None:
        told.extend(changes)

    listening = threading.Thread(target=listen)
    listening.start()
    change(tmp_path, 10)
    until(lambda: len(told) == 1)
    assert told[0].document and told[0].flags == frozenset({"s/f"}) and "s/f" in told[0] and "s/still" not in told[0]
    change(tmp_path, 100)
    until(lambda: len(told) == 2)
    tide.close()
    listening.join(20)
    assert not listening.is_alive()


def test_waiting_ends_after_its_time(tmp_path: Path) -> None:
    with watched(tmp_path) as tide:
        changes = tide.subscribe()
        assert changes.wait(0) is None and changes.wait(timeout=0.01) is None
        change(tmp_path, 10)
        news = changes.wait(20)
        assert news is not None and "s/f" in news
    with pytest.raises(StopIteration):
        while True:
            changes.wait(1)


def test_an_asyncio_loop_is_told_of_changes_and_stays_free(tmp_path: Path) -> None:
    async def listen() -> List[Changes]:
        told: List[Changes] = []
        with watched(tmp_path) as tide:
            changes = tide.subscribe()

            async def change_twice() -> None:
                change(tmp_path, 10)
                while len(told) < 1:
                    await asyncio.sleep(0.01)
                change(tmp_path, 100)
                while len(told) < 2:
                    await asyncio.sleep(0.01)
                await asyncio.to_thread(tide.close)

            changing = asyncio.create_task(change_twice())
            async for news in changes:
                told.append(news)
            await changing
        return told

    told = asyncio.run(asyncio.wait_for(listen(), 60))
    assert [news.flags for news in told[:2]] == [frozenset({"s/f"})] * 2


def test_a_cancelled_task_loses_no_change(tmp_path: Path) -> None:
    async def listen() -> Changes:
        with watched(tmp_path) as tide:
            changes = tide.subscribe()
            waiting = asyncio.ensure_future(changes.__anext__())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            change(tmp_path, 10)
            while await asyncio.to_thread(tide.get, "s", "f", "k") != 10:
                pass
            return await asyncio.wait_for(changes.__anext__(), 20)

    assert "s/f" in asyncio.run(listen())
