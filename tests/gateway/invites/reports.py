"""Delivery reports in the form that several mail systems write them.

``to`` is the return path of the mail that they are about; the words are ours.
"""

from __future__ import annotations

import textwrap

ORIGINAL = """\
From: "Robin Reyes" <invites@acme.example>
To: "Ana Ruiz" <ana@customer.example>
Subject: Video call: Your offer
Message-ID: <abc.7@calls.acme.example>

https://calls.acme.example/join/TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT
"""


def message(text: str) -> bytes:
    return textwrap.dedent(text).replace("\n", "\r\n").encode()


def _original() -> str:
    return ORIGINAL


def postfix(
    to: str,
    *,
    action: str = "failed",
    status: str = "5.1.1",
    diagnostic: str = "smtp; 550 5.1.1 <ana@customer.example>: user unknown",
) -> bytes:
    return f"""\
Return-Path: <>
Delivered-To: invites@acme.example
X-Original-To: {to}
Received: by mx.acme.example (Postfix)
From: MAILER-DAEMON@mx.acme.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
 boundary="4Fz.1/mx.acme.example"

--4Fz.1/mx.acme.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.acme.example.

--4Fz.1/mx.acme.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.acme.example
X-Postfix-Queue-ID: 4Fz
Arrival-Date: Tue,  1 Dec 2026 14:00:00 +0000 (UTC)

Final-Recipient: rfc822; ana@customer.example
Original-Recipient: rfc822;ana@customer.example
Action: {action}
Status: {status}
Remote-MTA: dns; mx.customer.example
Diagnostic-Code: {diagnostic}

--4Fz.1/mx.acme.example
Content-Description: Undelivered Message
Content-Type: message/rfc822

{_original()}
--4Fz.1/mx.acme.example--
""".replace("\n", "\r\n").encode()


def exim(to: str) -> bytes:
    return f"""\
Return-path: <>
Envelope-to: {to}
X-Failed-Recipients: ana@customer.example
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mx.acme.example>
To: {to}
Content-Type: multipart/report; report-type=delivery-status; boundary=1-eximdsn-2
MIME-Version: 1.0
Subject: Mail delivery failed: returning message to sender

--1-eximdsn-2
Content-type: text/plain; charset=us-ascii

The server of this domain could not pass your message on.

--1-eximdsn-2
Content-type: message/delivery-status

Reporting-MTA: dns; mx.acme.example

Action: failed
Final-Recipient: rfc822;ana@customer.example
Status: 5.0.0
Remote-MTA: dns; mx.customer.example
Diagnostic-Code: smtp; 552 5.2.2 mailbox over quota

--1-eximdsn-2
Content-type: message/rfc822

{_original()}
--1-eximdsn-2--
""".replace("\n", "\r\n").encode()


def exim_delay(to: str) -> bytes:
    return (
        exim(to)
        .replace(b"X-Failed-Recipients: ana@customer.example\r\n", b"")
        .replace(b"Mail delivery failed: returning", b"Warning: message 1 delayed 24 h")
        .replace(b"Action: failed", b"Action: delayed")
        .replace(b"Status: 5.0.0", b"Status: 4.0.0")
        .replace(b"smtp; 552 5.2.2 mailbox over quota", b"smtp; 451 come back")
    )


def old_exim(to: str) -> bytes:
    """Before it knew multipart/report."""
    return f"""\
Return-path: <>
Envelope-to: {to}
X-Failed-Recipients: ana@customer.example
From: Mail Delivery System <Mailer-Daemon@mx.acme.example>
To: {to}
Subject: Mail delivery failed: returning message to sender

A message that you sent could not be delivered:

  ana@customer.example
    SMTP error from remote mail server after RCPT TO: 550 5.1.1 unknown

------ This is a copy of the message ------

{_original()}""".replace("\n", "\r\n").encode()


