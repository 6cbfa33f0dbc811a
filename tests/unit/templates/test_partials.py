"""Partials and layouts: put in from what is kept, escaped, bounded, and refused with a reason."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contract.problems import ProblemError
from core.contract.sections.core import TemplatesSettings
from core.contract.templates import TemplateBody, TemplateIn, TemplateKind
from core.templates.language import RenderFault
from core.templates.link import BodyFault, Linker
from core.templates.publish import Publisher
from core.templates.render import Renderer
from core.templates.rendered import render_body
from core.templates.store import TemplateStore
from core.templates.versions import Pin, Pins, Stamp
from sync.store.entities_memory import MemoryEntities

LIMITS = TemplatesSettings()
RENDERER = Renderer(TemplateStore(MemoryEntities()), LIMITS)


def html(source: str, kind: TemplateKind = "partial", **more: Any) -> Pin:
    return Pin(1, kind, {"email": {"en": TemplateBody(html=source, **more)}})


def linked(source: str, pins: Pins, layout: str | None = None) -> Any:
    body = TemplateBody(subject="s", html=source, layout=layout)
    return RENDERER.linker(pins).body("email", "en", body)


def rendered(source: str, pins: Pins, **data: Any) -> str:
    return linked(source, pins).html.render(data)  # type: ignore[no-any-return]


def test_a_partial_sees_the_data_and_its_arguments_and_nothing_else() -> None:
    pins = {
        "hello": html("<b>{{ name }}</b> {{ x | default: 'no x' }}"),
        "row": html("{{ forloop.index }}:{{ item.n }}{% unless forloop.last %},{% endunless %}"),
        "one": html("[{{ one }}]"),
    }
    assert rendered('{% render "hello" %}', pins, name="<Zoë>") == "<b>&lt;Zoë&gt;</b> no x"
    source = "{% assign x = 1 %}{% render 'hello', name: other %}"
    assert rendered(source, pins, name="a", other="b") == "<b>b</b> no x"
    source = '{% render "hello", x: 5 %}'
    assert rendered(source, pins, name="a") == "<b>a</b> 5"
    source = '{% render "row" for items as item %}'
    assert rendered(source, pins, items=[{"n": 7}, {"n": 8}]) == "1:7,2:8"
    assert rendered(source, pins, items=[]) == ""
    assert rendered('{% render "one" with v %}', pins, v="a&b") == "[a&amp;b]"
    assert (
        rendered("{% for i in (1..3) %}{% render 'one', one: i %}{% endfor %}", pins) == "[1][2][3]"
    )
    source = "{% assign one = 'before' %}{% render 'sets' %}{{ one }}"
    assert rendered(source, {"sets": html("{% assign one = 'after' %}")}) == "before"


def test_partials_within_partials_and_their_locales() -> None:
    pins = {
        "foot": Pin(
            1,
            "partial",
            {
                "email": {
                    "en": TemplateBody(html="bye {% render 'sign' %}"),
                    "de": TemplateBody(html="tschüss {% render 'sign' %}"),
                }
            },
        ),
        "sign": Pin(
            1,
            "partial",
            {"email": {"en": TemplateBody(html="Us"), "de-AT": TemplateBody(html="Mir")}},
        ),
    }
    linker = RENDERER.linker(pins)
    told = {}
    for locale in ("en", "de", "de-AT"):
        part = linker.part("email", locale, "html", '{% render "foot" %}')
        assert part is not None
        told[locale] = part.render({})
    assert told == {"en": "bye Us", "de": "tschüss Us", "de-AT": "tschüss Mir"}
    assert linker.used == {"foot", "sign"}


def test_a_layout_stands_around_the_content() -> None:
    layout = html("<html>{{ content }}<p>{{ name }}</p></html>", "layout", text="{{ content }}--")
    body = TemplateBody(subject="s", html="<b>{{ name }}</b>", text="Hi {{ name }}", layout="base")
    compiled = RENDERER.linker({"base": layout}).body("email", "en", body)
    done = render_body("n", 1, "email", compiled, {"name": "<x>", "content": "mine"})
    assert done.html == "<html><b>&lt;x&gt;</b><p>&lt;x&gt;</p></html>"
    assert done.text == "Hi <x>--"
    only_html = html("<html>{{ content }}</html>", "layout")
    compiled = RENDERER.linker({"base": only_html}).body("email", "en", body)
    assert render_body("n", 1, "email", compiled, {"name": "x"}).text == "Hi x"


def test_content_is_shown_as_it_is_and_in_no_other_way() -> None:
    for source in (
        "{{ content | upcase }}",
        "{{ content | append: 'x' }}",
        "{{ 'x' | append: content }}",
    ):
        compiled = linked("<b>x</b>", {"base": html(source, "layout")}, "base")
        with pytest.raises(ProblemError) as problem:
            render_body("n", 1, "email", compiled, {})
        assert "takes no filters" in problem.value.detail


@pytest.mark.parametrize(
    ("source", "pins", "layout", "part", "says"),
    [
        ("a\n{% render 'no' %}", {}, None, "html", "no published partial `no`"),
        (
            "{% render 'p' %}",
            {"p": html("x", "layout")},
            None,
            "html",
            "is a layout, not a partial",
        ),
        ("x", {"base": html("x")}, "base", "layout", "is a partial, not a layout"),
        ("x", {}, "base", "layout", "no published layout `base`"),
        ("{% render 'p' %}", {"p": html("{% render 'p' %}")}, None, "html", "circle: p → p"),
        (
            "{% render 'a' %}",
            {"a": html("{% render 'b' %}"), "b": html("{% render 'a' %}")},
            None,
            "html",
            "circle: a → b → a",
        ),
        ("{% render 'p' %}", {"p": Pin(1, "partial", {})}, None, "html", "has no body for email"),
        (
            "{% render 'p' %}",
            {"p": Pin(1, "partial", {"email": {"en": TemplateBody(text="x")}})},
            None,
            "html",
            "has no html for email",
        ),
        ("{% render 'p' %}", {"p": html("\n{{ x")}, None, "html", "partial `p`, line 2"),
    ],
)
def test_what_cannot_be_put_in_is_refused_with_its_reason(
    source: str, pins: Pins, layout: str | None, part: str, says: str
) -> None:
    with pytest.raises(BodyFault) as fault:
        linked(source, pins, layout)
    assert fault.value.part == part
    assert says in fault.value.fault.detail
    assert fault.value.fault.line == source.count("\n") + 1


@given(st.integers(1, 12), st.booleans())
def test_depth_is_bounded_whichever_way_it_is_reached(depth: int, known_before: bool) -> None:
    pins = {f"p{n}": html(f"{{% render 'p{n + 1}' %}}") for n in range(depth - 1)}
    pins[f"p{depth - 1}"] = html("end")
    linker = RENDERER.linker(pins)
    if known_before:
        # Parts that are known already count as deep as they are.
        linker.part("email", "en", "html", f"{{% render 'p{depth // 2}' %}}")
    fits = depth <= LIMITS.partials_depth_max
    try:
        part = linker.part("email", "en", "html", "{% render 'p0' %}")
    except BodyFault as fault:
        assert not fits
        assert "in each other" in fault.fault.detail
    else:
        assert fits and part is not None
        assert part.render({}) == "end"


def fault_of(source: str, pins: Pins, **data: Any) -> RenderFault:
    with pytest.raises(RenderFault) as fault:
        rendered(source, pins, **data)
    return fault.value


def test_faults_name_the_partial_and_its_line() -> None:
    fault = fault_of('{% render "p" %}', {"p": html("a\nb {{ who.name }}")}, who={})
    assert (fault.partial, fault.line, fault.missing) == ("p", 2, "who.name")
    fault = fault_of(
        "{% for i in (1..2) %}{% render 'p' %}{% endfor %}", {"p": html("{% break %}")}
    )
    assert (fault.partial, "outside of a loop" in fault.detail) == ("p", True)
    fault = fault_of(
        '{% render "o" %}', {"o": html("\n\n{% render 'p' %}"), "p": html("\n{{ x }}")}
    )
    assert (fault.partial, fault.line) == ("p", 2)


def test_partials_take_from_the_purse_of_their_user() -> None:
    """Each partial doubles the work of the next; none of them has a loop of its own."""
    many = "{% render 'next' %}" * 40
    pins = {f"p{n}": html(many.replace("next", f"p{n + 1}")) for n in range(5)}
    pins["p5"] = html("{{ x }}" * 100)
    began = time.process_time()
    fault = fault_of("{% render 'p0' %}", pins, x="y")
    assert "limit" in fault.detail
    assert time.process_time() - began < 5
    rounds = "{% for i in (1..200) %}{% render 'row' for items as item %}{% endfor %}"
    fault = fault_of(rounds, {"row": html("{{ item }}")}, items=list(range(100)))
    assert "limit" in fault.detail


# Publishing


class Shop:
    """A tenant's templates, as they are published."""

    def __init__(self, **limits: Any) -> None:
        self.store = TemplateStore(MemoryEntities())
        self.renderer = Renderer(self.store, TemplatesSettings(**limits))
        self.publisher = Publisher(self.store, self.renderer)

    async def publish(self, name: str, kind: TemplateKind = "message", **body: Any) -> int:
        template = TemplateIn(name, {"email": {"en": TemplateBody(**body)}}, kind=kind)
        stored = await self.publisher.publish("t", template, None, Stamp())
        self.renderer.changed(f"t/{name}")
        return stored.version

    async def html(self, name: str, **data: Any) -> str:
        return (await self.renderer.render_soon("t", name, None, "email", data)).html

    async def refused(self, *args: Any, **body: Any) -> tuple[str, str]:
        with pytest.raises(ProblemError) as problem:
            await self.publish(*args, **body)
        first = problem.value.errors[0]
        assert first.hint
        return first.pointer, first.detail


