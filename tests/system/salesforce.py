"""The Salesforce simulator as a process of its own, and what is in it.

REST in plain HTTP on ``localhost``, the Lightning page in TLS as
``https://acme.lightning.force.com``, so that origin checks meet real host names.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.system.program import LogBook, Program
from tests.system.waiting import until

LIGHTNING_HOST = "acme.lightning.force.com"
CONSUMER_KEY = "ringbridge-tests"
KEY_FIELD = "Ringbridge_Key__c"

# Where the connector writes activities: faults on this path hit nothing else.
TASK_PATH = "/sobjects/Task"
SEARCH_PATH = "/search"


@dataclass(frozen=True, slots=True)
class CrmTask:
    """A logged call as the org has it."""

    id: str
    key: str
    subject: str
    direction: str
    outcome: str
    duration_s: int
    who_id: str
    owner_id: str
    description: str

    @property
    def call_id(self) -> str:
        return self.key.removeprefix("call:")


class Salesforce:
    """One org. ``users`` are Robin's and Sam's ids by username once it runs."""

    def __init__(
        self, *, directory: Path, logs: LogBook, widget_url: str, gateway_url: str
    ) -> None:
        self.url = ""
        self.lightning = ""
        self.organization_id = ""
        self.identity_public_key_pem = ""
        self.users: dict[str, str] = {}
        directory.mkdir(parents=True, exist_ok=True)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.private_key = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        public = directory / "consumer.pem"
        public.write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.PEM,
                serialization.PublicFormat.SubjectPublicKeyInfo,
            )
        )
        self._program = Program(
            "salesforce",
            [
                *(sys.executable, "-m", "gateway.sandbox.salesforce"),
                *("--tls-port", "0", "--app", f"{CONSUMER_KEY}={public}"),
                *("--adapter-url", widget_url, "--gateway-url", gateway_url),
            ],
            logs=logs,
            directory=Path(__file__).parents[2],
        )

    async def __aenter__(self) -> Self:
        await self._program.start()
        try:
            line = (await self._program.wait_for_line(r'^\{"url"', timeout_s=20))[0]
        except BaseException:
            await self._program.stop()
            raise
        ready = json.loads(line)
        self.url = ready["url"]
        tls_port = ready["tls_url"].rpartition(":")[2]
        self.lightning = f"https://{LIGHTNING_HOST}:{tls_port}"
        self.organization_id = ready["organization_id"]
        self.identity_public_key_pem = ready["identity_public_key_pem"]
        info = await self.control("GET", "info")
        self.users = {user["username"]: user["id"] for user in info["users"]}
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._program.stop()

    @property
    def port(self) -> int:
        """Of REST in plain HTTP."""
        return int(self.url.rpartition(":")[2])

    def configuration(self) -> dict[str, Any]:
        """The ``salesforce`` section of a tenant of this org."""
        return {
            "my_domain": self.url,
            "lightning": self.lightning,
            "token_url": f"{self.url}/services/oauth2/token",
            "consumer_key": CONSUMER_KEY,
            "private_key": self.private_key,
            "external_id_field": KEY_FIELD,
            "identity_issuer": self.organization_id,
            "identity_key": self.identity_public_key_pem,
        }

    async def control(self, method: str, path: str, body: object = None) -> Any:
        """One request of the control API; None for an answer without a body."""
        timeout = aiohttp.ClientTimeout(total=10)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(
                method, f"{self.url}/sandbox/{path}", json=body
            ) as response,
        ):
            text = await response.text()
            assert response.status < 300, f"{path}: {response.status} {text}"
            return json.loads(text) if text else None

    # What is in it --------------------------------------------------------------------

    async def records(self, kind: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await self.control("GET", f"records/{kind}")
        return rows

    async def contact(self, last_name: str) -> dict[str, Any]:
        """The only contact of that last name."""
        [found] = [
            row for row in await self.records("Contact") if row["LastName"] == last_name
        ]
        return found

    async def tasks(self) -> list[CrmTask]:
        """All calls that were logged, oldest first."""
        return [
            CrmTask(
                id=row["Id"],
                key=row[KEY_FIELD],
                subject=row.get("Subject") or "",
                direction=row.get("CallType") or "",
                outcome=row.get("CallDisposition") or "",
                duration_s=row.get("CallDurationInSeconds") or 0,
                who_id=row.get("WhoId") or "",
                owner_id=row.get("OwnerId") or "",
                description=row.get("Description") or "",
            )
            for row in await self.records("Task")
            if row.get(KEY_FIELD)
        ]

    async def wait_tasks(
        self, count: int, *, after: int = 0, timeout_s: float = 10.0
    ) -> list[CrmTask]:
        """Wait until there are ``count`` more than ``after``; gives the newer ones.

        Raises:
            AssertionError: there are more, or too few within the time.
        """

        async def newer() -> list[CrmTask] | None:
            found = (await self.tasks())[after:]
            return found if len(found) >= count else None

        found = await until(newer, f"{count} new tasks", timeout_s=timeout_s)
        assert found is not None
        assert len(found) == count, f"more tasks than calls: {found}"
        return found

    # What goes wrong ------------------------------------------------------------------

    async def fault(
        self,
        kind: str,
        *,
        times: int | None = 1,
        path: str = TASK_PATH,
        delay_s: float = 1.0,
    ) -> None:
        """Order a fault for requests whose path has ``path``."""
        await self.control(
            "POST",
            "faults",
            {"kind": kind, "times": times, "path": path, "delay_s": delay_s},
        )

    async def clear_faults(self) -> None:
        await self.control("DELETE", "faults")

    async def requests(self, path: str, *, method: str = "") -> list[dict[str, Any]]:
        """REST requests so far whose path has ``path``."""
        query = f"journal?path={path}&method={method}"
        rows: list[dict[str, Any]] = await self.control("GET", query)
        return rows
