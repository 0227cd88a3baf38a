"""What the tests share: an HTTP origin, processes with live changes, servers, Redis, and waiting for what another one does."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional

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


class Process:
    """A process that is killed at the end of its test."""

    def __init__(self, command: List[str], stderr: Optional[int] = None) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=stderr, text=True)
        STARTED.append(self)

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


STARTED: List[Process] = []


class Server(Process):
    """A ``tidegate serve``, the real one."""

    def __init__(self, *options: str, listen: str = "127.0.0.1:0") -> None:
        super().__init__([program(), "serve", "--listen", listen, *options], subprocess.STDOUT)
        said = [self.line()]
        while not said[-1].startswith("listening on "):
            assert said[-1], f"the server has ended: {said}"
            said.append(self.line())
        self.url = said[-1].split()[-1]

    def run(self, *words: str) -> str:
        """What a command says that changes something there."""
        command = [program(), *words, "--server", self.url]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


class Node(Process):
    """A process of Python with a ``Tidegate.live``."""

    def __init__(self, folder: Optional[Path] = None, **options: Any) -> None:
        super().__init__([sys.executable, str(Path(__file__).parent / "node.py")])
        self.send(json.dumps({"folder": None if folder is None else str(folder), **options}))
        assert self.line() == "started", self.process.communicate()[0]

    def send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, expression: str) -> Any:
        """What an expression about ``tide`` is there."""
        self.send(expression)
        return json.loads(self.line())


class Redis(Process):
    """Debian's ``redis-server``, with a password."""

    password = "s3cret"

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        options = ["--requirepass", self.password, "--dir", str(folder), "--save", "", "--appendonly", "yes", "--loglevel", "warning"]
        super().__init__(["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), *options])
        until(self._listens)
        self.url = f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except ConnectionRefusedError:
            return False
        return True


def program() -> str:
    """The program ``tidegate``, which `cargo xtask python` has built."""
    return os.environ["TIDEGATE_PROGRAM"]


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """No process is left behind."""
    yield
    while STARTED:
        STARTED.pop().kill()


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
