"""What the page behind a link asks before it has a session.

``POST /v1/join``, ``/v1/join/session``, ``/v1/join/calendar``. The token is in the
body. Whatever is wrong with a link, the answer is the same and has cost the same; how
often one may be wrong is limited by address, how often one may come in by invite.
"""

from __future__ import annotations

from typing import TypeVar

from aiohttp import hdrs, web
from pydantic import ValidationError

from gateway.identity.attempts import AttemptLimit, Attempts
from gateway.identity.tokens import AccessGrant
from gateway.identity.users import UserKey
from gateway.invites import views
from gateway.invites.admission import Admission, GuestHouseFull, JoinRefused, Seat
from gateway.invites.board import Board
from gateway.sessions import wire
from gateway.sessions.endpoints import (
    Answer,
    HttpError,
    add_endpoints,
    json_body,
    too_many,
)
from gateway.sessions.http import HttpServices
from gateway.sessions.wire import ErrorKind, JoinState, Wire

# Wrong links: 192 random bits are not found by asking, but asking can be a nuisance.
WRONG_PER_ADDRESS = AttemptLimit(count=30, per_s=900.0)
# A company's guests may share one address; pages ask again when times change.
ASKED_PER_ADDRESS = AttemptLimit(count=240, per_s=60.0)
ASKED_PER_INVITE = AttemptLimit(count=240, per_s=60.0)
ENTERED_PER_INVITE = AttemptLimit(count=60, per_s=600.0)

_B = TypeVar("_B", wire.JoinByLink, wire.JoinSession)

_REFUSALS = {
    JoinState.EARLY: "It is too early; wait for the start.",
    JoinState.OVER: "This video call is over.",
    JoinState.CANCELLED: "This video call was cancelled.",
    JoinState.REVOKED: "This link is not valid any more.",
    JoinState.IN_USE: "Somebody is in the call by this link, in another browser.",
    JoinState.USED_UP: "This link was used in too many browsers.",
}


def add_routes(
    app: web.Application, admission: Admission, board: Board, services: HttpServices
) -> None:
    """Serve the three endpoints."""
    endpoints = _JoinEndpoints(admission, board, services)
    answers: dict[tuple[str, str], Answer] = {
        ("POST", "/v1/join"): endpoints.join,
        ("POST", "/v1/join/session"): endpoints.session,
        ("POST", "/v1/join/calendar"): endpoints.calendar,
    }
    add_endpoints(app, answers, services.origins)


class _JoinEndpoints:
    def __init__(
        self, admission: Admission, board: Board, services: HttpServices
    ) -> None:
        self._admission = admission
        self._board = board
        self._services = services
        clock = services.clock
        self._wrong = Attempts(WRONG_PER_ADDRESS, clock=clock)
        self._asked = Attempts(ASKED_PER_ADDRESS, clock=clock)
        self._asked_of_invite = Attempts(ASKED_PER_INVITE, clock=clock)
        self._entered = Attempts(ENTERED_PER_INVITE, clock=clock)

    async def join(self, request: web.Request) -> Wire:
        body = await self._body(request, wire.JoinByLink)
        seat = await self._seat(request, body)
        if seat is None:
            return views.unknown_link(self._board.now())
        return self._admission.view(seat)

    async def session(self, request: web.Request) -> Wire:
        body = await self._body(request, wire.JoinSession)
        seat = self._known(await self._seat(request, body))
        if not self._entered.take(seat.invite.key):
            raise self._limited()
        try:
            user, token = await self._admission.enter(
                seat, body.name, issue=self._issue, revoke=self._revoke
            )
        except JoinRefused as error:
            raise _closed(error) from None
        except GuestHouseFull:
            raise self._limited() from None
        except ValueError as error:
            raise HttpError(400, ErrorKind.BAD_REQUEST, str(error)) from None
        return wire.SignInResult(
            access_token=token,
            expires_in=self._services.access_tokens.lifetime_s,
            user=wire.UserView(
                id=user.key.user,
                name=user.name,
                number=user.number,
                tenant=user.key.tenant,
                company=user.company,
                role=wire.UserRole.GUEST,
            ),
        )

    async def calendar(self, request: web.Request) -> Wire:
        body = await self._body(request, wire.JoinByLink)
        seat = self._known(await self._seat(request, body))
        try:
            return wire.JoinCalendar(text=self._admission.calendar(seat, body.token))
        except JoinRefused as error:
            raise _closed(error) from None

    async def _body(self, request: web.Request, kind: type[_B]) -> _B:
        address = self._services.client_address(request)
        if not self._asked.take(address):
            raise self._limited()
        try:
            return kind.model_validate_json(await json_body(request), strict=True)
        except ValidationError:
            raise HttpError(
                400, ErrorKind.BAD_REQUEST, "Send the token and the browser's secret."
            ) from None

    async def _seat(
        self, request: web.Request, body: wire.JoinByLink | wire.JoinSession
    ) -> Seat | None:
        address = self._services.client_address(request)
        # Taken before it is known: many at once get no more guesses than one by one.
        if not self._wrong.take(address):
            raise self._limited()
        seat = await self._admission.find(body.token, body.browser)
        origin = request.headers.get(hdrs.ORIGIN)
        if seat is None or not self._services.origins.is_allowed(
            origin, seat.invite.tenant
        ):
            return None
        self._wrong.give_back(address)
        if not self._asked_of_invite.take(seat.invite.key):
            raise self._limited()
        return seat

    @staticmethod
    def _known(seat: Seat | None) -> Seat:
        if seat is None:
            raise HttpError(404, ErrorKind.INVITE_UNKNOWN, "This link is not valid.")
        return seat

    def _limited(self) -> HttpError:
        self._board.counters.joins_limited += 1
        return too_many()

    def _issue(self, user: UserKey) -> tuple[str, AccessGrant]:
        tokens = self._services.access_tokens
        token = tokens.issue(user)
        return token, tokens.verify(token)

    def _revoke(self, user: UserKey, grant: AccessGrant) -> None:
        self._services.access_tokens.revoke(grant.token_id, expires_at=grant.expires_at)
        self._services.tickets.revoke(user)


def _closed(error: JoinRefused) -> HttpError:
    message = _REFUSALS.get(error.state, "This link is not valid any more.")
    return HttpError(409, ErrorKind.INVITE_CLOSED, message)
