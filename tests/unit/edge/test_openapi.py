"""/openapi.json is valid OpenAPI 3.1 and says what the routes say."""

import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from core.contract.problems import CODES
from edge.app import ROUTES
from edge.openapi import document
from edge.routes import BODY_CODES, COMMON_CODES, FORWARDING_CODES, Table


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return json.loads(json.dumps(document(ROUTES, "1.2.3")))


def test_it_is_valid(made: dict[str, Any]) -> None:
    assert made["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(made).validate()


def test_each_route_is_there_once(made: dict[str, Any]) -> None:
    for route in ROUTES:
        operation = made["paths"][route.path][route.method.lower()]
        assert str(route.status) in operation["responses"]
        if route.scope is None:
            assert operation["security"] == []
        else:
            assert route.scope in operation["description"]
    ids = [one["operationId"] for path in made["paths"].values() for one in path.values()]
    assert len(ids) == len(set(ids))


def test_the_request_is_described_by_the_struct_that_decodes_it(made: dict[str, Any]) -> None:
    body = made["paths"]["/v1/notifications"]["post"]["requestBody"]
    name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = made["components"]["schemas"][name]
    assert schema["additionalProperties"] is False
    assert {"to", "class", "expires_in"} <= set(schema["properties"])
    assert schema["required"] == ["to"]


def test_a_batch_is_lines_or_an_array(made: dict[str, Any]) -> None:
    operation = made["paths"]["/v1/notifications/batch"]["post"]
    for where in (operation["requestBody"], operation["responses"]["200"]):
        line = where["content"]["application/x-ndjson"]["schema"]
        assert where["content"]["application/json"]["schema"] == {"type": "array", "items": line}
    assert "Idempotency-Key" in [each["name"] for each in operation["parameters"]]


def test_every_code_of_a_route_is_a_code(made: dict[str, Any]) -> None:
    for route in ROUTES:
        for code in (*route.codes, *COMMON_CODES, *BODY_CODES, *FORWARDING_CODES):
            assert code in CODES
    problem = made["paths"]["/v1/notifications"]["post"]["responses"]["503"]
    assert "accept_unknown" in problem["description"]
    assert "application/problem+json" in problem["content"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/notifications", {"POST"}),
        ("/v1/notifications/batch", {"POST"}),
        ("/v1/messages/local-u000", {"GET"}),
        ("/v1/messages/local-u000/cancel", {"POST"}),
        ("/v1/templates", {"GET", "POST"}),
        ("/v1/templates/otp", {"GET", "PUT", "DELETE"}),
        ("/v1/templates/..", set()),
        ("/v1/templates/a/b", set()),
        ("/v1/templates/%2e%2e", set()),
        ("/v1/templates/", set()),
        ("/v1/templates/a\n", set()),
        ("/v1/keys/abc", {"DELETE"}),
        ("/v1/receipts/twilio", {"GET", "POST"}),
        ("/v1/suppressions/email.0a1b", {"GET", "DELETE"}),
        ("/v1/webhooks/ep_x/deliveries/local-u000/replay", {"POST"}),
        ("/u/-_" + "a" * 1000, {"GET", "POST"}),
        ("/u/" + "a" * 1025, set()),
        ("/u/a.b", set()),
        ("/internal/keys/abc", set()),
        ("http://x/v1/keys", set()),
        ("", set()),
    ],
)
def test_paths_find_their_routes(path: str, methods: set[str]) -> None:
    assert set(Table(ROUTES).methods(path)) == methods
