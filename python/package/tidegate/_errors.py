"""Exceptions. Their texts are those of the library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Tuple, Type

from . import _types

if TYPE_CHECKING:
    from ._types import Diagnostic


class TidegateError(Exception):
    """What all exceptions of this package are."""

    #: What is wrong with a document; empty where the document is not the reason.
    diagnostics: Tuple[Diagnostic, ...]

    def __init__(self, message: str, diagnostics: Tuple[Diagnostic, ...] = ()) -> None:
        super().__init__(message)
        self.diagnostics = diagnostics

    def __reduce__(self) -> Tuple[Type[TidegateError], Tuple[str, Tuple[Diagnostic, ...]]]:
        return type(self), (str(self), self.diagnostics)


class ConnectError(TidegateError):
    """An instance could not be made, because of what the program configured."""


class DocumentError(TidegateError, ValueError):
    """A document or an entry is refused; ``diagnostics`` says why."""


class SourceError(TidegateError, OSError):
    """A source has not given its document."""


class LockError(TidegateError):
    """The locks of this host could not be read or changed."""


class CloseTimeout(TidegateError, TimeoutError):
    """The threads of an instance have not ended in time; they end by themselves."""


class ChangeError(TidegateError):
    """A change was not made, and nothing has changed. Where the definition of a flag is refused, ``diagnostics`` says why."""


class NotLiveError(ChangeError):
    """The instance takes no live changes: it has none, follows a server, or is that of a parent process."""


class UnknownFlagError(ChangeError, LookupError):
    """There is no such flag, and the change was to be made to an ``existing`` one."""


class ConflictError(ChangeError):
    """Something else is there than what ``if_stamp`` names: the flag has changed since it was read."""


class InvalidChangeError(ChangeError, ValueError):
    """What the caller gave is not a change: a percentage of 101, a definition that is refused."""


class ClusterError(TidegateError):
    """A question about live changes was not answered: they have ended, or their store cannot be read."""


_CLASSES: Dict[str, Type[TidegateError]] = {
    kind.__name__: kind
    for kind in (
        ChangeError,
        CloseTimeout,
        ClusterError,
        ConflictError,
        ConnectError,
        DocumentError,
        InvalidChangeError,
        LockError,
        NotLiveError,
        SourceError,
        UnknownFlagError,
    )
}


def make(kind: str, message: str, diagnostics: str) -> TidegateError:
    """Called by the native part."""
    return _CLASSES[kind](message, _types.make("Diagnostic", diagnostics))
