"""Who a user agent speaks for."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal

from sip.digest import ALGORITHMS, Algorithm
from sip.secret import Secret
from sip.transport import Protocols
from sip.uri import NameAddr, Uri


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One address of record and how to reach its application server.

    Attributes:
        aor: what others call, e.g. ``sip:1000@example.com``.
        username: for digest; often, but not always, the user of the AoR.
        registrar: where REGISTER goes; the AoR's domain when None.
        outbound_proxies: alternatives through which requests outside of dialogs are
            sent, tried in order; none: the way that URI and DNS name.
        instance_id: ``urn:uuid:…``, sent as ``+sip.instance`` (RFC 5626 4.1).
        transport: preferred where neither URI nor DNS decides.
        trusted_sources: addresses or networks (``192.0.2.0/24``) from which calls
            for this account are taken; none: from anywhere.
        untrusted: what others get: 403, or nothing at all.
        realms: realms that may be given the password, beside the hosts named here
            and the realm that the registrar itself names.
        algorithms: that may be used; leave MD5 out to refuse a downgrade.
    """

    aor: Uri
    username: str
    password: Secret
    display_name: str = ""
    registrar: Uri | None = None
    outbound_proxies: tuple[Uri, ...] = ()
    instance_id: str | None = None
    reg_id: int = 1
    transport: Protocols | None = None
    trusted_sources: tuple[str, ...] = ()
    untrusted: Literal["reject", "drop"] = "reject"
    expires_s: int = 600
    realms: tuple[str, ...] = ()
    algorithms: tuple[Algorithm, ...] = ALGORITHMS

    def __post_init__(self) -> None:
        # A mistake here must show when the account is made, not at the first call.
        for network in self.trusted_sources:
            ipaddress.ip_network(network)
        if not self.aor.is_sip or not self.aor.host:
            raise ValueError("the AoR must be a SIP URI with a domain")

    @property
    def registrar_uri(self) -> Uri:
        """The Request-URI of REGISTER (RFC 3261 10.2): a domain without a user."""
        return self.registrar or Uri("sip", host=self.aor.host, port=self.aor.port)

    @property
    def address(self) -> NameAddr:
        """From and To of requests for this account, without a tag."""
        return NameAddr(self.aor, self.display_name)

    @property
    def own_hosts(self) -> frozenset[str]:
        """Hosts that may be given credentials."""
        uris = (self.aor, self.registrar_uri, *self.outbound_proxies)
        return frozenset(uri.host.lower() for uri in uris)

    def trusts(self, host: str) -> bool:
        """Whether calls may come from this address."""
        if not self.trusted_sources:
            return True
        address = ipaddress.ip_address(host.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(
            address in ipaddress.ip_network(network) for network in self.trusted_sources
        )

    def serves(self, uri: Uri) -> bool:
        """Whether ``uri`` names this AoR: same user, same domain (10.3, 19.1.4)."""
        return (
            uri.is_sip
            and uri.decoded_user == self.aor.decoded_user
            and uri.host.lower() == self.aor.host.lower()
        )
