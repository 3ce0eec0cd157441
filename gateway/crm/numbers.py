"""Telephone numbers: as people write them, as networks dial them, and when two agree.

Pure. :func:`normalise` turns what was typed, clicked, or shown by SIP into a
:class:`Number`, or raises by name why it cannot be dialled. Nothing that could change
the meaning of a SIP URI or a search (``;``, ``?``, ``%``, control characters,
letters) ever gets through.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat

MAX_TEXT_LENGTH = 255
MAX_DIGITS = 15  # E.164 6.2.1
MAX_SHORT_DIGITS = 6
MAX_DIAL_LENGTH = 32
SUFFIX_DIGITS = 9
LOCAL_SUFFIX_DIGITS = 7

_TEL = re.compile(r"tel:(?P<number>[^;?@]*)(?:;ext=(?P<ext>[0-9]{1,10}))?\Z", re.I)
_SIP = re.compile(
    r"sips?:(?P<number>[^;?@]*)(?:@[a-z0-9._:\[\]-]{1,253}(?:;user=phone)?)?\Z", re.I
)
_EXTENSION = re.compile(
    r"(?P<number>.*[0-9)])\s*,?\s*(?:extension|extn?\.?|x)\s*(?P<ext>[0-9]{1,10})\Z",
    re.I | re.S,
)
_PUNCTUATION = re.compile(r"[ ().\-/]+")
_DIALABLE = re.compile(r"\+?[0-9*#]+\Z")
_E164 = re.compile(r"\+[0-9]{5,15}\Z")
_ESCAPE = re.compile(r"%[0-9a-f]{0,2}", re.I)


class NumberProblem(enum.StrEnum):
    """Why a text is no number."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    CONTROL_CHARACTER = "control_character"
    ESCAPE = "escape"
    PARAMETER = "parameter"
    LETTERS = "letters"
    BAD_CHARACTER = "bad_character"
    NOT_A_NUMBER = "not_a_number"


_WORDS = {
    NumberProblem.EMPTY: "There is no number.",
    NumberProblem.TOO_LONG: "The number is too long.",
    NumberProblem.CONTROL_CHARACTER: "The number contains a control character.",
    NumberProblem.ESCAPE: "The number contains an escape (%).",
    NumberProblem.PARAMETER: "The number contains ; or ?.",
    NumberProblem.LETTERS: "The number contains letters.",
    NumberProblem.BAD_CHARACTER: "The number contains a character that no phone dials.",
    NumberProblem.NOT_A_NUMBER: "That is no telephone number.",
}


class NumberError(Exception):
    """A refusal, to be shown; it never repeats what was refused."""

    def __init__(self, problem: NumberProblem) -> None:
        super().__init__(_WORDS[problem])
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Number:
    """A number that can be dialled.

    Attributes:
        e164: ``+`` and digits, "" for internal and service numbers.
        national: to read: national in its own country, else international.
        dial: for the user part of a SIP URI: digits, ``*``, ``#``, a leading ``+``.
        extension: digits to ask for after the answer, "" if none.
    """

    e164: str
    national: str
    dial: str
    extension: str = ""


class Likeness(enum.StrEnum):
    """How much two numbers agree.

    EXACT: the same E.164 number. NATIONAL: the same national significant number,
    one of them without a country. POSSIBLE: the last digits, or all but an extension.
    """

    EXACT = "exact"
    NATIONAL = "national"
    POSSIBLE = "possible"


def normalise(text: str, country: str) -> Number:
    """Read a number as written in ``country`` (ISO 3166 alpha-2, upper case).

    Takes free text with the usual punctuation, ``tel:`` (RFC 3966) and ``sip:`` URIs
    (the user part; the host is not ours to choose) and extensions. Short internal
    numbers and service codes (``*97``) are kept as they are.

    Raises:
        NumberError: it cannot be dialled.
    """
    if len(text) > MAX_TEXT_LENGTH:
        raise NumberError(NumberProblem.TOO_LONG)
    body, extension = _split(_plain(text))
    if not body:
        raise NumberError(NumberProblem.EMPTY)
    problem = _unfit(body)
    if problem is not None:
        raise NumberError(problem)
    dial = _PUNCTUATION.sub("", body)
    if not dial:
        raise NumberError(NumberProblem.EMPTY)
    if not _DIALABLE.match(dial) or not any(char.isdigit() for char in dial):
        raise NumberError(NumberProblem.NOT_A_NUMBER)
    if len(dial) > MAX_DIAL_LENGTH:
        raise NumberError(NumberProblem.TOO_LONG)
    if "*" in dial or "#" in dial:
        if dial.startswith("+"):
            raise NumberError(NumberProblem.NOT_A_NUMBER)
        return Number(e164="", national=dial, dial=dial)
    return _resolve(body, dial, country, extension)


