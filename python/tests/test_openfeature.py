"""The provider, through OpenFeature's SDK."""

from __future__ import annotations

import json
from typing import Any, Iterator, List, Tuple

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason
from openfeature.provider import ProviderStatus

from conftest import Origin, until
from tidegate import Tidegate
from tidegate.openfeature import TidegateProvider

PREMIUM = {"name": "premium", "when": {"attribute": "plan", "is": "premium"}, "serve": "new"}
DOCUMENT = {
    "shop": {
        "on": {"stable": True},
        "title": {"stable": "Shop"},
        "rows": {"stable": 3},
        "price": {"stable": 3, "new": 2.5, "rules": [PREMIUM]},
        "layout": {"stable": {"columns": [1, 2]}},
        "sizes": {"stable": [1, 2]},
        "off": {"stable": True, "enabled": False},
        "moving": {"stable": 1, "new": 2, "start_time": "2020-01-01 00:00Z", "duration": "20000d"},
        "nothing": {"stable": None},
    },
    "flags": {"bare": {"stable": "in flags"}},
}


@pytest.fixture
def client() -> Iterator[OpenFeatureClient]:
    with Tidegate.text(json.dumps(DOCUMENT), locks=False) as tide:
        api.set_provider_and_wait(TidegateProvider(tide))
        yield api.get_client()
        api.shutdown()


def test_values_of_each_type_with_variant_and_reason(client: OpenFeatureClient) -> None:
    context = EvaluationContext("ann")
    details = client.get_boolean_details("shop/on", False, context)
    assert (details.value, details.variant, details.reason, details.error_code) == (True, "stable", Reason.STATIC, None)
    assert client.get_string_value("shop/title", "", context) == "Shop"
    assert client.get_string_value("bare", "", context) == "in flags"
    assert client.get_integer_value("shop/rows", 0, context) == 3
    price = client.get_float_value("shop/price", 0.0, context)
    assert price == 3 and isinstance(price, float)
    assert client.get_object_value("shop/layout", {}, context) == {"columns": [1, 2]}
    assert client.get_object_value("shop/sizes", [], context) == [1, 2]
    assert client.get_integer_details("shop/moving", 0, context).reason == Reason.SPLIT


def test_attributes_of_the_context_reach_rules(client: OpenFeatureClient) -> None:
    context = EvaluationContext("ann", {"plan": "premium"})
    details = client.get_float_details("shop/price", 0.0, context)
    assert (details.value, details.variant, details.reason) == (2.5, "new", Reason.TARGETING_MATCH)


@pytest.mark.parametrize(
    ("method", "flag", "default", "key", "code"),
    [
        ("boolean", "shop/unknown", False, "ann", ErrorCode.FLAG_NOT_FOUND),
        ("integer", "shop/moving", 9, None, ErrorCode.TARGETING_KEY_MISSING),
        ("integer", "shop/moving", 9, "", ErrorCode.TARGETING_KEY_MISSING),
        ("integer", "shop/on", 9, "ann", ErrorCode.TYPE_MISMATCH),
        ("integer", "shop/price", 9, "ann", ErrorCode.TYPE_MISMATCH),
        ("boolean", "shop/rows", False, "ann", ErrorCode.TYPE_MISMATCH),
        ("string", "shop/nothing", "", "ann", ErrorCode.TYPE_MISMATCH),
        ("object", "shop/title", {}, "ann", ErrorCode.TYPE_MISMATCH),
    ],
)
def test_failures_have_the_default_and_their_code(
    client: OpenFeatureClient, method: str, flag: str, default: Any, key: Any, code: ErrorCode
) -> None:
    details = getattr(client, f"get_{method}_details")(flag, default, EvaluationContext(key))
    assert (details.value, details.error_code, details.reason) == (default, code, Reason.ERROR)
    assert flag in (details.error_message or "")


def test_a_disabled_flag_has_the_default_of_the_caller(client: OpenFeatureClient) -> None:
    details = client.get_boolean_details("shop/off", False, EvaluationContext("ann"))
    assert (details.value, details.reason, details.error_code) == (False, Reason.DISABLED, None)


def test_events_tell_of_the_document_and_of_its_source(origin: Origin) -> None:
    told: List[Tuple[ProviderEvent, EventDetails]] = []

    def count(event: ProviderEvent) -> int:
        return sum(kind == event for kind, _ in told)

    with Tidegate.http(origin.url, poll_interval=0.1, cache=False, locks=False) as tide:
        client = api.get_client()
        client.add_handler(ProviderEvent.PROVIDER_READY, lambda details: told.append((ProviderEvent.PROVIDER_READY, details)))
        client.add_handler(ProviderEvent.PROVIDER_STALE, lambda details: told.append((ProviderEvent.PROVIDER_STALE, details)))
        changed = ProviderEvent.PROVIDER_CONFIGURATION_CHANGED
        client.add_handler(changed, lambda details: told.append((changed, details)))
        told.clear()  # of the provider before
        with pytest.raises(Exception, match="503"):
            api.set_provider_and_wait(TidegateProvider(tide))
        assert client.get_provider_status() != ProviderStatus.READY
        origin.document = json.dumps(DOCUMENT).encode()
        until(lambda: count(ProviderEvent.PROVIDER_READY) == 1)
        until(lambda: client.get_boolean_value("shop/on", False) is True)
        origin.document = json.dumps({**DOCUMENT, "flags": {"bare": {"stable": "changed"}}}).encode()
        until(lambda: any(details.flags_changed == ["flags/bare"] for _, details in told))
        assert client.get_string_value("bare", "") == "changed"
        origin.document = b"{"
        until(lambda: count(ProviderEvent.PROVIDER_STALE) == 1)
        assert client.get_string_value("bare", "") == "changed"
        origin.document = json.dumps(DOCUMENT).encode()
        until(lambda: count(ProviderEvent.PROVIDER_READY) == 2)
        api.shutdown()
        api.clear_providers()


def test_events_tell_of_live_changes() -> None:
    told: List[EventDetails] = []
    with Tidegate.live(locks=False) as tide:
        client = api.get_client()
        client.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, told.append)
        api.set_provider_and_wait(TidegateProvider(tide))
        tide.activate("shop/banner")
        until(lambda: any(details.flags_changed == ["shop/banner"] for details in told))
        assert client.get_boolean_value("shop/banner", False) is True
        tide.define("shop/title", {"stable": "Shop"})
        until(lambda: any(details.flags_changed == ["shop/title"] for details in told))
        assert client.get_string_value("shop/title", "") == "Shop"
        api.shutdown()
        api.clear_providers()
