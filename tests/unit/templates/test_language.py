"""The dialect: strict about data, escaped in HTML, and bounded whatever author and data are."""

import time
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.contract.sections.core import TemplatesSettings
from core.templates.language import FILTERS, Language, RenderFault
from core.templates.scan import SourceFault

LIMITS = TemplatesSettings()
TEXT = Language(False, LIMITS)
HTML = Language(True, LIMITS)


def text(source: str, **data: Any) -> str:
    return TEXT.compile(source).render(data)


def html(source: str, **data: Any) -> str:
    return HTML.compile(source).render(data)


def test_what_templates_are_for() -> None:
    assert text("Your code is {{ code }}.", code="0123") == "Your code is 0123."
    assert text("{{ a.b }} {{ l[1] }} {{ n }}|", a={"b": 1.5}, l=[1, 2], n=None) == "1.5 2 |"
    assert text("{% for x in xs %}{{ x }}{% unless forloop.last %}, {% endunless %}{% endfor %}",
                xs=["a", "b"]) == "a, b"  # fmt: skip
    assert text("{% if n > 1 %}many{% else %}one{% endif %}", n=2) == "many"
    assert text("{% case k %}{% when 'a' %}A{% else %}B{% endcase %}", k="a") == "A"
    assert text("{% assign x = n | plus: 1 %}{% capture y %}<{{ x }}>{% endcapture %}{{ y }}",
                n=1) == "<2>"  # fmt: skip
    assert (
        text("{% comment %}{{ nothing }}{% endcomment %}{% raw %}{{ x }}{% endraw %}") == "{{ x }}"
    )
    assert text("{{ name | default: 'friend' }}") == "friend"
    assert text("{{ true_or_not }}", true_or_not=True) == "true"
    assert text("{{ tags | join: ', ' }}", tags=["a", 1]) == "a, 1"
    assert text("沟通 {{ who }} 🎉", who="Zoë") == "沟通 Zoë 🎉"


@pytest.mark.parametrize(
    ("source", "missing", "line"),
    [
        ("{{ code }}", "code", 1),
        ("a\nb\n{{ order.total }}", "order.total", 3),
        ("{% if code %}x{% endif %}", "code", 1),
        ("{% if code == 'x' %}x{% endif %}", "code", 1),
        ("{% if order.items contains code %}x{% endif %}", "code", 1),
        ("{% for x in code %}x{% endfor %}", "code", 1),
        ("{% case code %}{% when 'x' %}x{% endcase %}", "code", 1),
        ("\n{% assign x = code %}\n{{ x }}", "code", 2),
        ("{{ code | upcase }}", "code", 1),
        ("{{ code | size }}", "code", 1),
        ("{{ 'abc' | append: code }}", "code", 1),
        ("{{ order.items | where: 'a', code | size }}", "code", 1),
        ("{{ order.items | join: code }}", "code", 1),
        ("{{ 'x' | default: code }}", "code", 1),
        ("{{ now }}", "now", 1),
        ("{{ order['total'] }}", "order.total", 1),
    ],
)
def test_missing_data_is_named_with_its_line(source: str, missing: str, line: int) -> None:
    for language in (TEXT, HTML):
        with pytest.raises(RenderFault) as fault:
            language.compile(source).render({"order": {"items": ["a"]}})
        assert (fault.value.missing, fault.value.line) == (missing, line)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{{ o }}", "an object cannot be shown"),
        ("{{ l }}", "a list of objects"),
        ("{{ 'x' | date: '%Y' }}", "ISO 8601"),
        ("{{ 'now' | date: '%Y' }}", "ISO 8601"),
        ("{{ 0 | date: '%100000000d' }}", "directive"),
        ("{{ 0 | date: o }}", "pattern"),
        ("{{ 5 | divided_by: 0 }}", "`divided_by` cannot take"),
        ("{{ 'SECRET' | replace: sub: 'a', seq: 'b' }}", "no argument sub, seq"),
        ("{{ l | concat: s }}", "cannot take"),
        ("{{ strings | uniq: 'k' }}", "cannot take"),
        ("{{ strings | sum: s }}", "a filter failed"),
        ("{% break %}", "outside of a loop"),
    ],
)
def test_other_failures_are_explained_without_the_data(source: str, says: str) -> None:
    with pytest.raises(RenderFault) as fault:
        text(source, o={"a": "SECRET"}, l=[{"a": "SECRET"}], s="SECRET", strings=["SECRET"])
    assert says in fault.value.detail
    assert "SECRET" not in str(fault.value)
    assert fault.value.missing == ""


