"""What mail servers write back, and what strangers may."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.invites.delivery_report import (
    MAX_REPORT_BYTES,
    Outcome,
    read_report,
)
from tests.gateway.invites import reports

TO = "invites+abcdefghijklmnopqrstuvwx@acme.example"


@pytest.mark.parametrize(
    ("data", "outcome", "reason"),
    [
        (
            reports.postfix(TO),
            Outcome.FAILED,
            "There is no such address. (550 5.1.1 <ana@customer.example>: user "
            "unknown)",
        ),
        (
            reports.postfix(
                TO,
                action="delayed",
                status="4.4.1",
                diagnostic="X-Postfix; connect to mx.customer.example: timed out",
            ),
            Outcome.DELAYED,
            "Delivery is delayed; it is tried again. (4.4.1 connect to "
            "mx.customer.example: timed out)",
        ),
        (
            reports.postfix(
                TO, action="failed", status="4.4.7", diagnostic="smtp; 421 busy"
            ),
            Outcome.FAILED,
            "The server could not be reached in time. (4.4.7 421 busy)",
        ),
        (
            reports.postfix(TO, action="relayed", status="2.0.0", diagnostic="x"),
            Outcome.DELIVERED,
            "",
        ),
        (
            reports.postfix(TO, action="strange", status="5.7.1", diagnostic=""),
            Outcome.FAILED,
            "The server refused the mail, perhaps as spam. (5.7.1)",
        ),
        (
            reports.exim(TO),
            Outcome.FAILED,
            "The mail could not be delivered. (5.0.0 552 5.2.2 mailbox over quota)",
        ),
        (
            reports.exim_delay(TO),
            Outcome.DELAYED,
            "Delivery is delayed; it is tried again. (4.0.0 451 come back)",
        ),
        (
            reports.old_exim(TO),
            Outcome.FAILED,
            "There is no such address. (5.1.1)",
        ),
        (
            reports.exchange(TO),
            Outcome.FAILED,
            "The address, or its domain, takes no mail. (550 5.1.10 "
            "RESOLVER.ADR.RecipientNotFound; not found by SMTP address lookup)",
        ),
        (
            reports.gmail(TO),
            Outcome.FAILED,
            "There is no such address. (550-5.1.1 The account does not exist. Please "
            "try 550-5.1.1 checking the address)",
        ),
        (reports.returned(TO), Outcome.FAILED, "The mailbox is full. (5.2.2)"),
        (reports.absence(TO), Outcome.ANSWER, ""),
        (reports.receipt(TO), Outcome.ANSWER, ""),
        (reports.reply(TO), Outcome.OTHER, ""),
    ],
)
def test_what_they_say(data: bytes, outcome: Outcome, reason: str) -> None:
    report = read_report(data)
    assert (report.outcome, report.reason) == (outcome, reason)
    assert TO in report.addresses


def test_a_server_that_quotes_the_mail_does_not_show_the_link() -> None:
    quoting = "smtp; 554 spam: https://calls.acme.example/join/TTTT " + "x" * 500
    report = read_report(reports.postfix(TO, diagnostic=quoting))
    assert "TTTT" not in report.reason
    assert len(report.reason) < 200


def test_the_report_is_read_and_not_what_it_returns() -> None:
    # The returned message is itself a report about something else.
    inner = reports.postfix("invites+" + "b" * 24 + "@acme.example").decode()
    data = reports.returned(TO).decode().replace(reports.ORIGINAL, inner)
    report = read_report(data.encode())
    assert report.addresses == (TO,)
    assert "no such address" not in report.reason


def test_a_report_about_an_address_outside_ascii() -> None:
    data = reports.postfix(TO).replace(
        b"message/delivery-status", b"message/global-delivery-status"
    )
    assert read_report(data) == read_report(reports.postfix(TO))


def test_the_beginning_of_a_long_report_is_enough() -> None:
    data = reports.postfix(TO) + b"x" * (2 * MAX_REPORT_BYTES)
    assert read_report(data).outcome is Outcome.FAILED


# What never harms -----------------------------------------------------------------

ALL = [
    reports.postfix(TO),
    reports.exim(TO),
    reports.old_exim(TO),
    reports.exchange(TO),
    reports.gmail(TO),
    reports.returned(TO),
    reports.absence(TO),
    reports.receipt(TO),
    reports.reply(TO),
]
PIECES = [
    b"\r\n",
    b"\r\n\r\n",
    b"--",
    b"boundary=",
    b"\x00",
    b"\xff\xfe",
    b"=?utf-8?b?////?=",
    b"=?x?q?=0D=0A?=",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: uuencode\r\n",
    b"Content-Type: multipart/report\r\n",
    b"Content-Type: message/delivery-status; charset=nonsense\r\n",
    b"Content-Type: text/plain; charset*=utf-8''%ff\r\n",
    b"To: (((((\r\n",
    b'To: "\r\n',
    b"To: a@b, " * 40,
    b";" * 50,
    b"Status: 5.1.1\r\n",
    b"report-type=delivery-status",
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(ALL), st.randoms(use_true_random=False))
@example(b"", random.Random(1))
def test_a_damaged_message_never_harms(data: bytes, rng: random.Random) -> None:
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 12)):
        at = rng.randint(0, len(damaged))
        match rng.randint(0, 3):
            case 0:
                damaged[at:at] = rng.choice(PIECES)
            case 1:
                del damaged[at : at + rng.randint(1, 200)]
            case 2 if at < len(damaged):
                damaged[at] = rng.randint(0, 255)
            case _:
                damaged[at:at] = damaged[: rng.randint(0, 300)]
    report = read_report(bytes(damaged))
    assert len(report.reason) <= 255
    assert report.reason.isprintable()
    assert "/join/T" not in report.reason


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_never_harm(data: bytes) -> None:
    assert read_report(data).outcome in list(Outcome)


@pytest.mark.parametrize(
    "data",
    [
        # Multiparts in multiparts.
        b"".join(
            b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n)
            for n in range(5000)
        ),
        # Messages in messages.
        b"Content-Type: message/rfc822\r\n\r\n" * 8000,
        b"To: " + b"a@b.example," * 20000,
        b"".join(b"To: a%d@b.example\r\n" % n for n in range(12000)),
        b"To: " + b"(" * 200_000,
        b'To: "' + b"\\" * 200_000,
        b"X: " + b"a\r\n " * 60000,
        b"Content-Type: text/plain" + b"; a=b" * 50000 + b"\r\n\r\n",
        b"Content-Type: multipart/report; boundary=x\r\n\r\n" + b"--x\r\n\r\n" * 50000,
        b"Content-Type: message/delivery-status\r\n\r\n" + b"A: b\r\n\r\n" * 40000,
    ],
    ids=range(10),
)
def test_a_message_made_to_cost_costs_little(data: bytes) -> None:
    began = time.process_time()
    read_report(data)
    assert time.process_time() - began < 5