async def test_what_is_in_force_changes_only_when_it_is_published() -> None:
    shop = Shop()
    await shop.publish("sign", "partial", html="Us")
    await shop.publish("foot", "partial", html="<i>{% render 'sign' %}</i>")
    await shop.publish("base", "layout", html="<html>{{ content }}</html>")
    body = {"subject": "s", "html": "<p>Hi</p>{% render 'foot' %}", "layout": "base"}
    assert await shop.publish("mail", **body) == 1
    assert await shop.html("mail") == "<html><p>Hi</p><i>Us</i></html>"
    await shop.publish("sign", "partial", html="We")
    await shop.store.delete("t", "base", None)
    shop.renderer.forget_all()
    assert await shop.html("mail") == "<html><p>Hi</p><i>Us</i></html>"
    assert await shop.refused("mail", **body) == (
        "/bodies/email/en/layout",
        "there is no published layout `base`",
    )
    await shop.publish("base", "layout", html="<html>{{ content }}</html>")
    assert await shop.publish("mail", **body) == 2
    assert await shop.html("mail") == "<html><p>Hi</p><i>We</i></html>"
    stored = await shop.store.get("t", "mail")
    assert stored is not None
    assert {name: pin.version for name, pin in stored.pins.items()} == {
        "base": 3,
        "foot": 1,
        "sign": 2,
    }
    assert await shop.publish("mail", **body) == 2


