"""HTTP of sign-in: the token endpoints, and the pages a person sees on the way.

The page that asks who one is has no passwords: the users of a simulated org have
none. Its cookie is the one of the Lightning-like page, so that whoever is signed in
there is not asked again, as in a real org.
"""

from __future__ import annotations

import html
from collections.abc import Mapping

from aiohttp import web

from gateway.sandbox.salesforce import openid
from gateway.sandbox.salesforce.assumptions import (
    BAD_ID,
    BAD_TOKEN,
    IDENTITY_REFUSAL_STATUS,
    MISSING_SCOPE,
    MISSING_TOKEN,
    WRONG_ORG,
)
from gateway.sandbox.salesforce.authorize import (
    AuthorizationRefused,
    AuthorizationRequest,
)
from gateway.sandbox.salesforce.errors import OAuthError
from gateway.sandbox.salesforce.org import ORGANIZATION_ID, Org
from gateway.sandbox.salesforce.record import Record
from gateway.sandbox.salesforce.replies import form_of, json_reply, own_url
from gateway.sandbox.salesforce.sessions import Session

USER_COOKIE = "sandbox_user"

_SCOPE_WORDS = {
    "api": "Manage user data via APIs (api)",
    "id": "Access the identity URL service (id, profile, email, address, phone)",
    "openid": "Access unique user identifiers (openid)",
    "refresh_token": "Perform requests at any time (refresh_token, offline_access)",
    "full": "Full access (full)",
    "web": "Manage user data via Web browsers (web)",
}