@pytest.mark.parametrize(
    ("value", "pattern", "wanted"),
    [
        ("2026-01-31T12:30:00+02:00", "%Y-%m-%d %H:%M %z", "2026-01-31 12:30 +0200"),
        ("2026-01-05", "%-d. %b", "5. Jan"),
        (0, "%Y-%m-%dT%H:%M:%SZ", "1970-01-01T00:00:00Z"),
    ],
)
def test_dates_depend_on_the_data_alone(value: object, pattern: str, wanted: str) -> None:
    assert text(f"{{{{ v | date: '{pattern}' }}}}", v=value) == wanted


@pytest.mark.parametrize(
    ("source", "line", "says"),
    [
        ("a\n{{ x", 2, "not closed by }}"),
        ("{% if x %}a", 1, "endif"),
        ("{% if %}a{% endif %}", 1, ""),
        ("\n\n{% include 'x' %}", 3, "no tag `include`"),
        ("{% render x %}", 1, "in quotes"),
        ("{% liquid echo x %}", 1, "no tag `liquid`"),
        ("{% raw %}{{ x }}", 1, "endraw"),
        ("a\n{{ x | nope }}", 2, "no filter `nope`"),
        ("{{ x | safe }}", 1, "no filter `safe`"),
        ("{{ x y }}", 1, ""),
        ("{{ x | }}", 1, ""),
        ("{% endif %}", 1, ""),
        ("{{ a }}" * 2001, 1, "more than 2000"),
        ("{{" + " " * 51 + "a }}", 1, "spaces"),
        ("x" * (LIMITS.source_bytes_max + 1), 1, "bytes"),
        ("{% if a %}" * 31 + "{% endif %}" * 31, 1, "nesting"),
    ],
)
def test_a_wrong_source_is_refused_with_its_line(source: str, line: int, says: str) -> None:
    with pytest.raises(SourceFault) as fault:
        TEXT.compile(source)
    assert fault.value.line == line
    assert says in fault.value.detail


HOSTILE = "<script>alert(1)</script>&\"'"


def test_values_are_escaped_in_html_only() -> None:
    assert text("<b>{{ v }}</b>", v=HOSTILE) == f"<b>{HOSTILE}</b>"
    assert html("<b>{{ v }}</b>", v="<i>&\"'") == "<b>&lt;i&gt;&amp;&#34;&#39;</b>"
    assert html("{{ l | join: ', ' }}{{ l }}", l=["<i>"]) == "&lt;i&gt;&lt;i&gt;"


