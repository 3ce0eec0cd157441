"""What a rep asks the CRM about people, and who a caller is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.activities.work_view import to_wire
from gateway.crm.connector import (
    Connector,
    ContactDraft,
    CrmDuplicateFound,
    CrmError,
    CrmLimitExceeded,
    CrmRecord,
    CrmRefused,
    CrmUser,
    FoundByKey,
    PersonKind,
)
from gateway.identity.users import User
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorKind, Match, MatchState

logger = logging.getLogger(__name__)

CRM_TIMEOUT_S = 15.0


async def create_contact(
    connector: Connector, user: User, params: wire.ContactCreate
) -> wire.Record:
    """Raises RequestError: not allowed, there already, or the CRM is away."""
    draft = ContactDraft(
        last_name=params.last_name,
        first_name=params.first_name,
        phone=params.phone,
        company=params.company,
        email=params.email,
        kind=PersonKind.LEAD if params.kind == "Lead" else PersonKind.CONTACT,
        allow_duplicate=params.allow_duplicate,
    )
    try:
        async with asyncio.timeout(CRM_TIMEOUT_S):
            found = await connector.create_contact(crm_user(user), draft)
    except CrmDuplicateFound as error:
        raise RequestError(
            ErrorKind.CRM_DUPLICATE,
            str(error),
            records=tuple(to_wire(record) for record in error.records),
            field="allow_duplicate" if error.may_be_allowed else "",
        ) from None
    except (CrmError, TimeoutError) as error:
        raise _crm_failed(error) from None
    return to_wire(found)


async def find_people(
    connector: Connector, user: User, text: str
) -> tuple[wire.Record, ...]:
    """By name or e-mail. Raises RequestError: the CRM is away, or refuses."""
    try:
        async with asyncio.timeout(CRM_TIMEOUT_S):
            found = await connector.find_people(crm_user(user), text)
    except (CrmError, TimeoutError) as error:
        raise _crm_failed(error) from None
    return tuple(map(to_wire, found))


async def find_caller(connector: Connector, user: User, e164: str) -> Match:
    """Who has this number, as ``user`` may see them; a failure is an answer too."""
    try:
        async with asyncio.timeout(CRM_TIMEOUT_S):
            records = await connector.find_by_number(crm_user(user), e164)
    except (CrmError, TimeoutError) as error:
        logger.warning("no caller match for %s: %s", user.key, error)
        return Match(state=MatchState.FAILED)
    return _match(records)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and what about, if the caller has said so."""

    match: Match
    about: CrmRecord | None = None


async def find_caller_by_key(
    connector: Connector, user: User, e164: str, key: str, fields: Mapping[str, str]
) -> Caller:
    """Who or what has this key; if nobody has, who has the number ("" for none).

    Both are asked at once, so that a wrong key costs the caller no time.
    """
    async with asyncio.TaskGroup() as group:
        by_key = group.create_task(_find_key(connector, user, key, fields))
        by_number = (
            group.create_task(find_caller(connector, user, e164)) if e164 else None
        )
        found = await by_key
        if found is not None and found.people:
            if by_number is not None:
                by_number.cancel()
            return Caller(_match(found.people), _about(connector, found))
    about = None if found is None else _about(connector, found)
    if by_number is not None:
        return Caller(by_number.result(), about)
    failed = Match(state=MatchState.FAILED)
    return Caller(failed if found is None else Match(state=MatchState.NONE), about)


async def _find_key(
    connector: Connector, user: User, key: str, fields: Mapping[str, str]
) -> FoundByKey | None:
    """None: the CRM cannot say."""
    try:
        async with asyncio.timeout(CRM_TIMEOUT_S):
            return await connector.find_by_key(crm_user(user), key, fields)
    except (CrmError, TimeoutError) as error:
        # The key itself is the caller's, and may be a secret of theirs.
        logger.warning("no match of a caller's key for %s: %s", user.key, error)
        return None


def _about(connector: Connector, found: FoundByKey) -> CrmRecord | None:
    """What an activity may be about; of all else the person is enough."""
    about = found.about
    if about is None or not connector.may_be_about(about.kind):
        return None
    return about


def _match(records: tuple[CrmRecord, ...]) -> Match:
    return Match(
        state=MatchState.FOUND if records else MatchState.NONE,
        records=tuple(to_wire(record) for record in records),
    )


def crm_user(user: User) -> CrmUser:
    return CrmUser(
        tenant=user.key.tenant, id=user.crm_user_id, username=user.crm_username
    )


def _crm_failed(error: CrmError | TimeoutError) -> RequestError:
    if isinstance(error, CrmLimitExceeded):
        return RequestError(ErrorKind.CRM_LIMIT, str(error), retryable=True)
    retryable = isinstance(error, TimeoutError) or error.retryable
    return RequestError(
        ErrorKind.CRM_UNAVAILABLE if retryable else ErrorKind.CRM_REFUSED,
        str(error) or "The CRM did not answer in time.",
        retryable=retryable,
        field=error.field if isinstance(error, CrmRefused) else "",
    )
