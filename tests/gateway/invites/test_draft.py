"""What a rep may ask for, and what is said at which field when it is wrong."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.invites.draft import check_draft, check_email
from gateway.invites.text import lines, one_line
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorKind
from tests.gateway.invites.samples import T0, a_draft, a_guest, an_invite, ana, expert

NOW = T0 - 3600


def check(draft: wire.InviteDraft, **changes: Any) -> Any:
    values: dict[str, Any] = {"now": NOW, "can_mail": True, "language": "de"}
    return check_draft(draft, **values | changes)


def refused(draft: wire.InviteDraft, **changes: Any) -> str:
    with pytest.raises(RequestError) as caught:
        check(draft, **changes)
    assert caught.value.kind is ErrorKind.INVITE_INVALID
    assert str(caught.value)
    return caught.value.field


def test_a_good_one_is_cleaned() -> None:
    good = check(
        a_draft(
            subject=" Your\r\noffer\x00 \u202eetis ",
            text="  One\r\ntwo\x07\u2028three\n\n",
            contact=wire.Record(id="003", kind="Contact", name="Ana\r\nRuiz"),
            guests=(ana(name="Ana\tRuiz\n", email=" Ana@Customer.EXAMPLE "),),
        )
    )
    assert good.subject == "Your offer etis"
    assert good.text == "  One\ntwo\nthree"
    (guest,) = good.guests
    assert (guest.name, guest.email) == ("Ana Ruiz", "Ana@customer.example")
    assert good.starts_at == T0
    assert (good.contact.name, good.contact.id) == ("Ana Ruiz", "003")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"minutes": -1}, "ends_at"),
        ({"minutes": 0}, "ends_at"),
        ({"minutes": 0.5}, "ends_at"),
        ({"minutes": 24 * 60 + 1}, "ends_at"),
        ({"at": NOW - 301}, "starts_at"),
        ({"at": NOW + 367 * 86400}, "starts_at"),
        ({"at": NOW - 290, "minutes": 3}, "ends_at"),
        ({"subject": " \r\n\u200e "}, "subject"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"guests": (ana(time_zone="Mars/Olympus"),)}, "guests.0.time_zone"),
        ({"guests": (ana(time_zone="../../etc"),)}, "guests.0.time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": "Europe"}, "time_zone"),
        ({"time_zone": "Europe/Berlin\n"}, "time_zone"),
        ({"guests": (ana(email=""),)}, "guests.0.email"),
        ({"guests": (expert(), ana(email="   "))}, "guests.1.email"),
        ({"guests": (ana(), expert(email="ANA@customer.example"))}, "guests.1.email"),
        ({"guests": (ana(name="\u202e\x00"),)}, "guests.0.name"),
        ({"guests": (ana(guest_id="0" * 32),)}, "guests.0.guest_id"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    changes: dict[str, Any], field: str
) -> None:
    assert refused(a_draft(**changes)) == field


def test_start_now_allows_for_clocks_that_differ() -> None:
    assert check(a_draft(at=NOW - 299)).starts_at == NOW - 299
    assert check(a_draft(at=NOW)).starts_at == NOW


def test_without_mail_no_address_is_needed() -> None:
    draft = a_draft(guests=(ana(email=""),), send_mail=False)
    assert check(draft, can_mail=False).guests[0].email == ""
    assert refused(a_draft(), can_mail=False) == "send_mail"
    bad = a_draft(guests=(ana(email="nobody"),), send_mail=False)
    assert refused(bad) == "guests.0.email"


def test_a_language_without_words_is_the_tenants() -> None:
    assert check(a_draft(language="fr")).language == "fr"
    assert check(a_draft(language="it")).language == "de"


def test_a_running_invite_may_be_changed_though_its_start_is_past() -> None:
    before = an_invite(guests=(a_guest(1),))
    draft = a_draft(guests=(ana(guest_id=a_guest(1).guest_id),), minutes=60)
    assert check(draft, now=T0 + 900, before=before).guests[0].guest_id is not None
    moved = a_draft(at=T0 + 1)
    assert refused(moved, now=T0 + 900, before=before) == "starts_at"
    twice = a_draft(
        guests=(
            ana(guest_id=a_guest(1).guest_id),
            expert(guest_id=a_guest(1).guest_id),
        )
    )
    assert refused(twice, before=before) == "guests.1.guest_id"
    gone = an_invite(guests=(a_guest(1, removed_at=T0),))
    assert refused(draft, before=gone) == "guests.0.guest_id"


@pytest.mark.parametrize(
    "address",
    [
        "ana",
        "ana@",
        "@customer.example",
        "ana@customer",
        "ana@customer.example, bob@customer.example",
        "ana@customer.example;bob@customer.example",
        "ana@customer.example\r\nBcc: all@customer.example",
        "ana@customer.example\nBcc: all@customer.example",
        "ana@customer.example%0d%0aBcc:all@customer.example",
        "Ana <ana@customer.example>",
        "<ana@customer.example>",
        '"ana bob"@customer.example',
        "ana(comment)@customer.example",
        "ana@[127.0.0.1]",
        "ana@customer.example\x00",
        "ana@customer.example\u200b",
        "ana\u202e@customer.example",
        "ána@customer.example",
        "ana@cust\u2024omer.example",
        "ana@customer..example",
        "ana..b@customer.example",
        "ana@-customer.example",
        "a" * 65 + "@customer.example",
        "ana@" + "a." * 130 + "example",
        "mailto:ana@customer.example?bcc=x@y.example",
    ],
)
def test_no_address(address: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_email(address)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("o'hara+calls@customer.example", "o'hara+calls@customer.example"),
        ("ana@bücher.example", "ana@xn--bcher-kva.example"),
        # A look-alike shows.
        ("ana@раураl.example", "ana@xn--l-7sba6dbr.example"),
    ],
)
def test_addresses(address: str, expected: str) -> None:
    assert check_email(address) == expected


@given(st.text(max_size=300))
def test_an_address_that_is_taken_is_one_plain_address(text: str) -> None:
    try:
        address = check_email(text)
    except ValueError:
        return
    local, _, domain = address.rpartition("@")
    assert address.isascii()
    assert local
    assert not set(address) & set(' \t\r\n,;:<>()[]"\\\x00')
    assert "@" not in local
    assert "." in domain


@given(st.text(max_size=400))
def test_cleaned_text_has_nothing_that_breaks_a_line(text: str) -> None:
    line = one_line(text)
    assert line == one_line(line)
    assert line == " ".join(line.split())
    assert all(c.isprintable() for c in line if ord(c) < 0x0370)
    for each in lines(text).split("\n"):
        assert len(each.splitlines()) <= 1
    assert not set(lines(text)) & set("\r\x00\x1b\u2028\u2029\u202e\u2066\ufeff")


@given(st.text(max_size=64))
def test_a_time_zone_is_known_or_refused(name: str) -> None:
    try:
        draft = a_draft(time_zone=name)
    except ValueError:
        return
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        assert refused(draft) == "time_zone"
    else:
        assert check(draft).time_zone == name