async def test_a_circle_through_itself_is_found_when_a_partial_is_published() -> None:
    shop = Shop()
    await shop.publish("a", "partial", html="x")
    await shop.publish("b", "partial", html="{% render 'a' %}")
    pointer, detail = await shop.refused("a", "partial", html="{% render 'b' %}")
    assert (pointer, "circle" in detail) == ("/bodies/email/en/html", True)


async def test_partials_are_of_the_tenant_alone() -> None:
    shop = Shop()
    other = TemplateIn("foot", {"email": {"en": TemplateBody(html="x")}}, kind="partial")
    await shop.publisher.publish("other", other, None, Stamp())
    for name in ("foot", "../other/foot", "/etc/passwd"):
        _, detail = await shop.refused("mail", subject="s", html=f"{{% render '{name}' %}}")
        assert "no published partial" in detail


async def test_publishing_is_bounded_in_number_and_size() -> None:
    shop = Shop(partials_max=3, published_bytes_max=20_000)
    for n in range(4):
        await shop.publish(f"p{n}", "partial", html="x" * 6000)
    all_of_them = "".join(f"{{% render 'p{n}' %}}" for n in range(4))
    assert "more than 3" in (await shop.refused("mail", subject="s", html=all_of_them))[1]
    three = all_of_them.replace("{% render 'p3' %}", "x" * 6000)
    assert "20000" in (await shop.refused("mail", subject="s", html=three))[1]


async def test_kinds_do_not_change_and_only_messages_are_sent() -> None:
    shop = Shop()
    await shop.publish("p", "partial", html="x")
    assert (await shop.refused("p", subject="s", html="x"))[0] == "/kind"
    with pytest.raises(ProblemError) as problem:
        await shop.html("p")
    assert "partial, which stands in other templates" in problem.value.detail


def test_a_linker_reads_nothing_but_its_pins() -> None:
    linker = Linker({}, RENDERER.text_language, RENDERER.html_language, 3)
    with pytest.raises(BodyFault):
        linker.part("email", "en", "html", "{% render 'welcome' %}")
