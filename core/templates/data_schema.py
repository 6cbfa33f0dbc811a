"""The schema of a template's data: JSON Schema 2020-12, compiled once, checked within bounds.

`compile_schema` raises `SchemaFault` for what is no schema, refers to anything outside of itself,
or refers to itself in a circle; so checking never reads files or the network. A schema whose
references would make it too large when written out is refused too: references within references
double at each step. `DataSchema.findings` answers what is wrong with the data, with pointers under
/data; values never stand in it. Schema and data together that would be too much work are a finding
as well. Patterns are matched in linear time; look-around and back-references are refused.
"""

from typing import Any

import jsonschema_rs
import msgspec

from core.contract.pointers import FieldProblem, escape
from core.contract.sections.core import TemplatesSettings
from core.templates.meter import size_of

FINDINGS_MAX = 20
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DEPTH_MAX = 64
_PATTERN_BYTES_MAX = 1 << 20
_ONE = (
    *("items", "contains", "not", "if", "then", "else", "additionalProperties", "propertyNames"),
    *("unevaluatedItems", "unevaluatedProperties", "contentSchema"),
)
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "dependentSchemas")
_BY_URI = ("$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef")
# What these find they find again for each keyword beside them.
_TWICE = ("unevaluatedItems", "unevaluatedProperties", "anyOf", "oneOf")


class SchemaFault(Exception):  # noqa: N818 - a finding about the author's text
    """The schema is wrong at `pointer` (within it)."""

    def __init__(self, pointer: str, detail: str, hint: str) -> None:
        super().__init__(f"{pointer}: {detail}")
        self.pointer = pointer
        self.detail = detail
        self.hint = hint


class DataSchema:
    """A compiled schema. Made by `compile_schema`."""

    def __init__(self, validator: Any, nodes: int, work_max: int) -> None:
        self._validator = validator
        self._data_max = work_max // max(1, nodes)

    def findings(self, data: dict[str, Any]) -> list[FieldProblem]:
        """What is wrong with the data, at most `FINDINGS_MAX`; none if it is right."""
        if size_of(data, self._data_max) > self._data_max:
            detail = "the data is too large to be checked against the template's schema"
            return [FieldProblem("/data", detail, "Send less data, or simplify the schema.")]
        if self._validator.is_valid(data):
            return []
        found: list[FieldProblem] = []
        for error in self._validator.iter_errors(data):
            found += _explained(error)
            if len(found) >= FINDINGS_MAX:
                break
        return found[:FINDINGS_MAX]


def compile_schema(schema: dict[str, Any], limits: TemplatesSettings) -> DataSchema:
    """The schema ready to check with; raises `SchemaFault`. Takes up to some ten milliseconds."""
    size = len(msgspec.json.encode(schema))
    if size > limits.schema_bytes_max:
        detail = f"{size} bytes are more than the {limits.schema_bytes_max} allowed"
        raise SchemaFault("", detail, "Simplify it.")
    dialect = schema.get("$schema", _DIALECT)
    if dialect not in (_DIALECT, _DIALECT + "#"):
        hint = f"Leave it out, or write {_DIALECT}."
        raise SchemaFault("/$schema", "schemas are of draft 2020-12", hint)
    nodes = _Size(schema, limits.schema_nodes_max).of(schema, "", ())
    try:
        validator = jsonschema_rs.Draft202012Validator(
            schema,
            mask="the value",
            offline=True,
            validate_formats=True,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES_MAX),
        )
    except jsonschema_rs.ValidationError as error:
        hint = "Write a JSON Schema of draft 2020-12; patterns without look-around."
        raise SchemaFault(_pointer(error.instance_path), str(error.message)[:300], hint) from None
    except (ValueError, RecursionError) as error:
        detail = f"it cannot be compiled: {str(error)[:200]}"
        raise SchemaFault("", detail, "Write a JSON Schema of draft 2020-12.") from None
    return DataSchema(validator, nodes, limits.schema_work_max)


