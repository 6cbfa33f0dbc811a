"""Differences: applying them to the one side gives the other, and nothing else is told."""

from hypothesis import given
from hypothesis import strategies as st

from core.contract.templates import Change, TemplateBody, TemplateIn
from core.templates.diff import changes, unified
from core.templates.versions import Pin, Published

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "@@ x", "-y", "+z"]), max_size=30)


@given(LINES, LINES)
def test_a_diff_leads_from_one_text_to_the_other(old: list[str], new: list[str]) -> None:
    old, new = [*old, "end"], [*new, "end"]
    assert applied(old, unified("\n".join(old), "\n".join(new))) == new


def applied(lines: list[str], diff: list[str]) -> list[str]:
    """What `patch` makes of it."""
    old = list(lines)
    made: list[str] = []
    at = 0
    for line in diff:
        if line.startswith("@@ -"):
            start, _, length = line.split()[1][1:].partition(",")
            begin = int(start) - (length != "0")
            made += old[at:begin]
            at = begin
        elif line.startswith("+"):
            made.append(line[1:])
        else:
            assert old[at] == line[1:]
            if line.startswith(" "):
                made.append(line[1:])
            at += 1
    return made + old[at:]


def test_texts_with_nothing_in_common_are_replaced_whole() -> None:
    old, new = ["same"] + [f"a{n}" for n in range(1500)], ["same"] + [f"b{n}" for n in range(1500)]
    diff = unified("\n".join(old), "\n".join(new))
    assert len(diff) == 3001
    assert applied(old, diff) == new


def test_each_part_has_its_pointer() -> None:
    before = Published(
        TemplateIn(
            "n",
            {
                "email": {"en": TemplateBody(subject="a", text="x\ny")},
                "sms": {"en": TemplateBody("s")},
            },
        ),
        {"foot": Pin(1, "partial", {})},
    )
    after = Published(
        TemplateIn(
            "n",
            {"email": {"en": TemplateBody(subject="a", text="x\nz", layout="base")}},
            schema={"type": "object"},
        ),
        {"foot": Pin(2, "partial", {})},
    )
    assert changes(before, after) == [
        Change("/bodies/email/en/layout", "added", after="base"),
        Change("/bodies/email/en/text", "changed", diff=["@@ -1,2 +1,2 @@", " x", "-y", "+z"]),
        Change("/bodies/sms/en/text", "removed", diff=["@@ -1 +0,0 @@", "-s"]),
        Change("/schema", "added", after={"type": "object"}),
        Change("/uses/foot", "changed", before=1, after=2),
    ]
    assert changes(before, before) == []
    assert all(not c.pointer.startswith("/uses") for c in changes(before, after, pinned=False))
    assert unified("a\r\nb", "a\nb") == ["@@ only the ends of lines differ @@"]
