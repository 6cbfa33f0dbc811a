"""The quick way to a number's country says what the library says."""

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from core.contract.recipients import AddressError
from edge.country import country_of

SHARED = [code for code, regions in COUNTRY_CODE_TO_REGION_CODE.items() if len(regions) > 1]
codes = st.sampled_from(sorted(COUNTRY_CODE_TO_REGION_CODE)) | st.sampled_from(sorted(SHARED))
numbers = st.builds(
    lambda code, rest: f"+{code}{rest}"[:16],
    codes,
    st.text(alphabet="0123456789", min_size=5, max_size=13),
)
examples = st.sampled_from(
    [
        phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
        if (example := phonenumbers.example_number_for_type(region, kind)) is not None
    ]
)


def expected(number: str) -> str | None:
    """What phonenumbers says; None where the number cannot be."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
    written = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if not phonenumbers.is_possible_number(parsed) or written != number:
        return None
    region = phonenumbers.region_code_for_number(parsed)
    if region is None:
        assert parsed.country_code is not None
        region = phonenumbers.region_code_for_country_code(parsed.country_code)
    return "ZZ" if region == "001" else region


def found(number: str) -> str | None:
    try:
        return country_of(number)
    except AddressError as error:
        assert error.hint
        return None


@settings(max_examples=500)
@given(numbers | examples)
def test_it_says_what_the_library_says(number: str) -> None:
    assert found(number) == expected(number)


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+447700900123", "GB"),
        ("+12025550123", "US"),
        ("+14165550123", "CA"),
        ("+8613800138000", "CN"),
        ("+77012345678", "KZ"),
        ("+79161234567", "RU"),
        ("+390612345678", "IT"),
        ("+80012345678", "ZZ"),
        ("+99900000000", None),
        ("+336123456789", None),
        ("+4407700900123", None),
    ],
)
def test_some_numbers(number: str, country: str | None) -> None:
    assert found(number) == country


def test_a_national_zero_is_shown_how_to_write() -> None:
    with pytest.raises(AddressError) as raised:
        country_of("+4407700900123")
    assert raised.value.hint == "Write it as +447700900123."