def exchange(to: str) -> bytes:
    """Base 64 about it, no diagnostic words of a server's own, HTML for people."""
    return f"""\
From: <postmaster@customer.example>
To: <{to}>
Date: Tue, 1 Dec 2026 14:00:05 +0000
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="8ae1_DSN"
X-MS-Exchange-Message-Is-Ndr:
Message-ID: <1@customer.example>
Subject: Undeliverable: Video call: Your offer
Auto-Submitted: auto-replied

--8ae1_DSN
Content-Type: multipart/alternative; differences=Content-Type;
\tboundary="8ae2"

--8ae2
Content-Type: text/plain; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

ana wasn't found at customer.example.=20

--8ae2
Content-Type: text/html; charset="us-ascii"

<html><body>ana wasn't found</body></html>
--8ae2--

--8ae1_DSN
Content-Type: message/delivery-status

Reporting-MTA: dns;AM0.customer.example
Received-From-MTA: dns;mx.acme.example
Arrival-Date: Tue, 1 Dec 2026 14:00:01 +0000

Final-Recipient: rfc822;ana@customer.example
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found by
 SMTP address lookup

--8ae1_DSN
Content-Type: message/rfc822

{_original()}
--8ae1_DSN--
""".replace("\n", "\r\n").encode()


def gmail(to: str) -> bytes:
    return f"""\
Delivered-To: {to}
Return-Path: <>
Received: by 2002:a05:0000 with SMTP id x1
X-Received: by 2002:a05:0000 with SMTP id x2
X-Failed-Recipients: ana@customer.example
Auto-Submitted: auto-replied
From: Mail Delivery Subsystem <mailer-daemon@googlemail.example>
To: {to}
Subject: Delivery Status Notification (Failure)
Content-Type: multipart/report; boundary="0000a"; report-type=delivery-status

--0000a
Content-Type: multipart/related; boundary="0000b"

--0000b
Content-Type: multipart/alternative; boundary="0000c"

--0000c
Content-Type: text/plain; charset="UTF-8"

** Address not found **
--0000c
Content-Type: text/html; charset="UTF-8"

<html></html>
--0000c--
--0000b
Content-Type: image/png; name="icon.png"
Content-Transfer-Encoding: base64
Content-ID: <icon.png>

iVBORw0KGgo=
--0000b--
--0000a
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.example
Arrival-Date: Tue, 01 Dec 2026 06:00:00 -0800 (PST)
X-Original-Message-ID: <abc.7@calls.acme.example>

Final-Recipient: rfc822; ana@customer.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; gmail-smtp-in.customer.example. (192.0.2.4, the server)
Diagnostic-Code: smtp; 550-5.1.1 The account does not exist. Please try
 550-5.1.1 checking the address
Last-Attempt-Date: Tue, 01 Dec 2026 06:00:01 -0800 (PST)

--0000a
Content-Type: message/rfc822

{_original()}
--0000a--
""".replace("\n", "\r\n").encode()


def returned(to: str) -> bytes:
    """Only a note and the message: no report part at all."""
    return f"""\
Return-Path: <>
From: Postmaster <postmaster@customer.example>
To: <{to}>
Subject: Mail could not be delivered
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=xx

--xx
Content-Type: text/plain

The mailbox is full: 5.2.2
--xx
Content-Type: message/rfc822

{_original()}
--xx--
""".replace("\n", "\r\n").encode()


def absence(to: str) -> bytes:
    return f"""\
Return-Path: <>
From: "Ana Ruiz" <ana@customer.example>
To: {to}
Subject: Automatic reply: Video call: Your offer
Auto-Submitted: auto-replied
X-Auto-Response-Suppress: All
Content-Type: text/plain

I am out of office until 5.12.2026. My mailbox 5.2.2 is not read.
""".replace("\n", "\r\n").encode()


def receipt(to: str) -> bytes:
    """Read, or thrown away unread (RFC 8098)."""
    return f"""\
From: ana@customer.example
To: {to}
Subject: Not read: Video call: Your offer
Content-Type: multipart/report; report-type=disposition-notification; boundary=m

--m
Content-Type: text/plain

Your message was deleted unread.
--m
Content-Type: message/disposition-notification

Final-Recipient: rfc822;ana@customer.example
Disposition: automatic-action/MDN-sent-automatically; deleted

--m--
""".replace("\n", "\r\n").encode()


def reply(to: str) -> bytes:
    """A person's, who attaches what they got."""
    return f"""\
Return-Path: <ana@customer.example>
From: "Ana Ruiz" <ana@customer.example>
To: {to}
Subject: Re: Video call: Your offer
Content-Type: multipart/mixed; boundary=r

--r
Content-Type: text/plain

Thank you! The mail to my colleague failed: 550 5.1.1
--r
Content-Type: message/rfc822

{_original()}
--r--
""".replace("\n", "\r\n").encode()
