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


class SignInResult(Wire):
    """``access_token`` goes into ``Authorization: Bearer``; lasts ``expires_in`` s."""

    access_token: Secret
    expires_in: int
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
