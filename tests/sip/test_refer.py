"""What REFER, Replaces and their reports say (RFC 3515, 3891, 3892, 3420, 6665)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sip
from sip.errors import ParseError
from sip.events import Event, SubscriptionState
from sip.headers import Headers
from sip.message import Request
from sip.refer import Referral, Unfit, read_referral, refer_to
from sip.replaces import Replaces
from sip.sipfrag import StatusLine

REPLACES = Replaces("98asjd8@host", "12adf2f34456gs5", "12134412")
TOKENS = st.from_regex(r"[A-Za-z0-9.!%*_+`'~-]{1,30}", fullmatch=True)


def refer(*headers: tuple[str, str]) -> Request:
    return Request("REFER", sip.Uri.parse("sip:rep@example.com"), headers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "98asjd8@host;to-tag=12adf2f34456gs5;from-tag=12134412",
            REPLACES,
        ),
        ("c;from-tag=a;to-tag=b;early-only", Replaces("c", "b", "a", True)),
        (" c ; FROM-TAG = a ; To-Tag=b ", Replaces("c", "b", "a")),
        ('<"[x]">;from-tag=a;to-tag=b', Replaces('<"[x]">', "b", "a")),
    ],
)
def test_replaces(text: str, expected: Replaces) -> None:
    assert Replaces.parse(text) == expected
    assert Replaces.parse(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c",
        "c;to-tag=b",
        "c;from-tag=a",
        ";to-tag=b;from-tag=a",
        "c;to-tag=;from-tag",
    ],
)
def test_malformed_replaces(text: str) -> None:
    with pytest.raises(ParseError):
        Replaces.parse(text)


@pytest.mark.parametrize(
    "values", [("c;to-tag=b;from-tag=a",) * 2, ("c;to-tag=b;from-tag=a, d",)]
)
def test_one_replaces_at_most(values: tuple[str, ...]) -> None:
    with pytest.raises(ParseError):
        Replaces.of_headers(Headers(("Replaces", value) for value in values))


@pytest.mark.parametrize("call_id", ["a;b", "a b", "a\r\nX: y", ""])
def test_a_replaces_that_cannot_be_written(call_id: str) -> None:
    with pytest.raises(sip.InvalidValue):
        str(Replaces(call_id, "b", "a"))


@given(TOKENS, TOKENS, TOKENS, st.booleans())
def test_replaces_survives_refer_to(
    call_id: str, to_tag: str, from_tag: str, early: bool
) -> None:
    replaces = Replaces(call_id, to_tag, from_tag, early)
    target = sip.Uri.parse("sip:bob@192.0.2.7:5070;transport=tcp")
    value = refer_to(target, replaces)
    assert read_referral(refer(("Refer-To", value))) == Referral(target, replaces)


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("<sip:bob@example.com>", "sip:bob@example.com"),
        ("sip:bob@example.com", "sip:bob@example.com"),
        ('"Bob" <sips:bob@example.com;x=1>;y=2', "sips:bob@example.com;x=1"),
        ("<tel:+15550123>", "tel:+15550123"),
        ("<sip:bob@example.com;method=INVITE>", "sip:bob@example.com"),
        # what the peer would write into our INVITE is left out
        (
            "<sip:bob@example.com?Subject=x&Route=%3Csip:evil%3E&body=x>",
            "sip:bob@example.com",
        ),
    ],
)
def test_who_is_to_be_called(value: str, target: str) -> None:
    assert read_referral(refer(("r", value))) == Referral(sip.Uri.parse(target))


def test_a_phone_that_forgets_the_brackets() -> None:
    value = "sip:bob@example.com?Replaces=c%3Bto-tag%3Db%3Bfrom-tag%3Da"
    referral = read_referral(refer(("Refer-To", value)))
    assert isinstance(referral, Referral)
    assert referral.replaces == Replaces("c", "b", "a")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 400),
        ([("Refer-To", "<sip:a@b>"), ("Refer-To", "<sip:a@b>")], 400),
        ([("Refer-To", "<sip:a@b>, <sip:c@d>")], 400),
        ([("Refer-To", "nonsense")], 400),
        ([("Refer-To", "<sip:a@b?Replaces=c>")], 400),
        ([("Refer-To", "<http://example.com/>")], 416),
        ([("Refer-To", "<mailto:a@b>")], 416),
        ([("Refer-To", f"<sip:{'a' * 2000}@b>")], 414),
        ([("Refer-To", "<sip:a@b;method=BYE>")], 501),
    ],
)
def test_refused_without_asking(headers: list[tuple[str, str]], status: int) -> None:
    unfit = read_referral(refer(*headers))
    assert isinstance(unfit, Unfit)
    assert unfit.status == status


@pytest.mark.parametrize(
    ("header", "wants"),
    [
        (("X", "y"), True),
        (("Refer-Sub", "true"), True),
        (("Refer-Sub", "FALSE;x=y"), False),
        (("Require", "nosub"), False),
        (("Require", "norefersub"), True),
    ],
)
def test_whether_reports_are_wanted(header: tuple[str, str], wants: bool) -> None:
    referral = read_referral(refer(("Refer-To", "<sip:a@b>"), header))
    assert isinstance(referral, Referral)
    assert referral.wants_reports is wants


@pytest.mark.parametrize(
    ("value", "uri"), [("<sip:ana@x>;cid=1", "sip:ana@x"), ('"', None)]
)
def test_who_asks(value: str, uri: str | None) -> None:
    referral = read_referral(refer(("Refer-To", "<sip:a@b>"), ("Referred-By", value)))
    assert isinstance(referral, Referral)
    found = referral.referred_by
    assert (None if found is None else str(found.uri)) == uri


@pytest.mark.parametrize("target", ["http://example.com/", "mailto:a@b"])
def test_only_what_can_be_called(target: str) -> None:
    with pytest.raises(sip.LocalProtocolError):
        refer_to(sip.Uri.parse(target), None)


def test_a_telephone_number_replaces_nothing() -> None:
    assert refer_to(sip.Uri.parse("tel:+1555"), None) == "<tel:+1555>"
    with pytest.raises(sip.LocalProtocolError):
        refer_to(sip.Uri.parse("tel:+1555"), REPLACES)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"SIP/2.0 100 Trying", StatusLine(100, "Trying")),
        (b"\r\nSIP/2.0 603 Decline\r\nTo: x\r\n", StatusLine(603, "Decline")),
        (b"sip/2.0 200\r\n", StatusLine(200)),
        (b"SIP/2.0 486 Occup\xe9\r\n", StatusLine(486, "Occup\udce9")),
    ],
)
def test_a_report(body: bytes, expected: StatusLine) -> None:
    assert StatusLine.parse(body) == expected


@pytest.mark.parametrize("body", [b"", b"INVITE sip:a@b SIP/2.0", b"SIP/2.0 799 x"])
def test_no_report(body: bytes) -> None:
    with pytest.raises(ParseError):
        StatusLine.parse(body)


def test_a_report_is_written() -> None:
    assert StatusLine(180).to_bytes() == b"SIP/2.0 180 Ringing\r\n"
    for bad in (StatusLine(200, "a\r\nX: y"), StatusLine(99)):
        with pytest.raises(sip.InvalidValue):
            bad.to_bytes()


@given(st.binary(max_size=100))
def test_any_body(body: bytes) -> None:
    try:
        line = StatusLine.parse(body)
    except ParseError:
        return
    assert 100 <= line.status <= 699
    assert StatusLine.parse(line.to_bytes()).status == line.status


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("active;expires=60", SubscriptionState("active", 60)),
        (
            "Terminated ; reason=Probation;retry-after=7",
            SubscriptionState("terminated", None, "probation", 7),
        ),
        ("pending;expires=x", SubscriptionState("pending")),
        ("", None),
        ("active;;", None),
        ('active"', None),
    ],
)
def test_subscription_state(value: str, expected: SubscriptionState | None) -> None:
    assert SubscriptionState.of_headers(Headers([("Subscription-State", value)])) == (
        expected
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("refer", Event("refer")),
        ("refer;id=93809824;x", Event("refer", "93809824")),
        ("dialog;call-id=x", Event("dialog")),
        ("", None),
        ("two words", None),
    ],
)
def test_event(value: str, expected: Event | None) -> None:
    assert Event.of_headers(Headers([("o", value)])) == expected
    if expected is not None:
        assert Event.of_headers(Headers([("Event", str(expected))])) == expected


def test_no_event() -> None:
    assert Event.of_headers(Headers()) is None
    assert SubscriptionState.of_headers(Headers()) is None
    with pytest.raises(sip.InvalidValue):
        str(Event("a b"))
