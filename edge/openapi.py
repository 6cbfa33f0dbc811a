"""/openapi.json: OpenAPI 3.1, made from the structs that decode the requests. Pure."""

from typing import Any

import msgspec

from core.contract.problems import CODES, CONTENT_TYPE
from core.contract.resources import ProblemOut
from edge.answers import JSON_TYPE
from edge.exchange import NDJSON_TYPE
from edge.routes import (
    BATCH,
    BODY_CODES,
    COMMON_CODES,
    FORWARDING_CODES,
    NOTIFY,
    PUBLIC_CODES,
    Route,
)

_REFS = "#/components/schemas/{name}"
_OPERATIONS = {
    "/livez": "Whether the process runs",
    "/readyz": "Whether requests can be taken",
    "/status": "The region's processes, the links to the cores, counts",
    "/metrics": "Prometheus metrics",
    "/openapi.json": "This document",
}


def document(routes: tuple[Route, ...], version: str) -> dict[str, Any]:
    """The whole document."""
    bodies = [body for route in routes if (body := _body_of(route)) is not None]
    answers = [route.answer for route in routes if route.answer is not None]
    kinds = [ProblemOut, *dict.fromkeys([*bodies, *answers])]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REFS)
    of = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, of)
    for path, summary in _OPERATIONS.items():
        paths[path] = {"get": _plain_operation(path, summary)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "GouTong",
            "version": version,
            "description": "One API that notifies people and devices. Errors are"
            " application/problem+json with `code` and `trace_id`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"header": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "gt_live_..."},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _operation(route: Route, of: dict[Any, Any]) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in route.parameters
    ]
    parameters += [_query_parameter(name) for name in route.query]
    if route.keyed:
        text = "The same key with the same body gives the same answer."
        text += " Each item has a key of its own, of this one and its index." * route.items
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": text,
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            }
        )
    if route.versioned and route.method != "GET":
        text = "The version that was read (ETag); another one answers 412."
        parameters.append(
            {"name": "If-Match", "in": "header", "description": text, "schema": {"type": "string"}}
        )
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "description": f"Needs the scope `{route.scope}`." if route.scope else "Needs no key.",
        "tags": [route.path.split("/")[2]],
        "responses": _responses(route, of),
    }
    if route.scope is None:
        operation["security"] = []
    if parameters:
        operation["parameters"] = parameters
    body = _body_of(route)
    if body is not None:
        required = route.body is not None
        operation["requestBody"] = {"required": required, "content": _content(route, of[body])}
    return operation


def _body_of(route: Route) -> Any:
    return route.body if route.body is not None else route.optional_body


def _content(route: Route, schema: Any) -> dict[str, Any]:
    if not route.items:
        return {JSON_TYPE: {"schema": schema}}
    array = {"type": "array", "items": schema}
    return {NDJSON_TYPE: {"schema": schema}, JSON_TYPE: {"schema": array}}


def _query_parameter(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if name == "limit":
        schema = {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
    return {"name": name, "in": "query", "schema": schema}


def _responses(route: Route, of: dict[Any, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done" if route.status != 202 else "Durable, under way"}
    good["headers"] = {"X-Trace-Id": {"schema": {"type": "string"}}}
    if route.answer is not None:
        good["content"] = _content(route, of[route.answer])
    responses = {str(route.status): good}
    codes = {*(COMMON_CODES if route.scope else PUBLIC_CODES), *route.codes}
    codes |= set(BODY_CODES) if route.body is not None else set()
    codes |= set(FORWARDING_CODES) if route not in (NOTIFY, BATCH) else set()
    by_status: dict[int, list[str]] = {}
    for code in CODES:
        if code in codes:
            by_status.setdefault(CODES[code][0], []).append(code)
    for status in sorted(by_status):
        lines = [f"`{code}`: {CODES[code][1]}" for code in by_status[status]]
        content = {CONTENT_TYPE: {"schema": of[ProblemOut]}}
        responses[str(status)] = {"description": "; ".join(lines), "content": content}
    return responses


def _plain_operation(path: str, summary: str) -> dict[str, Any]:
    responses = {"200": {"description": summary}}
    if path == "/readyz":
        responses["503"] = {"description": "Draining, or no core is connected"}
    return {
        "operationId": path.strip("/").replace(".", "_"),
        "summary": summary,
        "tags": ["operation"],
        "security": [],
        "responses": responses,
    }


def _operation_id(route: Route) -> str:
    words = route.path.replace("{", "").replace("}", "").split("/")[2:]
    return "_".join([route.method.lower(), *words])