@pytest.mark.parametrize("first", sorted(FILTERS))
def test_no_pair_of_filters_lets_data_become_markup(first: str) -> None:
    arguments = ["", ": v", ": l", ": 'a'", ": 1", ": 'script', v"]
    sources = []
    for value, argument in product(["v", "l", "0", "c"], arguments):
        made = f"{{% capture c %}}{{{{ v }}}}{{% endcapture %}}{{{{ {value} | {first}{argument}"
        sources.append(made + " }}")
        if argument in ("", ": v"):
            sources += [f"{made} | {second} }}}}" for second in sorted(FILTERS)]
    rendered = 0
    for source in sources:
        try:
            out = html(source, v=HOSTILE, l=[HOSTILE]).lower()
        except (RenderFault, SourceFault):
            continue
        rendered += 1
        assert "<script" not in out, source
        assert "</script" not in out, source
    assert rendered


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in (1..100000) %}x{% endfor %}",
        "{% for a in (1..100000000000000000000) %}{% endfor %}",
        "{% for a in (1..101) %}{% for b in (1..100) %}{% endfor %}{% endfor %}",
        "{% for a in (1..9000) %}{% endfor %}{% for a in (1..9000) %}{% endfor %}",
        "{% for a in (1..9000) %}" + "{{ a }}" * 500 + "{% endfor %}",
        "{% for a in (1..9000) %}{% if big contains 'y' %}{% endif %}{% endfor %}",
        "{% for a in (1..9000) %}{% assign s = s | append: s %}{% endfor %}",
        "{{ (1..1000000000) | join }}",
        "{{ (1..1000000000) | reverse | first }}",
        "{{ big | replace: 'x', big }}",
        "{{ big | replace_first: '', big | replace: '', big }}",
        "{{ big | split: '' | join: big }}",
        "{{ big | split: '' | uniq | size }}",
        "{% assign n = 9999999999 %}" + "{% assign n = n | times: n %}" * 30 + "{{ n }}",
        "{% assign l = objects %}" + "{% assign l = l | concat: l %}" * 30 + "{{ l | size }}",
        "{% assign l = objects %}" + "{% assign l = l | concat: l %}" * 8 + "{{ l | join: '' }}",
        "".join(f"{{% assign v{i} = 1 %}}" for i in range(2000)),
        "{{ big }}{{ big }}{{ big }}",
    ],
)
def test_no_template_keeps_the_process_busy(source: str) -> None:
    part = TEXT.compile(source)
    data = {"big": "x" * 100_000, "s": "ab", "objects": [{"k": "v" * 50} for _ in range(500)]}
    began = time.process_time()
    with pytest.raises(RenderFault, match=r"limit|cannot take|failed"):
        part.render(data)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "source",
    [
        "{{" * 50_000,
        "{%" * 50_000,
        "{{-" * 50_000,
        "}}" * 50_000,
        "{" * 100_000,
        "{% if" * 30_000,
        "{{ a" + " " * 100_000,
        "{%" + " " * 100_000,
        "{% raw %}" * 20_000,
        "{% raw %}{% endraw %}" * 9_000,
        "{% comment %}" * 1_900,
        "{{ " + "\"'" * 400 + " }}",
        ("{{ " + "(" * 900 + " }}") * 100,
        "{{ a" + "[a" * 400 + " }}",
        "{{ a" + "|append:a" * 100 + "}}",
        "{% if " + "a and " * 150 + "a %}{% endif %}",
    ],
)
def test_no_source_keeps_the_compiler_busy(source: str) -> None:
    began = time.process_time()
    try:
        TEXT.compile(source)
    except SourceFault as fault:
        assert fault.detail
    assert time.process_time() - began < 1.0


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)
pieces = st.one_of(
    st.sampled_from(
        ["{% for x in a %}", "{% endfor %}", "{% if a %}", "{% else %}", "{% endif %}", "{{ x }}",
         "{% case a %}", "{% when b %}", "{% endcase %}", "{% assign c = a %}", "{{ a.b }}", "}}",
         "{% break %}", "{% capture c %}", "{% endcapture %}", "{{ c[0] }}", "{{", "{%", "\n"]
    ),
    st.builds(
        "{{{{ {} | {}{} | {} }}}}".format,
        st.sampled_from(["a", "b", "c", "'x'", "(a..b)", "1.5"]),
        st.sampled_from(sorted(FILTERS)),
        st.sampled_from(["", ": a", ": b, c", ": 'k'", ": 1"]),
        st.sampled_from(sorted(FILTERS)),
    ),
    st.text(max_size=10),
)  # fmt: skip


@given(
    st.lists(pieces, max_size=12).map("".join), st.fixed_dictionaries({"a": values, "b": values})
)
@settings(max_examples=400, deadline=None)
def test_nothing_but_the_two_faults_comes_out(source: str, data: dict[str, Any]) -> None:
    for language in (TEXT, HTML):
        try:
            out = language.compile(source).render(data)
        except SourceFault as fault:
            assert 1 <= fault.line <= source.count("\n") + 1
        except RenderFault as fault:
            assert 1 <= fault.line <= source.count("\n") + 1
        else:
            assert type(out) is str


@given(st.text(), st.text())
@settings(max_examples=200, deadline=None)
def test_text_without_tags_stays_as_it_is(before: str, value: str) -> None:
    before = before.replace("{", "(")
    assert text(before + "{{ v }}" + before, v=value) == before + value + before
