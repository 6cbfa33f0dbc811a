"""From a decoder's complaint to the place in the caller's JSON, and a hint how to mend it.

Pure, and only on the way of a request that is refused, so it may take its time; it reads the body
again where the decoder does not say which member of a map is wrong. It never raises: whatever
cannot be explained better is told in the decoder's own words with the pointer to the whole body.
"""

import difflib
import re
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.inspect import (
    DictType,
    ListType,
    LiteralType,
    Metadata,
    StructType,
    Type,
    UnionType,
    type_info,
)

_OPENING = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
# Possessive, and an open string runs to the end: time stays linear whatever the bytes are.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_PATH = re.compile(r" - at `(key` in `)?(\$[^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|(\[\.\.\.\])")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`$", re.DOTALL)
_BOUND = re.compile(r"(int|float)[^`]*` [<>]")
_BYTE = re.compile(r" \(byte (\d+)\)$")
_MEMBERS_TRIED_MAX = 1000
_NAMES = {"object": "an object", "array": "an array", "str": "a string", "int": "an integer"}
_NAMES |= {"float": "a number", "bool": "true or false", "null": "null"}


class FieldProblem(Struct, frozen=True, gc=False):
    """One thing that is wrong, where (RFC 6901, "" is the whole body), and what to do."""

    pointer: str
    detail: str
    hint: str


