"""What the tests share: an HTTP origin, and waiting for what another thread does."""

from __future__ import annotations

import hashlib
import http.server
import threading
import time
from pathlib import Path
from typing import Callable, Iterator, List, Optional

import pytest


class Origin:
    """A real HTTP server with one document, which knows what it was asked."""

    def __init__(self) -> None:
        self.document: Optional[bytes] = None
        self.asked: List[Optional[str]] = []
        origin = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                tag = self.headers["If-None-Match"]
                origin.asked.append(tag)
                if origin.document is None:
                    self.send_error(503)
                    return
                etag = f'"{hashlib.sha1(origin.document).hexdigest()}"'
                self.send_response(304 if tag == etag else 200)
                self.send_header("ETag", etag)
                if tag != etag:
                    self.send_header("Content-Length", str(len(origin.document)))
                self.end_headers()
                if tag != etag:
                    self.wfile.write(origin.document)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/config.json"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def origin() -> Iterator[Origin]:
    origin = Origin()
    yield origin
    origin.server.shutdown()
    origin.server.server_close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the cache, the state or the locks of this host."""
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.delenv("TIDEGATE_LOCKS", raising=False)
    return tmp_path


def until(condition: Callable[[], bool]) -> None:
    """Polls until that holds; fails after 20 s."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it has not come about"
        time.sleep(0.005)