class _Size:
    """Counts a schema's values with all references written out."""

    def __init__(self, root: dict[str, Any], nodes_max: int) -> None:
        self._root = root
        self._nodes_max = nodes_max
        self._counted: dict[str, int] = {}

    def of(self, schema: Any, pointer: str, above: tuple[str, ...]) -> int:
        """The size of this schema; raises `SchemaFault`."""
        if not isinstance(schema, dict):
            return 1
        if len(above) > _DEPTH_MAX or pointer.count("/") > 2 * _DEPTH_MAX:
            raise SchemaFault(pointer, "schemas are nested too deeply", "Simplify it.")
        for name in _BY_URI:
            if name in schema and (pointer or name != "$id"):
                hint = "Refer to parts of the schema with `$ref` and a pointer: #/$defs/name."
                raise SchemaFault(f"{pointer}/{escape(name)}", f"`{name}` is not for here", hint)
        total = 1 + sum(
            size_of(value, self._nodes_max)
            for name, value in schema.items()
            if name not in _ONE + _LISTS + _MAPS and name not in ("$defs", "definitions")
        )
        total += sum(self.of(*each, above) for each in _children(schema, pointer))
        if "$ref" in schema:
            total += self._referred(schema["$ref"], f"{pointer}/$ref", above)
        if any(name in schema for name in _TWICE):
            total *= 2
        if total > self._nodes_max:
            detail = f"with its references written out it has more than {self._nodes_max} values"
            raise SchemaFault(pointer, detail, "Simplify it.")
        return total

    def _referred(self, reference: Any, pointer: str, above: tuple[str, ...]) -> int:
        if not isinstance(reference, str) or not reference.startswith("#"):
            hint = "Copy what it refers to into `$defs`, and write #/$defs/name."
            raise SchemaFault(pointer, "a reference to something outside of the schema", hint)
        if reference in above or reference == "#":
            hint = "Write out how deep the data may be."
            raise SchemaFault(pointer, "a reference in a circle", hint)
        if reference not in self._counted:
            try:
                found = _at(self._root, reference)
            except (KeyError, IndexError, ValueError, TypeError):
                hint = "Write a pointer to a part of this schema, such as #/$defs/name."
                raise SchemaFault(pointer, f"there is nothing at `{reference}`", hint) from None
            self._counted[reference] = self.of(found, reference[1:], (*above, reference))
        return self._counted[reference]


def _at(schema: Any, reference: str) -> Any:
    for step in reference[1:].split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        schema = schema[int(name)] if isinstance(schema, list) else schema[name]
    return schema


def _children(schema: dict[str, Any], pointer: str) -> list[tuple[Any, str]]:
    """The schemas in this one, with their pointers."""
    found = [(schema[name], f"{pointer}/{name}") for name in _ONE if name in schema]
    for name in _LISTS:
        if isinstance(each := schema.get(name), list):
            found += [(one, f"{pointer}/{name}/{at}") for at, one in enumerate(each)]
    for name in _MAPS:
        if isinstance(each := schema.get(name), dict):
            found += [(one, f"{pointer}/{name}/{escape(key)}") for key, one in each.items()]
    return found


def _explained(error: Any) -> list[FieldProblem]:
    pointer = "/data" + _pointer(error.instance_path)
    keyword = error.kind.name
    facts = error.kind.as_dict()
    if keyword == "required":
        name = str(facts["property"])
        return [FieldProblem(f"{pointer}/{escape(name)}", "missing field", f"Add `{name}`.")]
    if keyword in ("additionalProperties", "unevaluatedProperties"):
        return [
            FieldProblem(f"{pointer}/{escape(str(name))}", "unknown field", "Leave it out.")
            for name in facts["unexpected"]
        ]
    hint = "Change it; the template's schema says what it takes."
    return [FieldProblem(pointer, str(error.message)[:300], hint)]


def _pointer(path: list[Any]) -> str:
    return "".join(f"/{escape(str(step))}" for step in path)
