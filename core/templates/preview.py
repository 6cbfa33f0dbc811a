"""What would be sent: a template's bodies rendered as for a recipient, without a recipient. Pure.

`preview` never raises for what an author or the data got wrong: that stands in the answer, at its
channel or beside the data, so that the other channels can still be seen. Compiling and rendering
take up to some ten milliseconds for each channel; call it from a worker thread.
"""

from msgspec import Struct

from core.contract.pointers import FieldProblem, escape
from core.contract.problems import ProblemError
from core.contract.requests import ChannelName
from core.contract.resources import FieldProblemOut
from core.contract.sections.core import TemplatesSettings
from core.contract.templates import ChannelPreview, PreviewIn, SmsOut, TemplateBody, TemplateIn
from core.templates.data_schema import SchemaFault, compile_schema
from core.templates.link import BodyFault, Linker
from core.templates.locales import chain, normal
from core.templates.meter import Content
from core.templates.rendered import render_body
from core.templates.sms_parts import TextTooLongError, sms_of

_STANDS_IN = "(content)"


class Previewed(Struct, frozen=True):
    """Each channel asked for, and what is wrong with the data by the template's schema."""

    channels: list[ChannelPreview]
    data_errors: list[FieldProblemOut]


def preview(
    template: TemplateIn,
    version: int,
    linker: Linker,
    asked: PreviewIn,
    limits: TemplatesSettings,
) -> Previewed:
    """The template (its published version, or 0) with the data and locale that were asked for."""
    channels: list[ChannelName] = [asked.channel] if asked.channel else list(template.bodies)
    shown = [_channel(template, version, linker, asked, channel) for channel in channels]
    wrong: list[FieldProblem] = []
    if template.schema is not None:
        try:
            wrong = compile_schema(template.schema, limits).findings(asked.data)
        except SchemaFault as fault:
            wrong = [FieldProblem(f"/schema{fault.pointer}", fault.detail, fault.hint)]
    return Previewed(shown, _out(wrong))


def _channel(
    template: TemplateIn, version: int, linker: Linker, asked: PreviewIn, channel: ChannelName
) -> ChannelPreview:
    there = {normal(locale): locale for locale in template.bodies.get(channel, {})}
    tried = chain(asked.locale, template.default_locale)
    locale = next((there[each] for each in tried if each in there), "")
    if not locale:
        detail = f"the template has no body for {channel}"
        hint = f"It has bodies for: {', '.join(template.bodies)}."
        return _wrong(channel, "", [FieldProblem("/channel", detail, hint)])
    body = template.bodies[channel][locale]
    data = asked.data
    if template.kind == "layout":
        data = {"content": _STANDS_IN} | data
        data["content"] = Content(str(data["content"]))
    try:
        compiled = linker.body(channel, locale, body)
        done = render_body(template.name, version, channel, compiled, data)
        sms = sms_of(done.text) if channel == "sms" else None
    except BodyFault as fault:
        place = f"/bodies/{channel}/{escape(locale)}/{fault.part}"
        detail = f"line {fault.fault.line}: {fault.fault.detail}"
        return _wrong(channel, locale, [FieldProblem(place, detail, "Correct the template.")])
    except ProblemError as error:
        return _wrong(channel, locale, error.errors)
    except TextTooLongError as error:
        place = f"/bodies/{channel}/{escape(locale)}/text"
        return _wrong(channel, locale, [FieldProblem(place, str(error), "Shorten the text.")])
    return ChannelPreview(
        channel=channel,
        locale=locale,
        text=done.text,
        subject=done.subject,
        html=done.html,
        text_from_html=_text_is_made(channel, body),
        sms=sms,
    )


def parts_of(sms: SmsOut | None) -> int:
    """How often an account's price is taken."""
    return sms.parts if sms else 1


def _text_is_made(channel: str, body: TemplateBody) -> bool:
    return channel == "email" and body.html is not None and body.text is None


def _wrong(channel: ChannelName, locale: str, errors: list[FieldProblem]) -> ChannelPreview:
    return ChannelPreview(channel=channel, locale=locale, errors=_out(errors))


def _out(errors: list[FieldProblem]) -> list[FieldProblemOut]:
    return [FieldProblemOut(each.pointer, each.detail, each.hint) for each in errors]
