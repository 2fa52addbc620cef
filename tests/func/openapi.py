"""Holds what the daemon answers against what it says it answers: the OpenAPI document, fetched from the daemon itself.

A reply that is not in the document fails the test that got it. The first replies of each kind are checked all, later
ones now and then, so that the model tests do not spend their time here.
"""
import http.client
import json
import re

from jsonschema import Draft202012Validator

ALWAYS, THEN_EVERY = 50, 97


class Document:
    def __init__(self, doc):
        self.doc = doc
        self.routes = []  # (method, pattern, operation)
        for path, methods in doc["paths"].items():
            pattern = re.compile("/" + "/".join(".*" if p == "{path}" else re.escape(p) for p in path[1:].split("/")) + "$")
            for method, operation in methods.items():
                self.routes.append((method.upper(), pattern, operation))
        self.validators = {}
        self.seen = {}

    def operation(self, method, target):
        path = target.split("?")[0]
        if path == "/registry":
            path = "/registry/"
        for m, pattern, operation in self.routes:
            if m == method and pattern.match(path):
                return operation
        return None

    def validator(self, schema):
        key = json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            self.validators[key] = Draft202012Validator(dict(schema, components=self.doc["components"]))
        return self.validators[key]

    def check_arguments(self, operation, target):
        known = {p["name"] for p in operation["parameters"] if p["in"] == "query"}
        given = {a.split("=")[0] for a in target.partition("?")[2].split("&") if a}
        assert given <= known, "arguments that the document does not know: %s" % (given - known)

    def check(self, method, target, reply):
        operation = self.operation(method, target)
        if operation is None:  # no such route: then it may only be refused
            assert reply.status >= 400, "%s %s is answered %d, and is no route of the document" % (method, target, reply.status)
            return
        kind = (method, target.split("/")[1:3][-1], reply.status)
        self.seen[kind] = self.seen.get(kind, 0) + 1
        if self.seen[kind] > ALWAYS and self.seen[kind] % THEN_EVERY != 0:
            return
        good = 200 <= reply.status < 300
        if good:
            self.check_arguments(operation, target)
        media = reply.headers.get("content-type", "").split(";")[0]
        kinds = operation["responses"]
        content = kinds.get(str(reply.status), kinds["2XX" if good else "default"])["content"]
        is_raw = good and reply.status != 202 and ("secreg-type" in reply.headers or media != "application/json")
        if is_raw or "schema" not in content.get("application/json", {}):
            assert media in content or "*/*" in content, "%s %s answers %s" % (method, target, media)
            return
        errors = sorted(self.validator(content["application/json"]["schema"]).iter_errors(json.loads(reply.body)), key=str)
        assert not errors, "%s %s: %s" % (method, target, errors[0])


_document = None


def document(connect):
    """The document, fetched once for a run of the tests with a connection that `connect` makes."""
    global _document
    if _document is None:
        conn = connect()
        conn.request("GET", "/v1/openapi.json")
        _document = Document(json.loads(conn.getresponse().read()))
        conn.close()
    return _document