class OAuthShell:
    """Handlers below ``/services/oauth2/`` and ``/id/``."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def answer(self, request: web.Request, raw: bytes) -> web.Response:
        """Everything of ``/services/oauth2/``, ``/id/`` and ``/.well-known/``."""
        try:
            match request.path:
                case "/.well-known/openid-configuration" | "/id/keys":
                    return self._published(request)
                case "/services/oauth2/authorize":
                    return self._authorize(request, raw)
                case "/services/oauth2/userinfo":
                    return self._userinfo(request, raw)
                case path if path.startswith("/id/"):
                    return self._identity(request)
                case _:
                    return self._tokens(request, raw)
        except OAuthError as error:
            return json_reply(
                {"error": error.error, "error_description": error.description},
                error.status,
                {"Cache-Control": "no-store", "Pragma": "no-cache"},
            )

    # -- for programs

    def _published(self, request: web.Request) -> web.Response:
        if request.path == "/id/keys":
            return json_reply(self._org.tokens.keys.jwks())
        return json_reply(openid.discovery(own_url(request)))

    def _tokens(self, request: web.Request, raw: bytes) -> web.Response:
        form = form_of(raw) if request.method == "POST" else {}
        authorization = request.headers.get("Authorization", "")
        at = own_url(request)
        match (request.path, request.method):
            case ("/services/oauth2/token", "POST"):
                reply: Mapping[str, object] = self._org.tokens.exchange(
                    form, authorization=authorization, own_url=at
                )
            case ("/services/oauth2/introspect", "POST"):
                reply = self._org.tokens.introspect(
                    form, authorization=authorization, own_url=at
                )
            case ("/services/oauth2/revoke", "GET" | "POST"):
                token = {**request.query, **form}.get("token", "")
                if not self._org.tokens.sessions.revoke(token):
                    raise OAuthError("unsupported_token_type", "invalid token")
                return web.Response(status=200)
            case _:
                return web.Response(status=404, text="Not found")
        return json_reply(
            reply, headers={"Cache-Control": "no-store", "Pragma": "no-cache"}
        )

    def _userinfo(self, request: web.Request, raw: bytes) -> web.Response:
        found = self._signed_in(request, {**request.query, **form_of(raw)})
        if isinstance(found, web.Response):
            return found
        session, user = found
        if not (session.allows("openid") or session.allows("id")):
            return _refused(MISSING_SCOPE)
        info = openid.userinfo(
            user, own_url=own_url(request), organization_id=ORGANIZATION_ID
        )
        return json_reply(info)

    def _identity(self, request: web.Request) -> web.Response:
        found = self._signed_in(request, request.query)
        if isinstance(found, web.Response):
            return found
        session, user = found
        if request.match_info["org"] != ORGANIZATION_ID:
            return _refused(WRONG_ORG)
        if request.match_info["user"] != user.id:
            return _refused(BAD_ID)
        if not any(session.allows(word) for word in ("id", "openid", "api")):
            return _refused(MISSING_SCOPE)
        return json_reply(
            openid.identity(
                user, own_url=own_url(request), organization_id=ORGANIZATION_ID
            )
        )

    def _signed_in(
        self, request: web.Request, parameters: Mapping[str, str]
    ) -> tuple[Session, Record] | web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() not in ("bearer", "oauth"):
            token = parameters.get("access_token", parameters.get("oauth_token", ""))
        if not token:
            return _refused(MISSING_TOKEN)
        return self._org.tokens.session_of(token.strip()) or _refused(BAD_TOKEN)

    # -- for persons

    def _authorize(self, request: web.Request, raw: bytes) -> web.Response:
        authorizer = self._org.tokens.authorizer
        form = form_of(raw) if request.method == "POST" else {}
        try:
            if "request" in form:
                waiting = authorizer.waiting(form["request"])
                if waiting is None:
                    return _page("This page has expired", _message("Start again."), 400)
                return self._step(request, waiting, form)
            asked = authorizer.begin(form or request.query)
            signed_in = self._org.user(request.cookies.get(USER_COOKIE, ""))
            return self._next(request, asked, signed_in, fresh=False)
        except AuthorizationRefused as refused:
            if refused.redirect:
                return _redirect(refused.redirect)
            text = f"error={refused.error}&error_description={refused.description}"
            return _page("Sign-in is not possible", _message(text), 400)

    def _step(
        self,
        request: web.Request,
        waiting: AuthorizationRequest,
        form: Mapping[str, str],
    ) -> web.Response:
        """A button of a page was pressed: a user, "allow", "deny" or "switch"."""
        authorizer = self._org.tokens.authorizer
        signed_in = self._org.user(request.cookies.get(USER_COOKIE, ""))
        match form:
            case {"user": reference}:
                chosen = self._org.user(reference)
                if chosen is None or not chosen.values.get("IsActive"):
                    return self._login_page(request, waiting, failed=True)
                response = self._next(request, waiting, chosen, fresh=True)
                response.set_cookie(
                    USER_COOKIE, chosen.id, httponly=True, samesite="Lax"
                )
                return response
            case {"decision": "deny"}:
                return _redirect(authorizer.deny(waiting))
            case {"decision": "allow"} if signed_in is not None:
                return self._approve(waiting, signed_in)
            case _:
                return self._login_page(request, waiting)

    def _next(
        self,
        request: web.Request,
        asked: AuthorizationRequest,
        user: Record | None,
        *,
        fresh: bool,
    ) -> web.Response:
        authorizer = self._org.tokens.authorizer
        prompt = asked.prompt
        again = not fresh and bool({"login", "select_account"} & prompt)
        active = user is not None and user.values.get("IsActive") is True
        if user is None or not active or again:
            if "none" in prompt:
                return _redirect(authorizer.cannot_ask(asked))
            return self._login_page(request, asked)
        if authorizer.needs_consent(asked, user.id):
            if "none" in prompt:
                return _redirect(authorizer.cannot_ask(asked))
            return self._consent_page(asked, user)
        return self._approve(asked, user)

    def _approve(self, asked: AuthorizationRequest, user: Record) -> web.Response:
        username = str(user.values.get("Username"))
        return _redirect(self._org.tokens.authorizer.approve(asked, user.id, username))

    def _login_page(
        self, request: web.Request, asked: AuthorizationRequest, *, failed: bool = False
    ) -> web.Response:
        buttons = "".join(
            _button("user", user.id, user.display_name, str(user.values["Username"]))
            for user in self._org.store.records("User")
            if not asked.login_hint
            or asked.login_hint.lower() == str(user.values["Username"]).lower()
        )
        problem = (
            '<p class="problem" role="alert">Please check your username. If you still '
            "can't log in, contact your Salesforce administrator.</p>"
            if failed
            else ""
        )
        return _page(
            "Log in", problem + _form(asked, buttons), 200 if not failed else 403
        )

    def _consent_page(self, asked: AuthorizationRequest, user: Record) -> web.Response:
        words = "".join(
            f"<li>{html.escape(_SCOPE_WORDS.get(word, word))}</li>"
            for word in asked.scope.split()
        )
        label = html.escape(asked.app.label)
        buttons = (
            _button("decision", "allow", "Allow")
            + _button("decision", "deny", "Deny")
            + _button("decision", "switch", "Not you?")
        )
        return _page(
            "Allow Access?",
            f"<p>{label} is asking to:</p><ul>{words}</ul>"
            "<p>Do you want to allow access for "
            f"{html.escape(str(user.values['Username']))}?</p>" + _form(asked, buttons),
        )


def _refused(word: str) -> web.Response:
    return web.Response(status=IDENTITY_REFUSAL_STATUS, text=word)


def _redirect(url: str) -> web.Response:
    return web.Response(
        status=302, headers={"Location": url, "Cache-Control": "no-store"}
    )


def _message(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _form(asked: AuthorizationRequest, buttons: str) -> str:
    return (
        '<form method="post" action="/services/oauth2/authorize">'
        f'<input type="hidden" name="request" value="{asked.id}">{buttons}</form>'
    )


def _button(name: str, value: str, label: str, hint: str = "") -> str:
    small = f" <small>{html.escape(hint)}</small>" if hint else ""
    return (
        f'<button name="{name}" value="{html.escape(value)}">'
        f"{html.escape(label)}{small}</button>"
    )


def _page(title: str, body: str, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        text=(
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{html.escape(title)} | Salesforce (sandbox)</title>"
            '<link rel="stylesheet" href="/static/sign-in.css"></head>'
            f"<body><main><h1>{html.escape(title)}</h1>{body}</main></body></html>"
        ),
        content_type="text/html",
        headers={
            # No form-action: browsers apply it to the redirect that follows a form.
            "Content-Security-Policy": "default-src 'none'; style-src 'self'; "
            "base-uri 'none'; frame-ancestors 'none'",
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
    )
