"""Numbers as people, pages and SIP write them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.crm.numbers import (
    Likeness,
    Number,
    NumberError,
    NumberProblem,
    compare,
    national_significant,
    normalise,
    to_show,
    written_forms,
)

US = Number("+14155551212", "(415) 555-1212", "+14155551212")
LONDON = Number("+442079460018", "020 7946 0018", "+442079460018")
COUNTRIES = ("US", "GB", "DE", "IT", "IN", "BR")


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("(415) 555-1212", "US", US),
        ("+1.415.555.1212", "DE", Number("+14155551212", "+1 415-555-1212", US.dial)),
        ("14155551212", "US", US),
        ("tel:+1-415-555-1212", "US", US),
        ("TEL:4155551212", "US", US),
        ("sip:+14155551212@as.example", "US", US),
        ("sips:+14155551212@[::1]:5061;user=phone", "US", US),
        ("\u202a+1 415\u00a0555\u20111212\u202c", "US", US),
        (
            "\uff0b\uff11\uff14\uff11\uff15 555 1212",
            "US",
            US,
        ),
        ("  (415) 555-1212\n", "US", US),
        ("020 7946 0018", "GB", LONDON),
        ("+44 (0)20 7946 0018", "GB", LONDON),
        (
            "0044 20 7946 0018",
            "DE",
            Number(LONDON.e164, "+44 20 7946 0018", LONDON.dial),
        ),
        ("205", "US", Number("", "205", "205")),
        ("sip:205@as.example", "US", Number("", "205", "205")),
        ("*97", "US", Number("", "*97", "*97")),
        ("#31#4155551212", "US", Number("", "#31#4155551212", "#31#4155551212")),
        ("112", "DE", Number("", "112", "112")),
        ("555-1212", "US", Number("", "5551212", "5551212")),
    ],
)
def test_what_is_a_number(text: str, country: str, expected: Number) -> None:
    assert normalise(text, country) == expected


@pytest.mark.parametrize(
    "text",
    [
        "+1 415 555 1212 ext. 12",
        "(415) 555-1212x12",
        "415-555-1212, extension 12",
        "tel:+14155551212;ext=12",
    ],
)
def test_an_extension_is_kept_apart(text: str) -> None:
    number = normalise(text, "US")
    assert (number.e164, number.dial, number.extension) == (US.e164, US.dial, "12")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", NumberProblem.EMPTY),
        (" \u200b ", NumberProblem.EMPTY),
        ("()", NumberProblem.EMPTY),
        ("tel:", NumberProblem.EMPTY),
        ("4" * 256, NumberProblem.TOO_LONG),
        ("4" * 40, NumberProblem.TOO_LONG),
        ("1" * 19, NumberProblem.TOO_LONG),
        ("415\r\n555", NumberProblem.CONTROL_CHARACTER),
        ("415\x00555", NumberProblem.CONTROL_CHARACTER),
        ("415%0d%0aVia:", NumberProblem.ESCAPE),
        ("%", NumberProblem.ESCAPE),
        ("415;tag=1", NumberProblem.PARAMETER),
        ("415?Replaces=1", NumberProblem.PARAMETER),
        ("tel:+14155551212;phone-context=x", NumberProblem.PARAMETER),
        ("sip:415@h;maddr=1.2.3.4", NumberProblem.PARAMETER),
        ("sip:415;x@h", NumberProblem.PARAMETER),
        ("1-800-FLOWERS", NumberProblem.LETTERS),
        ("anonymous", NumberProblem.LETTERS),
        ("sip:alice@as.example", NumberProblem.LETTERS),
        ("415@as", NumberProblem.LETTERS),
        ("415<555>", NumberProblem.BAD_CHARACTER),
        ('415"555"', NumberProblem.BAD_CHARACTER),
        ("{415 OR 1}", NumberProblem.LETTERS),
        ("+", NumberProblem.NOT_A_NUMBER),
        ("***", NumberProblem.NOT_A_NUMBER),
        ("4+15", NumberProblem.NOT_A_NUMBER),
        ("+415", NumberProblem.NOT_A_NUMBER),
        ("+*97", NumberProblem.NOT_A_NUMBER),
        ("+99999999999999", NumberProblem.NOT_A_NUMBER),
    ],
)
def test_what_is_none_is_refused_by_name(text: str, problem: NumberProblem) -> None:
    with pytest.raises(NumberError) as caught:
        normalise(text, "US")
    assert caught.value.problem is problem
    assert str(caught.value).endswith(".")


@settings(deadline=None)
@given(st.text(max_size=300), st.sampled_from(COUNTRIES))
def test_whatever_comes_in_only_a_dial_string_comes_out(
    text: str, country: str
) -> None:
    try:
        number = normalise(text, country)
    except NumberError:
        return
    assert re.fullmatch(r"\+?[0-9*#]{1,32}", number.dial)
    assert re.fullmatch(r"(?:\+[0-9]{5,15})?", number.e164)
    assert re.fullmatch(r"[0-9]{0,10}", number.extension)
    assert number.national.isprintable()


@settings(deadline=None)
@given(
    st.integers(min_value=2_000_000_000, max_value=9_999_999_999),
    st.sampled_from(
        ["{}", "+1{}", "1{}", "tel:+1{}", "sip:+1{}@x", "({})", "+1 {} x7"]
    ),
)
def test_every_way_of_writing_leads_to_the_same_number(digits: int, way: str) -> None:
    try:
        plain = normalise(f"+1{digits}", "US")
        other = normalise(way.format(digits), "US")
    except NumberError:
        return
    if other.e164:
        assert other.e164 == plain.e164
        # One whose area code is not in use yet is only known by its country.
        assert normalise(other.national, "US").e164 in (plain.e164, "")


@pytest.mark.parametrize(
    ("stored", "country", "likeness"),
    [
        ("(415) 555-1212", "US", Likeness.EXACT),
        ("1 415 555 1212 ", "US", Likeness.EXACT),
        ("+1 415 555 1212", "GB", Likeness.EXACT),
        ("(415) 555-1212 x3", "US", Likeness.POSSIBLE),
        ("4155551212", "GB", Likeness.NATIONAL),
        ("4155551212", "DE", Likeness.POSSIBLE),
        ("555-1212", "US", Likeness.POSSIBLE),
        ("+44 20 7555 1212", "US", None),
        ("(212) 555-1212", "US", None),
        ("5551213", "US", None),
        ("", "US", None),
        ("call Ana", "US", None),
        ("1212", "US", None),
    ],
)
def test_when_two_agree(stored: str, country: str, likeness: Likeness | None) -> None:
    assert compare(US, stored, country) is likeness


def test_internal_numbers_agree_only_when_equal() -> None:
    desk = normalise("205", "US")
    assert compare(desk, "205", "US") is Likeness.EXACT
    assert compare(desk, "1205", "US") is None


@settings(deadline=None)
@given(st.text(max_size=60), st.sampled_from(COUNTRIES))
def test_any_stored_text_can_be_compared(stored: str, country: str) -> None:
    assert compare(US, stored, country) in (None, *Likeness)


def test_parts_and_forms() -> None:
    assert national_significant("+442079460018") == "2079460018"
    assert national_significant("205") == ""
    assert written_forms("nonsense") == ()
    assert ("415", "555", "1212") in written_forms("+14155551212")
    assert to_show("x", "+14155551212", "US") == "(415) 555-1212"
    assert to_show("205", "", "US") == "205"
    assert to_show("205", "bad", "US") == "205"
