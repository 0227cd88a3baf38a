"""Threads of Python that serve the library, forks, and the end of the interpreter.

One thread is for log records, and one for each source that is a function.

No thread of the library calls Python. So nothing of it can be in the interpreter when that ends, and a fork finds no lock of the
interpreter in its hands.
"""

from __future__ import annotations

import atexit
import logging
import os
import socket
import threading
import time
import weakref
from typing import TYPE_CHECKING, Callable, Optional

from . import _native

if TYPE_CHECKING:
    from ._instance import Tidegate

LOG = logging.getLogger("tidegate")

_INSTANCES: weakref.WeakSet[Tidegate] = weakref.WeakSet()
_logging: Optional[threading.Thread] = None


def add(instance: Tidegate) -> None:
    """From here on the instance is told of forks, and closed at the end of the interpreter."""
    _INSTANCES.add(instance)


def start_logging() -> None:
    global _logging
    if _logging is None or not _logging.is_alive():
        _logging = threading.Thread(target=_log, name="tidegate-logging", daemon=True)
        _logging.start()


def _log() -> None:
    while True:
        taken = _native.next_logs()
        if taken is None:
            return
        records, dropped = taken
        for level, message in records:
            LOG.log(level, "%s", message)
        if dropped:
            LOG.warning("%d records were dropped, because logging did not keep up", dropped)


def serve(calls: _native.Calls, function: Callable[[_native.Call], None]) -> None:
    """Answers the calls of one source, on a thread of its own. It holds no reference to the instance."""
    threading.Thread(target=_serve, args=(calls, function), name="tidegate-callback", daemon=True).start()


def _serve(calls: _native.Calls, function: Callable[[_native.Call], None]) -> None:
    while True:
        call = calls.next()
        if call is None:
            return
        function(call)


def release(folder: Optional[str], address: Optional[str]) -> None:
    """In the child of a fork: closes the files and sockets of a node of the parent, so that its data folder and its address are free
    when the parent has ended. The parent's own stay open. Only Linux tells which they are."""
    try:
        descriptors = [int(name) for name in os.listdir(_DESCRIPTORS)]
    except OSError:
        return
    for descriptor in descriptors:
        try:
            target = os.readlink(f"{_DESCRIPTORS}/{descriptor}")
            is_file = folder is not None and f"{target}/".startswith(f"{folder}/")
            if is_file or (target.startswith("socket:") and address is not None and _is_at(descriptor, address)):
                os.close(descriptor)
        except OSError:
            continue  # that of the list itself, or a socket that is no longer one


def _is_at(descriptor: int, address: str) -> bool:
    """Whether it is the listener at an address, ``host:port``, or a connection to it."""
    with socket.socket(fileno=os.dup(descriptor)) as opened:
        name = opened.getsockname()
    if opened.type != socket.SOCK_STREAM or opened.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    return bool(name[1] == int(port) and host in (name[0], "0.0.0.0", "::"))


_DESCRIPTORS = "/proc/self/fd"


def _at_exit() -> None:
    for instance in list(_INSTANCES):
        instance._end()
    # A thread that waits in the library has been woken; it must not come back from there when the interpreter is gone.
    deadline = time.monotonic() + 1
    while _native.waiting() and time.monotonic() < deadline:
        time.sleep(0.001)
    _native.stop_logs()
    if _logging is not None:
        _logging.join(1)


def _before_fork() -> None:
    for instance in list(_INSTANCES):
        instance._before_fork()
    _native.before_fork()


def _after_fork_in_child() -> None:
    _native.after_fork_in_child()
    if _logging is not None:
        start_logging()
    for instance in list(_INSTANCES):
        instance._after_fork()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_native.after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
