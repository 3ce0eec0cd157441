"""What each tenant's CRM says about activities, fetched beforehand and kept.

Calls and their activities never wait for it: until it is known, and while the CRM is
away, what every organisation has is taken for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from gateway.crm.connector import ActivityFacts, Connector, CrmError, CrmUser

logger = logging.getLogger(__name__)

REFRESH_S = 3600.0
AGAIN_S = 60.0
TIMEOUT_S = 30.0


class OrgFacts:
    """Run :meth:`run` as one task.

    Args:
        user_of: as whom a tenant's CRM is asked, None while nobody is known.
    """

    def __init__(
        self,
        connectors: Mapping[str, Connector],
        user_of: Callable[[str], CrmUser | None],
    ) -> None:
        self._connectors = connectors
        self._user_of = user_of
        self._facts: dict[str, ActivityFacts] = {}

    def of(self, tenant: str) -> ActivityFacts | None:
        """What was heard last, None if nothing ever was."""
        return self._facts.get(tenant)

    async def run(self) -> None:
        """Ask each tenant's CRM, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for tenant, connector in self._connectors.items():
                group.create_task(self._watch(tenant, connector))

    async def _watch(self, tenant: str, connector: Connector) -> None:
        while True:
            is_known = await self.refresh(tenant, connector)
            await asyncio.sleep(REFRESH_S if is_known else AGAIN_S)

    async def refresh(self, tenant: str, connector: Connector) -> bool:
        """Ask once; whether there was an answer."""
        user = self._user_of(tenant)
        if user is None:
            return False
        try:
            async with asyncio.timeout(TIMEOUT_S):
                self._facts[tenant] = await connector.activity_facts(user)
        except (CrmError, TimeoutError) as error:
            logger.info("tenant %s: activities are not described: %s", tenant, error)
            return False
        except Exception:
            # One organisation's oddity is no other's trouble.
            logger.exception("tenant %s: activities are not described", tenant)
            return False
        return True
