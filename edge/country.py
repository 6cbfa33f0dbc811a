"""The country of a phone number, as ISO 3166 alpha-2; "ZZ" for numbers of no country.

`country_of` says what `phonenumbers` says (a test compares them), in a tenth of its time for
numbers that are plainly right: the calling code, the length, and where several countries share a
code, one expression for each of them. Whatever is not plain goes the library's long way. A number
that cannot exist raises AddressError with a hint. It must be the same on every edge: homes are
chosen by it.
"""

import re
from functools import lru_cache

import phonenumbers
from msgspec import Struct
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberDesc, PhoneNumberFormat
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from core.contract.recipients import AddressError

UNKNOWN = "ZZ"
_WORLD = "001"  # phonenumbers' word for numbers of no country (satellites, freephone)
_HINT = "Check the number; it is written as +, country code, number without a leading zero."
_KINDS = [
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
    "fixed_line",
    "mobile",
]


class _Region(Struct, frozen=True):
    """How to recognise a country's numbers among those of its calling code."""

    name: str
    leading: re.Pattern[str] | None
    by_length: dict[int, re.Pattern[str]]

    def has(self, national: str) -> bool:
        if self.leading is not None:
            return self.leading.match(national) is not None
        pattern = self.by_length.get(len(national))
        return pattern is not None and pattern.fullmatch(national) is not None


class _Code(Struct, frozen=True):
    """A calling code: the lengths that its main country knows, and its countries."""

    lengths: frozenset[int]
    prefix: re.Pattern[str] | None
    regions: list[_Region]


def country_of(number: str) -> str:
    """The country of a number in E.164 form; AddressError if there can be no such number."""
    for digits in (1, 2, 3):
        calling = int(number[1 : 1 + digits])
        if calling in COUNTRY_CODE_TO_REGION_CODE:
            national = number[1 + digits :]
            code = _code(calling)
            # What begins like a national prefix may be written wrongly: the library decides.
            if len(national) not in code.lengths or (code.prefix and code.prefix.match(national)):
                break
            if len(code.regions) == 1:
                return code.regions[0].name
            for region in code.regions:
                if region.has(national):
                    return region.name
            # A number of no known range (test numbers, new ranges): the code's main country.
            return code.regions[0].name
    return _looked_up(number)


@lru_cache(maxsize=1000)
def _code(calling: int) -> _Code:
    names = COUNTRY_CODE_TO_REGION_CODE[calling]
    main = PhoneMetadata.metadata_for_region(names[0])
    if main is None or main.general_desc is None:
        return _Code(frozenset(), None, [])
    prefix = main.national_prefix_for_parsing
    return _Code(
        frozenset(main.general_desc.possible_length),
        re.compile(prefix) if prefix else None,
        [_region(name) for name in names],
    )


def _region(name: str) -> _Region:
    metadata = PhoneMetadata.metadata_for_region(name)
    assert metadata is not None, "the library names no country without its metadata"
    general = metadata.general_desc
    kinds = [getattr(metadata, kind) for kind in _KINDS]
    by_length = {
        length: _one_of(general, [kind for kind in kinds if _takes(kind, length)])
        for length in (general.possible_length if general else ())
    }
    leading = metadata.leading_digits
    return _Region(name, re.compile(leading) if leading else None, by_length)


def _takes(kind: PhoneNumberDesc | None, length: int) -> bool:
    if kind is None or kind.national_number_pattern is None:
        return False
    return not kind.possible_length or length in kind.possible_length


def _one_of(general: PhoneNumberDesc | None, kinds: list[PhoneNumberDesc]) -> re.Pattern[str]:
    """The country's general form, and the form of one of its kinds of number."""
    form = (general.national_number_pattern if general else None) or ""
    options = "|".join(f"(?:{kind.national_number_pattern})" for kind in kinds)
    return re.compile(rf"(?=(?:{form})\Z)(?:{options or '(?!)'})")


def _looked_up(number: str) -> str:
    try:
        parsed = phonenumbers.parse(number)
    except NumberParseException:
        raise AddressError("there is no such country code", _HINT) from None
    if not phonenumbers.is_possible_number(parsed):
        raise AddressError("no number of this country has this length", _HINT)
    written = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    if written != number:
        raise AddressError("this is not the number's E.164 form", f"Write it as {written}.")
    region = phonenumbers.region_code_for_number(parsed)
    if region is None and parsed.country_code is not None:
        region = phonenumbers.region_code_for_country_code(parsed.country_code)
    return UNKNOWN if region in (_WORLD, UNKNOWN, None) else str(region)
