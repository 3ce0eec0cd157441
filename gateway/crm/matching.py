"""Who is calling: asked while the phone rings, and never in its way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from gateway.crm.connector import Connector, CrmError, CrmRecord, CrmUser
from gateway.sessions.wire import MatchState

logger = logging.getLogger(__name__)

BUDGET_S = 2.0
GIVE_UP_AFTER_S = 30.0
MAX_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class MatchResult:
    """FOUND with records best first, NONE, or FAILED with a ``problem`` to show.

    ``is_final`` False: the budget is spent and the answer is still awaited.
    """

    state: MatchState
    records: tuple[CrmRecord, ...] = ()
    problem: str = ""
    is_final: bool = True


Deliver = Callable[[MatchResult], None]


class Matcher:
    """Looks callers up in one tenant's CRM. Owns its tasks: :meth:`close` it."""

    def __init__(
        self,
        connector: Connector | None,
        *,
        budget_s: float = BUDGET_S,
        give_up_after_s: float = GIVE_UP_AFTER_S,
        max_at_once: int = MAX_AT_ONCE,
    ) -> None:
        self._connector = connector
        self._budget_s = budget_s
        self._give_up_after_s = give_up_after_s
        self._max_at_once = max_at_once
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, user: CrmUser, e164: str, deliver: Deliver) -> Callable[[], None]:
        """Begin; returns what ends it early. Nothing is raised, now or later.

        ``deliver`` is called in the event loop, at once when there is nothing to
        ask; otherwise within the budget, and again with what comes after it.
        """
        if self._connector is None or not e164:
            deliver(MatchResult(MatchState.NONE))
            return _nothing
        if len(self._tasks) >= self._max_at_once:
            deliver(MatchResult(MatchState.FAILED, problem="Too many searches"))
            return _nothing
        task = asyncio.create_task(self._match(self._connector, user, e164, deliver))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

        def cancel() -> None:
            task.cancel()

        return cancel

    async def close(self) -> None:
        """End all searches."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _match(
        self, connector: Connector, user: CrmUser, e164: str, deliver: Deliver
    ) -> None:
        late = asyncio.get_running_loop().call_later(
            self._budget_s,
            deliver,
            MatchResult(MatchState.FAILED, problem="The CRM is slow", is_final=False),
        )
        try:
            result = await self._ask(connector, user, e164)
        finally:
            late.cancel()
        deliver(result)

    async def _ask(self, connector: Connector, user: CrmUser, e164: str) -> MatchResult:
        try:
            async with asyncio.timeout(self._give_up_after_s):
                records = await connector.find_by_number(user, e164)
        except CrmError as error:
            logger.warning("tenant %s: no caller match: %s", user.tenant, error)
            return MatchResult(MatchState.FAILED, problem=str(error))
        except TimeoutError:
            return MatchResult(MatchState.FAILED, problem="The CRM does not answer")
        except Exception:
            # A fault of the connector's: the call must not notice.
            logger.exception("tenant %s: no caller match", user.tenant)
            return MatchResult(MatchState.FAILED, problem="Internal error")
        state = MatchState.FOUND if records else MatchState.NONE
        return MatchResult(state, records)


def _nothing() -> None:
    return
