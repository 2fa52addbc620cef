"""The OpenAPI document: it is one, and it says neither more nor less than the daemon does."""
import json
import re

from jsonschema import Draft202012Validator

import openapi


def test_the_document_is_openapi(c):
    r = c.get("/v1/openapi.json")
    assert r.status == 200 and r.headers["content-type"] == "application/json"
    doc = r.json
    assert doc["openapi"] == "3.1.0" and set(doc) == {"openapi", "info", "paths", "components"}
    for name, schema in doc["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(doc)))
    assert names <= set(doc["components"]["schemas"]), "a name without a schema"
    assert set(doc["components"]["schemas"]) <= names, "a schema that nobody names"
    for path, methods in doc["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"] and set(operation) <= {"summary", "parameters", "requestBody", "responses"}, (path, method)


def test_reading_it_leaves_no_record_and_needs_no_right(daemon, c):
    c.deny("/registry", "uid:4711", "list,read,write,delete,audit")
    before = c.status()["records"]
    assert daemon.actor(4711).request("GET", "/v1/openapi.json").status == 200
    assert c.status()["records"] == before


def test_every_route_of_the_document_is_served(c):
    for path, methods in c.get("/v1/openapi.json").json["paths"].items():
        for method in methods:
            if path in ("/v1/lock", "/v1/watch", "/v1/audit/follow"):  # the end of the others, and replies without an end
                continue
            r = c.request(method.upper(), path.replace("{path}", "applications/none"), "" if method in ("put", "post") else None)
            assert r.status not in (404, 405) or r.code == "not-found", (method, path, r)


def test_the_judge_judges(c):
    """What would be wrong is found: a member more, a member less, a code or route that is unknown."""
    document = openapi.document(lambda: None)

    class Fake:
        headers = {"content-type": "application/json"}

        def __init__(self, status, body):
            self.status, self.body = status, json.dumps(body)

    def is_wrong(method, target, status, body):
        document.seen.clear()
        try:
            document.check(method, target, Fake(status, body))
        except AssertionError:
            return True
        return False
    good = c.get("/v1/status").json
    assert not is_wrong("GET", "/v1/status", 200, good)
    assert is_wrong("GET", "/v1/status", 200, dict(good, more=1))
    assert is_wrong("GET", "/v1/status", 200, dict(good, data=dict(good["data"], more=1)))
    assert is_wrong("GET", "/v1/status", 200, dict(good, data={k: v for k, v in good["data"].items() if k != "state"}))
    bad = c.get("/registry/applications/none").json
    assert not is_wrong("GET", "/registry/applications/none", 404, bad)
    assert is_wrong("GET", "/registry/applications/none", 404, dict(bad, error={"code": "unheard-of", "message": ""}))
    assert is_wrong("GET", "/v1/unheard-of", 200, good)
    assert is_wrong("GET", "/v1/status?unheard=of", 200, good)
