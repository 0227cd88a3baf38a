"""The Python SDK with its OFREP provider: single evaluation, keys raw in the path."""

import unittest

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from server import Server


def key(name):
    return EvaluationContext(targeting_key=name, attributes={"plan": "premium", "age": 17})


class Provider(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    def client(self, base=""):
        api.set_provider(OFREPProvider(self.server.url + base))
        self.addCleanup(api.shutdown)
        return api.get_client()

    def test_values_have_their_types(self):
        client = self.client()
        for get, flag, default, value in [
            (client.get_boolean_details, "dark", True, False),
            (client.get_string_details, "title", "?", "Shop"),
            (client.get_integer_details, "count", 0, 3),
            (client.get_float_details, "factor", 0.5, 3.0),
            (client.get_object_details, "layout", {}, {"columns": [1, 2]}),
        ]:
            with self.subTest(flag):
                details = get(flag, default, key("bob"))
                self.assertEqual((details.value, details.error_code), (value, None), details)
                self.assertIs(type(details.value), type(value))
                self.assertEqual(details.variant, "stable")

    def test_reasons_variants_and_metadata(self):
        client = self.client()
        dark = client.get_boolean_details("dark", False, key("ann"))
        self.assertEqual((dark.value, dark.reason, dark.variant), (True, Reason.TARGETING_MATCH, "new"))
        self.assertEqual(dark.flag_metadata, {"team": "web", "risk": 2, "audited": True})
        self.assertEqual(client.get_string_details("title", "?").reason, Reason.STATIC)
        self.assertEqual(client.get_string_details("half", "?", key("bob")).reason, Reason.SPLIT)

    def test_a_disabled_flag_gives_the_default_of_the_code(self):
        for default in (True, False):
            off = self.client().get_boolean_details("off", default, key("bob"))
            self.assertEqual((off.value, off.reason, off.error_code), (default, Reason.DISABLED, None), off)

    def test_failures_have_their_codes(self):
        client = self.client()
        for flag, context, code in [
            ("nowhere", key("bob"), ErrorCode.FLAG_NOT_FOUND),
            ("half", None, ErrorCode.TARGETING_KEY_MISSING),
            ("list", key("bob"), ErrorCode.GENERAL),
            ("title", EvaluationContext(attributes={"targetingKey": 5}), ErrorCode.INVALID_CONTEXT),
            ("count", key("bob"), ErrorCode.TYPE_MISMATCH),
        ]:
            with self.subTest(flag):
                details = client.get_string_details(flag, "default", context)
                self.assertEqual((details.value, details.error_code), ("default", code), details)
                self.assertTrue(details.error_message)

    def test_names_with_slashes_percent_signs_and_sections(self):
        client = self.client()
        self.assertEqual(client.get_string_value("team/checkout", "?"), "old")
        self.assertTrue(client.get_boolean_value("team/50%", False))
        for base in ("/", "/sections/team", "/sections/team/"):
            with self.subTest(base):
                flag = "checkout" if "team" in base else "team/checkout"
                self.assertEqual(self.client(base).get_string_value(flag, "?"), "old")

    def test_a_key_keeps_its_value_and_half_of_them_have_each(self):
        client = self.client()
        keys = [f"user-{number}" for number in range(200)]
        values = [client.get_string_value("half", "?", key(name)) for name in keys]
        self.assertEqual(values, [client.get_string_value("half", "?", key(name)) for name in keys])
        self.assertTrue(70 <= values.count("new") <= 130, values.count("new"))

    def test_a_change_counts_at_once(self):
        server = Server()
        self.addCleanup(server.stop)
        api.set_provider(OFREPProvider(server.url))
        self.addCleanup(api.shutdown)
        client = api.get_client()
        for percentage, value in [(100, True), (0, False)]:
            server.activate("flags/dark", percentage)
            # At 0 and at 100 per cent the key does not matter, not even that of an early adopter.
            self.assertEqual(client.get_boolean_value("dark", not value), value)
            self.assertEqual(client.get_boolean_value("dark", not value, key("ann")), value)


if __name__ == "__main__":
    unittest.main()
