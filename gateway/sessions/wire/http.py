"""HTTP beside the socket."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gateway.sessions.wire.base import ErrorKind, Id, Secret, SecretId, Wire
from gateway.sessions.wire.sessions import UserView


class SignInByAssertion(Wire):
    """An RS256 JWT that the tenant's CRM signed for its user; see PROTOCOL.md."""

    assertion: Secret


class SignInByPassword(Wire):
    """Sign-in without a CRM."""

    tenant: Id
    username: Annotated[str, Field(min_length=1, max_length=255)]
    password: Annotated[str, Field(min_length=1, max_length=1024, repr=False)]


class SignInByPhone(Wire):
    """Sign-in with the phone account, where the tenant has it switched on."""

    tenant: Id
    sip_username: Annotated[str, Field(pattern=r"^[A-Za-z0-9._+~-]{1,64}$")]
    sip_password: Annotated[str, Field(min_length=1, max_length=256, repr=False)]


class SignInByCode(Wire):
    """What the sign-in window has given this page, and the secret whose SHA-256 the
    window was opened with; see PROTOCOL.md."""

    code: SecretId
    secret: SecretId


class SignInRefresh(Wire):
    """The newest ``refresh_token``; each is good once."""

    refresh_token: Secret


class SignOut(Wire):
    """Ends the sign-in of this ``refresh_token``, with its session and calls."""

    refresh_token: Secret


class SignInResult(Wire):
    """``access_token`` goes into ``Authorization: Bearer``; lasts ``expires_in`` s.

    ``refresh_token`` prolongs the sign-in by ``POST /v1/sign-in/refresh``; guests of
    invites have none."""

    access_token: Secret
    expires_in: int
    refresh_token: Annotated[str | None, Field(max_length=128, repr=False)] = None
    user: UserView


class TicketResult(Wire):
    """``ticket`` opens one session, once, within ``expires_in`` seconds."""

    ticket: SecretId
    expires_in: int


class IceServer(Wire):
    """As WebRTC's ``RTCIceServer``."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: Annotated[str | None, Field(repr=False)] = None


class TurnResult(Wire):
    """``expires_in``: seconds the credentials last, absent when they do not expire."""

    ice_servers: tuple[IceServer, ...] = ()
    expires_in: int | None = None


class IceTestResult(Wire):
    ok: bool
    server_time: int
    turn: bool


class HttpErrorDetail(Wire):
    kind: ErrorKind
    message: str


class HttpError(Wire):
    """The body of every HTTP answer that is an error."""

    error: HttpErrorDetail


class JoinByLink(Wire):
    """``token`` is the last part of the link ``/join/TOKEN``. ``browser`` is a secret
    that this browser made at first use and keeps: a link is not for two at once."""

    token: Secret
    browser: SecretId


class JoinSession(Wire):
    """Come in as ``name``, whoever the link was sent to."""

    token: Secret
    browser: SecretId
    name: Annotated[str, Field(min_length=1, max_length=80)]


class JoinCalendar(Wire):
    """``text``: the invite as an iCalendar file (RFC 5545)."""

    text: str
