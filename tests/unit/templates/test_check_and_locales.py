"""A template is checked whole when it is stored; locales fall back from exact to the default."""

import pytest

from core.contract.sections.core import TemplatesSettings
from core.contract.templates import TemplateBody, TemplateIn
from core.templates.check import check_template
from core.templates.language import Language
from core.templates.locales import chain, normal

TEXT = Language(False, TemplatesSettings())
HTML = Language(True, TemplatesSettings())
GOOD = TemplateBody(text="Hi {{ name }}")


@pytest.mark.parametrize(
    ("locale", "default", "tried"),
    [
        ("en-GB", "en", ["en-gb", "en"]),
        ("zh-Hant-TW", "en", ["zh-hant-tw", "zh-hant", "zh", "en"]),
        ("pt_BR", "pt-PT", ["pt-br", "pt", "pt-pt"]),
        (None, "de", ["de"]),
        ("de", "de", ["de"]),
    ],
)
def test_the_chain(locale: str | None, default: str, tried: list[str]) -> None:
    assert chain(locale, default) == tried


def test_normal_form() -> None:
    assert normal("pt_BR") == normal("pt-br") == "pt-br"


def problems(template: TemplateIn) -> dict[str, str]:
    return {found.pointer: found.detail for found in check_template(template, TEXT, HTML)}


def test_a_good_template_has_no_findings() -> None:
    email = TemplateBody(subject="Hi {{ a }}", text="x", html="<b>{{ a }}</b>")
    template = TemplateIn("otp", {"sms": {"en": GOOD, "pt-BR": GOOD}, "email": {"en": email}})
    assert problems(template) == {}


@pytest.mark.parametrize(
    ("bodies", "pointer", "says"),
    [
        ({"sms": {"en": TemplateBody(text="a\n{{ x")}}, "/bodies/sms/en/text", "line 2: "),
        ({"sms": {"en": TemplateBody(text="{{ x | nope }}")}}, "/bodies/sms/en/text", "no filter"),
        ({"sms": {"en": TemplateBody()}}, "/bodies/sms/en/text", "missing"),
        ({"sms": {"en": TemplateBody(text="", html="")}}, "/bodies/sms/en/html", "no html"),
        ({"sms": {"de": GOOD}}, "/bodies/sms", "default locale `en`"),
        ({"sms": {}}, "/bodies/sms", "no body"),
        ({"sms": {"en": GOOD, "EN": GOOD}}, "/bodies/sms/EN", "twice"),
        ({"email": {"en": TemplateBody(text="a")}}, "/bodies/email/en/subject", "missing"),
        ({"email": {"en": TemplateBody(subject="a")}}, "/bodies/email/en", "neither"),
        (
            {"email": {"en": TemplateBody(subject="a\nBcc: x", text="")}},
            "/bodies/email/en/subject",
            "one line",
        ),
        (
            {"email": {"en": TemplateBody(subject="a" * 2001, text="")}},
            "/bodies/email/en/subject",
            "longer",
        ),
        (
            {"email": {"en": TemplateBody(subject="a", html="{% if %}")}},
            "/bodies/email/en/html",
            "line 1: ",
        ),
        (
            {"sms": {"en": GOOD} | {f"en-{n:04}": GOOD for n in range(200)}},
            "/bodies",
            "more than 200",
        ),
    ],
)
def test_each_finding_has_its_place(
    bodies: dict[str, dict[str, TemplateBody]], pointer: str, says: str
) -> None:
    found = problems(TemplateIn("otp", bodies))  # type: ignore[arg-type]
    assert list(found) == [pointer]
    assert says in found[pointer]
