"""Threads of Python that serve the library: one for log records, and one for each source that is a function.

No thread of the library calls Python. So nothing of it can be in the interpreter when that ends, and a fork finds no lock of the
interpreter in its hands.
"""

from __future__ import annotations

import atexit
import logging
import os
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


def _at_exit() -> None:
    for instance in list(_INSTANCES):
        instance._end()
    # A thread that waits for changes has been woken; it must not come back from there when the interpreter is gone.
    deadline = time.monotonic() + 1
    while _native.waiting() and time.monotonic() < deadline:
        time.sleep(0.001)
    _native.stop_logs()
    if _logging is not None:
        _logging.join(1)


def _after_fork_in_child() -> None:
    _native.after_fork_in_child()
    if _logging is not None:
        start_logging()
    for instance in list(_INSTANCES):
        instance._after_fork()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_native.before_fork,
        after_in_parent=_native.after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
