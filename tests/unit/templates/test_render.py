"""The renderer: the right body, a problem where there is none, and a cache that is never stale."""

import asyncio
import time
from typing import Any

import pytest

from core.contract.problems import ProblemError
from core.contract.sections.core import TemplatesSettings
from core.contract.templates import TemplateBody, TemplateIn
from core.templates.render import Renderer, TemplateNotLoaded
from core.templates.rendered import single_line
from core.templates.store import StoredTemplate, TemplateStore
from sync.store.entities_memory import MemoryEntities
from sync.store.feed import EntityFeed
from sync.store.port import StoreError

WELCOME = TemplateIn(
    "welcome",
    {
        "sms": {
            "en": TemplateBody(text="Hello {{ name }}"),
            "en-GB": TemplateBody(text="Hiya {{ name }}"),
            "pt_BR": TemplateBody(text="Oi {{ name }}"),
        },
        "email": {
            "en": TemplateBody(
                subject="For {{ name }}", text="Hello {{ name }}", html="<p>{{ name }}</p>"
            )
        },
    },
)


class CountingStore(TemplateStore):
    """Counts reads, and can hold or fail them."""

    def __init__(self, entities: MemoryEntities) -> None:
        super().__init__(entities)
        self.reads = 0
        self.open = asyncio.Event()
        self.open.set()
        self.fails = False

    async def get(self, tenant: str, name: str) -> StoredTemplate | None:
        self.reads += 1
        found = await super().get(tenant, name)
        await self.open.wait()
        if self.fails:
            raise StoreError("away")
        return found


def renderer_of(store: TemplateStore, **limits: Any) -> Renderer:
    return Renderer(store, TemplatesSettings(**limits))


async def stored(*templates: TemplateIn) -> CountingStore:
    store = CountingStore(MemoryEntities())
    for template in templates:
        await store.put("t", template, None)
    store.reads = 0
    return store


@pytest.mark.parametrize(
    ("locale", "text", "served"),
    [
        ("en-GB", "Hiya Zoë", "en-GB"),
        ("en_gb", "Hiya Zoë", "en-GB"),
        ("en-US", "Hello Zoë", "en"),
        ("pt-BR", "Oi Zoë", "pt_BR"),
        ("fr", "Hello Zoë", "en"),
        (None, "Hello Zoë", "en"),
    ],
)
async def test_the_body_of_the_nearest_locale(locale: str | None, text: str, served: str) -> None:
    renderer = renderer_of(await stored(WELCOME))
    done = await renderer.render_soon("t", "welcome", locale, "sms", {"name": "Zoë"})
    assert (done.text, done.locale, done.subject, done.html) == (text, served, "", "")
    assert (done.template, done.version) == ("welcome", 1)


async def test_html_is_escaped_and_a_subject_stays_one_line() -> None:
    renderer = renderer_of(await stored(WELCOME))
    name = "<b>\r\nBcc: x@example.com"
    done = await renderer.render_soon("t", "welcome", "en", "email", {"name": name})
    assert done.subject == "For <b> Bcc: x@example.com"
    assert done.text == f"Hello {name}"
    assert done.html == "<p>&lt;b&gt;\r\nBcc: x@example.com</p>"


def test_single_line_folds_all_that_ends_a_line() -> None:
    assert single_line(" a\r\nb\x0bc\x0cd\x1ee\x85f\u2028g\u2029h\0i\t") == "a b c d e f g h i"
    assert single_line("a  b") == "a  b"


async def test_a_second_rendering_reads_nothing() -> None:
    store = await stored(WELCOME)
    renderer = renderer_of(store)
    with pytest.raises(TemplateNotLoaded) as need:
        renderer.render("t", "welcome", "en", "sms", {"name": "a"})
    await renderer.load(need.value)
    assert renderer.render("t", "welcome", "en", "sms", {"name": "a"}).text == "Hello a"
    assert renderer.render("t", "welcome", "xx", "sms", {"name": "b"}).text == "Hello b"
    assert store.reads == 1


async def test_callers_at_once_share_one_read() -> None:
    store = await stored(WELCOME)
    renderer = renderer_of(store)
    store.open.clear()
    asked = [
        asyncio.ensure_future(renderer.render_soon("t", "welcome", "en", "sms", {"name": str(n)}))
        for n in range(20)
    ]
    await asyncio.sleep(0)
    asked[0].cancel()
    await asyncio.sleep(0)
    store.open.set()
    done = await asyncio.gather(*asked[1:])
    assert [one.text for one in done] == [f"Hello {n}" for n in range(1, 20)]
    assert store.reads == 1


async def failed(renderer: Renderer, *args: Any) -> ProblemError:
    with pytest.raises(ProblemError) as problem:
        await renderer.render_soon(*args)
    return problem.value


async def test_what_is_not_there_is_a_problem() -> None:
    store = await stored(WELCOME, TemplateIn("sms-only", {"sms": WELCOME.bodies["sms"]}))
    renderer = renderer_of(store)
    unknown = await failed(renderer, "t", "nope", "en", "sms", {})
    assert (unknown.status, unknown.code) == (400, "unknown_template")
    assert unknown.errors[0].pointer == "/template"
    assert (await failed(renderer, "other", "welcome", "en", "sms", {})).code == "unknown_template"
    no_body = await failed(renderer, "t", "sms-only", "en", "email", {})
    assert no_body.code == "template_failed"
    assert "channel email" in no_body.detail