def escape(name: str) -> str:
    """A member's name as it stands in a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def too_deep(body: bytes, max_depth: int) -> bool:
    """Whether objects and arrays are nested deeper than that.

    The common case costs two counts. Otherwise strings are taken out and then the innermost
    pairs, level by level. Brackets that do not match are the decoder's business, unless so many
    stand open that it would have to follow them down.
    """
    if body.count(b"{") + body.count(b"[") <= max_depth:
        return False
    left = _STRING.sub(b"", body).translate(_OPENING, _NOT_BRACKETS)
    for _ in range(max_depth):
        shorter = left.replace(b"[]", b"")
        if len(shorter) == len(left):
            break
        left = shorter
    return b"[]" in left or left.count(b"[") > max_depth


def explain_malformed(error: Exception, body: bytes) -> FieldProblem:
    """What is no JSON at all: with line and column."""
    if isinstance(error, UnicodeDecodeError):
        return FieldProblem("", "the body is not UTF-8", "Encode the body as UTF-8.")
    text = str(error)
    found = _BYTE.search(text)
    if found is None:
        if not body.strip():
            return FieldProblem("", "the body is empty", "Send a JSON object.")
        detail = "the body ends in the middle, or a string holds half of a surrogate pair"
        return FieldProblem("", detail, "Check that the whole body was sent.")
    # The decoder counts a trailing character as read, and every other one not.
    at = int(found[1]) - ("trailing characters" in text)
    line = body.count(b"\n", 0, at) + 1
    column = at - (body.rfind(b"\n", 0, at) + 1) + 1
    what = text[: found.start()].removeprefix("JSON is malformed: ")
    detail = f"{what} at line {line}, column {column}"
    if body.startswith(b"\xef\xbb\xbf"):
        return FieldProblem("", detail, "Send UTF-8 without a byte order mark.")
    hint = "Check for missing quotes, a trailing comma, a comment, NaN or a second document."
    return FieldProblem("", detail, hint)


def explain_mismatch(message: str, body: bytes, target: Any) -> FieldProblem:
    """What is JSON but not what `target` describes."""
    found = _PATH.search(message)
    what = message[: found.start()] if found else message
    unknown = _UNKNOWN.match(what)
    if found and what.startswith("Object contains unknown") and not unknown:
        # A member's own name looked like the end of such a message: it is the outermost object's.
        found, unknown = None, _UNKNOWN.match(message)
    path = found[2] + "[...]" * bool(found[1]) if found else "$"
    steps = _steps(path, message, body, target)
    pointer = "".join(f"/{escape(str(step))}" for step in steps)
    if unknown:
        hint = _did_you_mean(unknown[1], _fields_at(steps, target))
        return FieldProblem(f"{pointer}/{escape(unknown[1])}", "unknown field", hint)
    missing = _MISSING.match(what)
    if missing:
        name = missing[1]
        return FieldProblem(f"{pointer}/{escape(name)}", "missing field", f"Add `{name}`.")
    types = _keys_at(steps, target) if found and found[1] else _types_at(steps, target)
    return FieldProblem(pointer, _plain(what), _hint(what, types))


def _steps(path: str, message: str, body: bytes, target: Any) -> list[str | int]:
    """The members and indexes of the path; those of maps, which it leaves out, found by trying."""
    steps: list[str | int] = []
    for name, index, anonymous in _STEP.findall(path[1:]):
        if anonymous:
            key = _wrong_member(steps, message, body, target)
            if key is None:
                break
            steps.append(key)
        else:
            steps.append(int(index) if index else name)
    return steps


def _wrong_member(steps: list[str | int], message: str, body: bytes, target: Any) -> str | None:
    try:
        whole = msgspec.json.decode(body)
        members = _dig(whole, steps)
        if not isinstance(members, dict):
            return None
        # Each member is tried alone; the one that brings the same complaint is the one.
        for key in list(members)[:_MEMBERS_TRIED_MAX]:
            alone = msgspec.convert(_replaced(whole, steps, {key: members[key]}), dict[str, Any])
            try:
                msgspec.convert(alone, target)
            except msgspec.ValidationError as error:
                if str(error) == message:
                    return str(key)
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return None
    return None


def _dig(value: Any, steps: list[str | int]) -> Any:
    for step in steps:
        value = value[step]
    return value


def _replaced(value: Any, steps: list[str | int], inner: Any) -> Any:
    if not steps:
        return inner
    copy = value.copy()
    copy[steps[0]] = _replaced(value[steps[0]], steps[1:], inner)
    return copy


def _flat(kind: Type) -> list[Type]:
    """The alternatives of a union. What a Meta says stays: it wraps a type in `Metadata`."""
    if isinstance(kind, UnionType):
        return [one for inner in kind.types for one in _flat(inner)]
    return [kind]


def _bare(kinds: list[Type]) -> list[Type]:
    return [
        one
        for kind in kinds
        for one in (_bare(_flat(kind.type)) if isinstance(kind, Metadata) else [kind])
    ]


def _types_at(steps: list[str | int], target: Any) -> list[Type]:
    """The types that may stand at this place (several for a union)."""
    types = _flat(type_info(target))
    for step in steps:
        inner: list[Type] = []
        for one in _bare(types):
            if isinstance(one, StructType):
                inner.extend(f.type for f in one.fields if f.encode_name == step)
            elif isinstance(one, ListType):
                inner.append(one.item_type)
            elif isinstance(one, DictType):
                inner.append(one.value_type)
        types = [one for kind in inner for one in _flat(kind)]
    return types


def _keys_at(steps: list[str | int], target: Any) -> list[Type]:
    parents = _bare(_types_at(steps[:-1], target))
    return [one.key_type for one in parents if isinstance(one, DictType)]


def _fields_at(steps: list[str | int], target: Any) -> list[str]:
    found = [one for one in _bare(_types_at(steps, target)) if isinstance(one, StructType)]
    return [f.encode_name for one in found for f in one.fields]


def _did_you_mean(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"Did you mean `{close[0]}`?"
    return f"Leave it out. Known here: {', '.join(known)}." if known else "Leave it out."


def _hint(what: str, types: list[Type]) -> str:
    if what.startswith("Invalid enum value"):
        literals = [one for one in _bare(types) if isinstance(one, LiteralType)]
        values = [str(value) for one in literals for value in one.values]
        return f"Use one of: {', '.join(values)}."
    if " matching regex " in what:
        schemas = [one.extra_json_schema or {} for one in types if isinstance(one, Metadata)]
        notes = [schema["description"] for schema in schemas if "description" in schema]
        return f"Write it as {notes[0]}." if notes else "Write it in the documented form."
    if " of length " in what:
        return "Shorten it." if "<=" in what else "It must not be empty."
    if "out of range" in what or _BOUND.search(what) is not None:
        return "Use a number within the limits."
    return "Change its type; /openapi.json describes each field."


def _plain(what: str) -> str:
    """`Expected `str | null`, got `int`` in words of JSON."""

    def word(found: re.Match[str]) -> str:
        names = found[1].split(" | ")
        return " or ".join(_NAMES.get(name, name) for name in names)

    text = re.sub(r"`([^`]*)`", word, re.sub(r" matching regex '.*'$", " of another form", what))
    return text[:1].lower() + text[1:]
