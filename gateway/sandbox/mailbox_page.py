"""The page that stands for the customers' mail programs."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from gateway.sandbox.mailbox import Mail, Mailbox

# A mail's HTML is shown as a mail program would: no scripts, nothing from elsewhere;
# its links open in pages of their own.
_HTML_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    " form-action 'none'; frame-ancestors 'self';"
    " sandbox allow-popups allow-popups-to-escape-sandbox"
)
_OPENS_ELSEWHERE = '<base target="_blank">'


def add_routes(app: web.Application, mailbox: Mailbox) -> None:
    """What ``mailbox.js`` asks for."""

    async def mail(request: web.Request) -> web.Response:
        return web.json_response(details(_wanted(request, mailbox)))

    async def html(request: web.Request) -> web.Response:
        return web.Response(
            text=_OPENS_ELSEWHERE + _wanted(request, mailbox).letter.html,
            content_type="text/html",
            headers={
                "Content-Security-Policy": _HTML_POLICY,
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "no-store",
            },
        )

    async def source(request: web.Request) -> web.Response:
        return web.Response(
            body=_wanted(request, mailbox).source,
            content_type="text/plain",
            charset="utf-8",
            headers={
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "Cache-Control": "no-store",
            },
        )

    app.router.add_get(r"/mails/{number:\d{1,9}}", mail)
    app.router.add_get(r"/mails/{number:\d{1,9}}/html", html)
    app.router.add_get(r"/mails/{number:\d{1,9}}/source", source)


def listing(mailbox: Mailbox) -> list[dict[str, object]]:
    """All mails, the newest first, without what is in them."""
    return [_summary(mail) for mail in mailbox.mails]


def details(mail: Mail) -> dict[str, object]:
    """All of one mail but its HTML."""
    letter = mail.letter
    return {
        **_summary(mail),
        "text": letter.text,
        "hasHtml": bool(letter.html),
        "link": letter.link,
        "calendar": None if letter.calendar is None else asdict(letter.calendar),
    }


def _summary(mail: Mail) -> dict[str, object]:
    letter = mail.letter
    return {
        "number": mail.number,
        "at": mail.at,
        "from": letter.sender,
        "to": list(mail.recipients),
        "subject": letter.subject,
        "method": letter.calendar.method if letter.calendar else "",
    }


def _wanted(request: web.Request, mailbox: Mailbox) -> Mail:
    mail = mailbox.mail(int(request.match_info["number"]))
    if mail is None:
        raise web.HTTPNotFound
    return mail