async def test_missing_data_points_to_its_place() -> None:
    renderer = renderer_of(
        await stored(
            TemplateIn("o", {"sms": {"en": TemplateBody(text="a\n{{ order.items.total }}")}})
        )
    )
    data = {"order": {"items": {"secret": "SECRET"}}}
    problem = await failed(renderer, "t", "o", "en", "sms", data)
    assert problem.code == "template_failed"
    assert problem.errors[0].pointer == "/data/order/items/total"
    assert "template `o` (sms, en), text, line 2" in problem.detail
    assert "order.items.total" in problem.errors[0].hint
    assert b"SECRET" not in problem.body("trace")


async def test_a_change_is_rendered_after_the_feed_told_it() -> None:
    entities = MemoryEntities()
    store = CountingStore(entities)
    await store.put("t", WELCOME, None)
    renderer = renderer_of(store)
    feed = EntityFeed(entities, lambda error: None)
    feed.watch("template", renderer.changed, renderer.forget_all)
    await feed.poll()
    assert (await failed(renderer, "t", "new", "en", "sms", {})).code == "unknown_template"
    assert (await renderer.render_soon("t", "welcome", "en", "sms", {"name": "a"})).version == 1
    await store.put(
        "t", TemplateIn("welcome", {"sms": {"en": TemplateBody(text="Bye {{ name }}")}}), None
    )
    await store.put("t", TemplateIn("new", {"sms": {"en": TemplateBody(text="new")}}), None)
    await feed.poll()
    done = await renderer.render_soon("t", "welcome", "en", "sms", {"name": "a"})
    assert (done.text, done.version) == ("Bye a", 2)
    assert (await renderer.render_soon("t", "new", "en", "sms", {})).text == "new"
    await store.delete("t", "new", None)
    await feed.poll()
    assert (await failed(renderer, "t", "new", "en", "sms", {})).code == "unknown_template"


async def test_a_change_told_during_a_read_is_not_lost() -> None:
    store = await stored(WELCOME)
    renderer = renderer_of(store)
    store.open.clear()
    asked = asyncio.ensure_future(renderer.render_soon("t", "welcome", "en", "sms", {"name": "a"}))
    for _ in range(3):
        await asyncio.sleep(0)
    # The old version was read, but not handed over yet, when the new one is stored and told.
    await store.put("t", TemplateIn("welcome", {"sms": {"en": TemplateBody(text="new")}}), 1)
    renderer.changed("t/welcome")
    store.open.set()
    assert (await asked).text == "new"


async def test_a_store_that_fails_is_asked_again() -> None:
    store = await stored(WELCOME)
    renderer = renderer_of(store)
    store.fails = True
    with pytest.raises(StoreError):
        await renderer.render_soon("t", "welcome", "en", "sms", {"name": "a"})
    store.fails = False
    assert (await renderer.render_soon("t", "welcome", "en", "sms", {"name": "a"})).text


async def test_the_cache_is_bounded_by_number_and_by_size() -> None:
    templates = [
        TemplateIn(f"n{n}", {"sms": {"en": TemplateBody(text="x" * 1000)}}) for n in range(5)
    ]
    store = await stored(*templates)

    async def reads(renderer: Renderer, *names: str) -> int:
        before = store.reads
        for name in names:
            await renderer.render_soon("t", name, "en", "sms", {})
        return store.reads - before

    for renderer in (
        renderer_of(store, cached_max=3),
        Renderer(store, TemplatesSettings(), cached_bytes_max=4000),
    ):
        assert await reads(renderer, "n0", "n1", "n2", "n0") == 3
        assert await reads(renderer, "n3") == 1
        assert await reads(renderer, "n0", "n2", "n3") == 0
        assert await reads(renderer, "n1") == 1


async def test_large_templates_are_compiled_beside_the_loop() -> None:
    text = "{{ name }} and more text\n" * 1500
    renderer = renderer_of(await stored(TemplateIn("l", {"sms": {"en": TemplateBody(text=text)}})))
    done = await renderer.render_soon("t", "l", "en", "sms", {"name": "a"})
    assert done.text == text.replace("{{ name }}", "a")


async def test_a_stored_template_that_the_rules_of_now_refuse_is_a_problem() -> None:
    bad = TemplateIn("old", {"sms": {"en": TemplateBody(text="{% include 'x' %}")}})
    renderer = renderer_of(await stored(bad))
    problem = await failed(renderer, "t", "old", "en", "sms", {})
    assert problem.code == "template_failed"
    assert "no tag `include`" in problem.detail


async def test_rendering_stays_within_its_budget() -> None:
    renderer = renderer_of(await stored(WELCOME))
    await renderer.render_soon("t", "welcome", "en", "sms", {"name": "a"})
    fastest_s = float("inf")
    for _ in range(20):
        began = time.process_time()
        for _ in range(200):
            renderer.render("t", "welcome", "en", "sms", {"name": "a"})
        fastest_s = min(fastest_s, (time.process_time() - began) / 200)
    # The budget is 25 us and 9 us are usual; twice the budget leaves room for a slow machine.
    assert fastest_s < 50e-6
