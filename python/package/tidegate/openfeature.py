"""A provider for OpenFeature's SDK (``openfeature-sdk`` 0.10), in process.

    from openfeature import api
    from tidegate import Tidegate
    from tidegate.openfeature import TidegateProvider

    api.set_provider_and_wait(TidegateProvider(Tidegate.http("https://example.com/flags.json")))

A flag is named by its key, ``section/flag``, or by its bare name in the section ``flags``. The targeting key is the key, and the
attributes of the context are the attributes that rules read.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional, Tuple, TypeVar, Union

from openfeature.event import ProviderEventDetails
from openfeature.exception import (
    ErrorCode,
    FlagNotFoundError,
    ProviderNotReadyError,
    TargetingKeyMissingError,
    TypeMismatchError,
)
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider, Metadata

from ._instance import Tidegate

if TYPE_CHECKING:
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.flag_evaluation import FlagValueType

__all__ = ["TidegateProvider"]

T = TypeVar("T")


class TidegateProvider(AbstractProvider):
    """Flags of an instance. The program closes the instance itself, after the provider is shut down.

    It is ready once there is a document. Then events tell of changed flags, and of a source that is stale or well again; flags that
    change by their ramps alone cause no event.
    """

    def __init__(self, tide: Tidegate) -> None:
        super().__init__()
        self._tide = tide
        self._stop = threading.Event()

    def get_metadata(self) -> Metadata:
        return Metadata(name="tidegate")

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        self._stop = threading.Event()
        is_ready = self._tide.is_ready()
        threading.Thread(
            target=_watch, args=(self, self._tide, self._stop, is_ready), name="tidegate-openfeature", daemon=True
        ).start()
        if not is_ready:
            trouble = self._tide.status().last_error
            raise ProviderNotReadyError(trouble.message if trouble is not None else "there is no document yet")

    def shutdown(self) -> None:
        self._stop.set()

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: Optional[EvaluationContext] = None
    ) -> FlagResolutionDetails[bool]:
        return self._resolve(flag_key, default_value, evaluation_context, _boolean)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: Optional[EvaluationContext] = None
    ) -> FlagResolutionDetails[str]:
        return self._resolve(flag_key, default_value, evaluation_context, _text)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: Optional[EvaluationContext] = None
    ) -> FlagResolutionDetails[int]:
        return self._resolve(flag_key, default_value, evaluation_context, _integer)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: Optional[EvaluationContext] = None
    ) -> FlagResolutionDetails[float]:
        return self._resolve(flag_key, default_value, evaluation_context, _float)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Union[Sequence[FlagValueType], Mapping[str, FlagValueType]],
        evaluation_context: Optional[EvaluationContext] = None,
    ) -> FlagResolutionDetails[Union[Sequence[FlagValueType], Mapping[str, FlagValueType]]]:
        return self._resolve(flag_key, default_value, evaluation_context, _object)

    def _resolve(
        self, flag_key: str, default: T, context: Optional[EvaluationContext], read: Callable[[Any], Optional[T]]
    ) -> FlagResolutionDetails[T]:
        key, attributes = _asked(context)
        value, variant, reason, error = self._tide._decide(flag_key, key, attributes)
        if error == ErrorCode.FLAG_NOT_FOUND:
            raise FlagNotFoundError(f"there is no flag `{flag_key}`")
        if error == ErrorCode.TARGETING_KEY_MISSING:
            raise TargetingKeyMissingError(f"`{flag_key}` needs a targeting key")
        if value is None:
            return FlagResolutionDetails(value=default, reason=Reason(reason), variant=variant)
        (given,) = value
        wanted = read(given)
        if wanted is None:
            raise TypeMismatchError(f"the value of `{flag_key}` is of the type {type(given).__name__}")
        return FlagResolutionDetails(value=wanted, reason=Reason(reason), variant=variant)


def _asked(context: Optional[EvaluationContext]) -> Tuple[Optional[str], Optional[Mapping[str, Any]]]:
    """An empty key is none: otherwise all users without one would share one position."""
    if context is None:
        return None, None
    return context.targeting_key or None, context.attributes or None


def _boolean(value: Any) -> Optional[bool]:
    return value if isinstance(value, bool) else None


def _text(value: Any) -> Optional[str]:
    return value if isinstance(value, str) else None


def _integer(value: Any) -> Optional[int]:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _float(value: Any) -> Optional[float]:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _object(value: Any) -> Optional[Union[Sequence[Any], Mapping[str, Any]]]:
    return value if isinstance(value, (list, dict)) else None


def _watch(provider: TidegateProvider, tide: Tidegate, stop: threading.Event, is_ready: bool) -> None:
    changes = tide.subscribe()
    is_stale = False
    while not stop.is_set():
        if not is_ready and tide.is_ready():
            is_ready = True
            provider.emit_provider_ready(ProviderEventDetails())
        try:
            told = changes.wait(_SLICE)
        except StopIteration:
            return
        if told is None or not is_ready:
            continue
        if told.document or told.locks or told.activations or told.definitions:
            flags = None if told.flags is None else sorted(told.flags)
            provider.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=flags))
        if told.health:
            status = tide.status()
            was_stale, is_stale = is_stale, status.health in ("stale", "refused")
            if is_stale and not was_stale:
                message = status.last_error.message if status.last_error else None
                message = status.refused.message if status.refused else message
                provider.emit_provider_stale(ProviderEventDetails(message=message))
            elif was_stale and not is_stale:
                provider.emit_provider_ready(ProviderEventDetails())


_SLICE = 0.2
