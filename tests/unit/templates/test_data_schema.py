"""Schemas of data: what is refused as a schema, what of the data breaks one, and at what cost."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contract.problems import ProblemError
from core.contract.sections.core import TemplatesSettings
from core.contract.templates import TemplateBody, TemplateIn
from core.templates.check import check_template
from core.templates.data_schema import FINDINGS_MAX, SchemaFault, compile_schema
from core.templates.render import Renderer
from core.templates.store import TemplateStore
from sync.store.entities_memory import MemoryEntities

LIMITS = TemplatesSettings()
ORDER = {
    "type": "object",
    "required": ["code", "order"],
    "properties": {
        "code": {"type": "string", "pattern": "^[0-9]{6}$"},
        "order": {"$ref": "#/$defs/order"},
    },
    "additionalProperties": False,
    "$defs": {"order": {"properties": {"lines": {"type": "array", "items": {"type": "integer"}}}}},
}


def findings(schema: dict[str, Any], data: dict[str, Any]) -> dict[str, str]:
    found = compile_schema(schema, LIMITS).findings(data)
    assert all(each.hint for each in found)
    return {each.pointer: each.detail for each in found}


def test_findings_point_into_the_data_and_do_not_quote_it() -> None:
    data = {"code": "SECRET", "order": {"lines": [1, "SECRET"]}, "a/b": 1}
    found = findings(ORDER, data)
    assert set(found) == {"/data/code", "/data/order/lines/1", "/data/a~1b"}
    assert "SECRET" not in str(found)
    assert findings(ORDER, {"code": "123456"}) == {"/data/order": "missing field"}
    assert findings(ORDER, {"code": "123456", "order": {"lines": []}}) == {}


def test_findings_are_bounded_in_number() -> None:
    schema = {"additionalProperties": {"type": "string"}}
    assert len(findings(schema, {f"k{n}": n for n in range(100)})) == FINDINGS_MAX


def doubling(steps: int) -> dict[str, Any]:
    each = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(steps)}
    return {"$ref": "#/$defs/d0", "$defs": each | {f"d{steps}": {"type": "object"}}}


@pytest.mark.parametrize(
    ("schema", "pointer", "says"),
    [
        ({"type": "nope"}, "/type", ""),
        ({"properties": {"a": 5}}, "/properties/a", ""),
        ({"pattern": "(a+"}, "/pattern", "regex"),
        ({"pattern": "(?=a)b"}, "/pattern", "regex"),
        ({"$ref": "https://example.com/schema"}, "/$ref", "outside"),
        ({"items": {"$ref": "file:///etc/passwd"}}, "/items/$ref", "outside"),
        ({"$ref": "#/$defs/no"}, "/$ref", "nothing at"),
        ({"properties": {"a": {"$ref": "#"}}}, "/properties/a/$ref", "circle"),
        ({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}, "", "circle"),
        ({"items": {"$id": "x"}}, "/items/$id", "$id"),
        ({"$dynamicRef": "#x"}, "/$dynamicRef", "$dynamicRef"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema", "2020-12"),
        ({"description": "x" * 40_000}, "", "bytes"),
        (doubling(30), "", "written out"),
    ],
)
def test_what_is_no_schema_is_refused_with_its_place(
    schema: dict[str, Any], pointer: str, says: str
) -> None:
    began = time.process_time()
    with pytest.raises(SchemaFault) as fault:
        compile_schema(schema, LIMITS)
    assert time.process_time() - began < 2
    assert fault.value.pointer.endswith(pointer)
    assert says in fault.value.detail
    assert fault.value.hint
    template = TemplateIn("n", {"sms": {"en": TemplateBody(text="x")}}, schema=schema)
    renderer = Renderer(TemplateStore(MemoryEntities()), LIMITS)
    found = check_template(template, renderer.text_language, renderer.html_language)
    assert [one.pointer for one in found] == [f"/schema{fault.value.pointer}"]


def test_names_of_properties_are_no_keywords() -> None:
    schema = {"properties": {"$ref": {"type": "string"}, "$id": {"type": "integer"}}}
    assert set(findings(schema, {"$ref": 1, "$id": 2})) == {"/data/$ref"}


def test_too_much_data_for_a_schema_is_a_finding() -> None:
    schema = doubling(6)
    began = time.process_time()
    found = findings(schema, {"list": list(range(200_000))})
    assert "too large" in found["/data"]
    assert time.process_time() - began < 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)
KEYWORDS = st.sampled_from(
    ["type", "properties", "items", "allOf", "anyOf", "not", "$ref", "$defs", "required", "enum"]
)


@given(st.dictionaries(KEYWORDS, JSON | st.dictionaries(KEYWORDS, JSON), max_size=4), JSON)
def test_any_object_is_a_schema_or_refused(schema: dict[str, Any], value: Any) -> None:
    try:
        compiled = compile_schema(schema, LIMITS)
    except SchemaFault as fault:
        assert fault.detail
        return
    assert all(each.pointer.startswith("/data") for each in compiled.findings({"v": value}))


async def test_data_is_checked_before_anything_is_rendered() -> None:
    store = TemplateStore(MemoryEntities())
    body = TemplateBody(text="{{ code | plus: missing }}")
    await store.put("t", TemplateIn("otp", {"sms": {"en": body}}, schema=ORDER), None)
    renderer = Renderer(store, LIMITS)
    with pytest.raises(ProblemError) as problem:
        await renderer.render_soon("t", "otp", None, "sms", {"code": "SECRET", "order": {}})
    assert (problem.value.status, problem.value.code) == (400, "template_data_invalid")
    assert problem.value.errors[0].pointer == "/data/code"
    assert b"SECRET" not in problem.value.body("trace")
    with pytest.raises(ProblemError) as problem:
        await renderer.render_soon("t", "otp", None, "sms", {"code": "123456", "order": {}})
    assert problem.value.code == "template_failed"