def compare(wanted: Number, stored: str, country: str) -> Likeness | None:
    """How well a phone field's text agrees with a number; None: not at all.

    ``country`` is where the field's text was written, when it does not say so.
    """
    try:
        other = normalise(stored, country)
    except NumberError:
        return None
    if not wanted.e164:
        return Likeness.EXACT if other.dial == wanted.dial else None
    if other.e164:
        if other.e164 == wanted.e164:
            # Of a company's line and a desk behind it, either may be calling.
            same_desk = other.extension in ("", wanted.extension)
            return Likeness.EXACT if same_desk else Likeness.POSSIBLE
        if _says_country(stored):
            return None
        return _suffix(wanted.e164, other.e164, SUFFIX_DIGITS)
    digits = other.dial.lstrip("+").lstrip("0")
    if not other.dial.startswith("+") and digits == national_significant(wanted.e164):
        return Likeness.NATIONAL
    length = SUFFIX_DIGITS if len(digits) > 8 else LOCAL_SUFFIX_DIGITS
    return _suffix(wanted.e164, digits, length)


def national_significant(e164: str) -> str:
    """The number without its country code; "" if it is no E.164 number."""
    parsed = _parse(e164, None)
    return "" if parsed is None else phonenumbers.national_significant_number(parsed)


def written_forms(e164: str) -> tuple[tuple[str, ...], ...]:
    """Ways in which people write a number, each as its groups of digits, no doubles.

    ``(("14155551212",), ("4155551212",), ("415", "555", "1212"), ...)``. Nothing but
    ASCII digits; () if it is no E.164 number.
    """
    parsed = _parse(e164, None) if _E164.match(e164) else None
    if parsed is None:
        return ()
    significant = phonenumbers.national_significant_number(parsed)
    grouped = [
        tuple(re.findall(r"[0-9]+", phonenumbers.format_number(parsed, style)))
        for style in (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL)
    ]
    whole = [(f"{parsed.country_code}{significant}",), (significant,)]
    whole += [("".join(grouped[0]),)]
    return tuple(dict.fromkeys(form for form in [*whole, *grouped] if form))


def to_show(number: str, e164: str, country: str) -> str:
    """How a person in ``country`` reads a number: ``national`` of a :class:`Number`."""
    parsed = _parse(e164, None) if e164 else None
    return number if parsed is None else _to_read(parsed, country)


def _plain(text: str) -> str:
    """ASCII digits and punctuation for their Unicode kin; invisible marks dropped."""
    result = []
    for char in text.strip():
        category = unicodedata.category(char)
        if category == "Cf":
            # Direction marks come along when a number is copied from some programs.
            continue
        if category in ("Cc", "Zl", "Zp") and char != "\t":
            raise NumberError(NumberProblem.CONTROL_CHARACTER)
        if category == "Nd":
            result.append(str(unicodedata.digit(char)))
        elif category == "Pd" or char == "\u2212":
            result.append("-")
        elif category == "Zs" or char == "\t":
            result.append(" ")
        else:
            result.append(unicodedata.normalize("NFKC", char))
    return "".join(result).strip()


def _split(text: str) -> tuple[str, str]:
    for pattern in (_TEL, _SIP, _EXTENSION):
        match = pattern.match(text)
        if match:
            found = match.groupdict()
            return (found["number"] or "").strip(), found.get("ext") or ""
    return text, ""


def _unfit(text: str) -> NumberProblem | None:
    if _ESCAPE.search(text):
        return NumberProblem.ESCAPE
    if ";" in text or "?" in text:
        return NumberProblem.PARAMETER
    if any(char.isalpha() for char in text):
        return NumberProblem.LETTERS
    if re.search(r"[^0-9+*# ().\-/]", text):
        return NumberProblem.BAD_CHARACTER
    return None


def _resolve(body: str, dial: str, country: str, extension: str) -> Number:
    digits = dial.lstrip("+")
    international = dial.startswith("+")
    if len(digits) <= MAX_SHORT_DIGITS:
        if international:
            raise NumberError(NumberProblem.NOT_A_NUMBER)
        return Number(e164="", national=dial, dial=dial, extension=extension)
    parsed = _parse(body, country)
    # Of a number with its country, the plan may be newer than our table of them.
    fits = parsed is not None and (
        phonenumbers.is_valid_number(parsed)
        or (international and phonenumbers.is_possible_number(parsed))
    )
    if parsed is not None and fits:
        e164 = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
        return Number(e164, _to_read(parsed, country), e164, extension)
    if international:
        raise NumberError(NumberProblem.NOT_A_NUMBER)
    if len(digits) > MAX_DIGITS + 3:  # an international prefix may come before
        raise NumberError(NumberProblem.TOO_LONG)
    return Number(e164="", national=dial, dial=dial, extension=extension)


def _parse(text: str, country: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except NumberParseException:
        return None


def _to_read(parsed: PhoneNumber, country: str) -> str:
    at_home = phonenumbers.country_code_for_region(country) == parsed.country_code
    style = PhoneNumberFormat.NATIONAL if at_home else PhoneNumberFormat.INTERNATIONAL
    return str(phonenumbers.format_number(parsed, style))


def _says_country(text: str) -> bool:
    return text.lstrip("( \t").lower().removeprefix("tel:").startswith(("+", "00"))


def _suffix(one: str, other: str, length: int) -> Likeness | None:
    if len(other.lstrip("+")) < length or one[-length:] != other[-length:]:
        return None
    return Likeness.POSSIBLE
