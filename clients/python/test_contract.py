"""The server's answers against the contract of OFREP (conformance/ofrep/openapi.yaml)."""

import json
import unittest

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from server import CLIENTS, Server

CONTRACT = CLIENTS.parent / "conformance" / "ofrep" / "openapi.yaml"
FLAGS = "/ofrep/v1/evaluate/flags"
ANN = {"context": {"targetingKey": "ann", "plan": "premium"}}


def load_contract():
    contract = yaml.safe_load(CONTRACT.read_text())
    # The schema of a code default has no member, so each value matches it as well as the schema of its own type, and an integer
    # matches that of floats, too: `oneOf` can never hold for a value. `anyOf` is what it means.
    success = contract["components"]["schemas"]["evaluationSuccess"]["allOf"]
    for part in success:
        if "oneOf" in part:
            part["anyOf"] = part.pop("oneOf")
    return contract


class Contract(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)
        cls.contract = load_contract()
        resource = Resource.from_contents(cls.contract, default_specification=DRAFT202012)
        cls.registry = Registry().with_resource("urn:ofrep", resource)

    def check(self, schema, value):
        validator = Draft202012Validator({"$ref": f"urn:ofrep#{schema}"}, registry=self.registry)
        errors = [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(value)]
        self.assertEqual(errors, [], value)

    def ask(self, path, body, headers=None):
        """An answer, held against what the contract says of its path and status."""
        status, headers, text = self.server.send("POST", path, body, headers)
        template = FLAGS if path.split("?")[0] == FLAGS else FLAGS + "/{key}"
        responses = self.contract["paths"][template]["post"]["responses"]
        self.assertIn(str(status), responses, text)
        content = responses[str(status)].get("content")
        if content is None:
            return status, headers, None
        self.assertEqual(headers.get_content_type(), "application/json")
        value = json.loads(text)
        place = template.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
        self.check(f"/paths/{place}/post/responses/{status}/content/application~1json/schema", value)
        return status, headers, value

    def test_single_evaluations(self):
        for flag in ["dark", "title", "factor", "count", "layout", "off", "half", "internal", "team/checkout"]:
            with self.subTest(flag):
                status, _, value = self.ask(f"{FLAGS}/{flag}", ANN)
                self.assertEqual((status, value["key"]), (200, flag))
                self.assertIsInstance(value["variant"], str)

    def test_failures(self):
        for path, body, expected, code in [
            ("nowhere", ANN, 404, "FLAG_NOT_FOUND"),
            ("half", {}, 400, "TARGETING_KEY_MISSING"),
            ("list", ANN, 400, "GENERAL"),
            ("title", b"{", 400, "PARSE_ERROR"),
            ("title", {"context": {"targetingKey": 1}}, 400, "INVALID_CONTEXT"),
        ]:
            with self.subTest(path):
                status, _, value = self.ask(f"{FLAGS}/{path}", body)
                self.assertEqual((status, value["errorCode"], value["key"]), (expected, code, path))
                self.assertTrue(value["errorDetails"])
        for body, code in [(b"{", "PARSE_ERROR"), ({"context": []}, "INVALID_CONTEXT")]:
            status, _, value = self.ask(FLAGS, body)
            self.assertEqual((status, value["errorCode"]), (400, code))

    def test_bulk_evaluations_and_their_tags(self):
        for body in [ANN, {}, b""]:
            status, headers, value = self.ask(FLAGS + "?flagConfigEtag=x&flagConfigLastModified=1", body)
            self.assertEqual(status, 200)
            keys = [flag["key"] for flag in value["flags"]]
            expected = ["count", "dark", "factor", "half", "layout", "list", "off", "title", "team/50%", "team/checkout"]
            self.assertEqual(keys, expected)
            failed = {flag["key"] for flag in value["flags"] if "errorCode" in flag}
            self.assertEqual(failed, {"list"} if body == ANN else {"list", "half", "dark"})
            status, again, _ = self.ask(FLAGS, body, {"If-None-Match": headers["ETag"]})
            self.assertEqual((status, again["ETag"]), (304, headers["ETag"]))

    def test_events(self):
        _, _, bulk = self.ask(FLAGS, ANN)
        (stream,) = bulk["eventStreams"]
        self.server.activate("flags/dark", 0)
        import urllib.request

        with urllib.request.urlopen(self.server.url + stream["endpoint"]["requestUri"], timeout=20) as answer:
            self.assertEqual(answer.headers.get_content_type(), "text/event-stream")
            event = {}
            for line in answer:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    event[name] = value
                elif "data" in event:
                    break
        self.check("/components/schemas/sseEvent", {name: event[name] for name in event if name})
        self.check("/components/schemas/sseEventData", json.loads(event["data"]))


if __name__ == "__main__":
    unittest.main()
