"""From a URI to the addresses it may be reached at, best first (RFC 3263).

A numeric host needs no look-up; an explicit port skips NAPTR and SRV (4.2). Otherwise
NAPTR names the transports, SRV the servers in order of priority and, within it, by
lot according to weight (RFC 2782). The caller tries the targets in turn, each with a
new transaction (4.3). A target that answered 503 is passed over until its
Retry-After is up.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver

from sip.transport import DEFAULT_PORT, Protocols, Target, is_numeric
from sip.uri import Uri

_log = logging.getLogger("sip.locate")

# NAPTR services of RFC 3263 4.1 that we speak; TLS adds its own.
SERVICES: dict[str, Protocols] = {"SIP+D2U": "udp", "SIP+D2T": "tcp"}
# No more of an answer than this is used, whatever the zone says.
MAX_TARGETS = 16
MAX_DEAD_TARGETS = 1024
# How long one look-up may take before the request fails as 503.
LOOKUP_TIMEOUT_S = 5.0


class LocateError(Exception):
    """The host has no address, or nobody told it in time."""


class Resolver(Protocol):
    """The part of ``dns.asyncresolver.Resolver`` that is used."""

    async def resolve(self, qname: str, rdtype: str, **options: Any) -> Any:
        """Look up; raises ``dns.exception.DNSException``."""


class Locator:
    """Finds targets and remembers which are dead.

    Args:
        resolver: defaults to the system's configuration, read at the first look-up.
    """

    def __init__(
        self,
        *,
        rng: random.Random,
        now: Callable[[], float],
        resolver: Resolver | None = None,
        transports: Sequence[Protocols] = ("udp", "tcp"),
    ) -> None:
        self._rng = rng
        self._now = now
        self._resolver = resolver
        self._transports = tuple(transports)
        # Until when a target is passed over.
        self._dead: dict[Target, float] = {}

    def locate_now(
        self, uri: Uri, transport: Protocols | None = None
    ) -> list[Target] | None:
        """The targets of a URI that needs no look-up, else None."""
        host = uri.param("maddr") or uri.host
        if not is_numeric(host):
            return None
        chosen = self._asked_transport(uri) or transport or self._transports[0]
        return [Target(chosen, host.strip("[]"), uri.port or DEFAULT_PORT)]

    async def locate(
        self, uri: Uri, transport: Protocols | None = None
    ) -> list[Target]:
        """All targets in the order they are to be tried, never empty.

        Args:
            uri: of scheme ``sip``.
            transport: which one to take where neither URI nor DNS says.

        Raises:
            LocateError: there are none.
        """
        if uri.scheme != "sip":
            raise LocateError(f"{uri.scheme}: is not reachable by the transports here")
        targets = self.locate_now(uri, transport)
        if targets is None:
            try:
                async with asyncio.timeout(LOOKUP_TIMEOUT_S):
                    targets = await self._look_up(uri, transport)
            except TimeoutError:
                raise LocateError(f"no answer about {uri.host}") from None
        if not targets:
            raise LocateError(f"{uri.host} has no address")
        return targets[:MAX_TARGETS]

    def mark_dead(self, target: Target, retry_after_s: float) -> None:
        """Pass the target over for a while (RFC 3261 21.5.4, RFC 3263 4.3)."""
        now = self._now()
        self._dead = {key: until for key, until in self._dead.items() if until > now}
        if len(self._dead) < MAX_DEAD_TARGETS:
            self._dead[target] = now + retry_after_s

    def is_dead(self, target: Target) -> bool:
        """Whether it is passed over just now."""
        now = self._now()
        return self._dead.get(target, now) > now

    def living_first(self, targets: list[Target]) -> list[Target]:
        """Dead ones last: if all are dead they are still better than nothing."""
        return sorted(targets, key=self.is_dead)

    def _asked_transport(self, uri: Uri) -> Protocols | None:
        asked = (uri.param("transport") or "").lower()
        for transport in self._transports:
            if asked == transport:
                return transport
        if asked:
            raise LocateError(f"transport {asked!r} is not available")
        return None

    async def _look_up(self, uri: Uri, preferred: Protocols | None) -> list[Target]:
        host = uri.param("maddr") or uri.host
        transport = self._asked_transport(uri)
        if uri.port is not None:
            chosen = transport or preferred or self._transports[0]
            return await self._addresses(host, uri.port, chosen)
        services: list[tuple[Protocols, str]]
        if transport is not None:
            services = [(transport, f"_sip._{transport}.{host}")]
        else:
            services = await self._naptr(host)
        if not services:
            order = sorted(self._transports, key=lambda each: each != preferred)
            services = [(each, f"_sip._{each}.{host}") for each in order]
        targets: list[Target] = []
        for each, name in services:
            for server, port in await self._srv(name):
                targets += await self._addresses(server, port, each)
        if targets:
            return targets
        chosen = transport or preferred or self._transports[0]
        return await self._addresses(host, DEFAULT_PORT, chosen)

    async def _naptr(self, host: str) -> list[tuple[Protocols, str]]:
        found: list[tuple[int, int, Protocols, str]] = []
        for record in await self._query(host, "NAPTR"):
            service = record.service.decode("ascii", "replace").upper()
            transport = SERVICES.get(service)
            if record.flags.lower() != b"s" or transport not in self._transports:
                continue
            name = record.replacement.to_text(omit_final_dot=True)
            found.append((record.order, record.preference, transport, name))
        found.sort(key=lambda entry: entry[:2])
        return [(transport, name) for _, _, transport, name in found]

    async def _srv(self, name: str) -> list[tuple[str, int]]:
        records = list(await self._query(name, "SRV"))
        ordered: list[tuple[str, int]] = []
        for priority in sorted({record.priority for record in records}):
            group = [each for each in records if each.priority == priority]
            while group:
                # + 1 so that weight 0 has a small chance too (RFC 2782)
                weights = [each.weight + 1 for each in group]
                record = self._rng.choices(group, weights)[0]
                group.remove(record)
                server = record.target.to_text(omit_final_dot=True)
                # "." says that the service is decidedly not offered
                if server not in (".", ""):
                    ordered.append((server, record.port))
        return ordered

    async def _addresses(
        self, host: str, port: int, transport: Protocols
    ) -> list[Target]:
        if is_numeric(host):
            return [Target(transport, host.strip("[]"), port)]
        if host.lower().rstrip(".") == "localhost":
            # RFC 6761 6.3: never asked of the DNS
            return [Target(transport, "127.0.0.1", port)]
        targets: list[Target] = []
        for kind in ("A", "AAAA"):
            for record in await self._query(host, kind):
                targets.append(Target(transport, record.address, port))
        return targets

    async def _query(self, name: str, kind: str) -> Sequence[Any]:
        try:
            answer = await self._configured().resolve(name, kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return ()
        except dns.exception.DNSException as error:
            _log.info("DNS %s %s: %s", kind, name, type(error).__name__)
            return ()
        return list(answer)

    def _configured(self) -> Resolver:
        if self._resolver is None:
            try:
                self._resolver = cast(Resolver, dns.asyncresolver.Resolver())
            except dns.resolver.NoResolverConfiguration as error:
                raise LocateError("no DNS server is configured") from error
        return self._resolver
