"""Whom a user agent takes calls for, and from where."""

from __future__ import annotations

import ipaddress
from collections import Counter

from sip.account import Account
from sip.errors import ParseError
from sip.message import Request
from sip.uri import NameAddr, Uri

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AccountBook:
    """Accounts by AoR, and the union of the sources they trust."""

    def __init__(self) -> None:
        self._by_aor: dict[tuple[str, str], list[Account]] = {}
        # How many accounts name each network, how many name none, and how many
        # want strangers dropped without an answer: each request is held against
        # these, so that thousands of accounts cost no more than one.
        self._networks: Counter[_Network] = Counter()
        self._open = 0
        self._silent = 0
        self._size = 0

    def add(self, account: Account) -> None:
        """Take calls for it; may be added several times."""
        self._by_aor.setdefault(_key(account.aor), []).append(account)
        self._count(account, 1)

    def remove(self, account: Account) -> None:
        """Undo one ``add``; without effect when there was none."""
        key = _key(account.aor)
        accounts = self._by_aor.get(key, [])
        if account not in accounts:
            return
        accounts.remove(account)
        if not accounts:
            del self._by_aor[key]
        self._count(account, -1)

    def __contains__(self, account: Account) -> bool:
        return account in self._by_aor.get(_key(account.aor), ())

    def find(self, request: Request) -> Account | None:
        """Whom an INVITE is for that names no contact of ours.

        The AoR is looked for where an application server that rewrites the
        Request-URI leaves it: there, in P-Called-Party-ID (RFC 7315), in To.
        """
        for uri in _called(request):
            accounts = self._by_aor.get(_key(uri))
            if accounts:
                return accounts[0]
        return None

    def knows(self, host: str) -> bool:
        """Whether any account takes calls from this address; yes without accounts."""
        if self._open or not self._size:
            return True
        address = ipaddress.ip_address(host.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)

    @property
    def drops_strangers(self) -> bool:
        """Whether an account wants no answer to go to whom nobody knows."""
        return self._silent > 0

    def _count(self, account: Account, by: int) -> None:
        self._size += by
        self._silent += by if account.untrusted == "drop" else 0
        if not account.trusted_sources:
            self._open += by
        for text in account.trusted_sources:
            network = ipaddress.ip_network(text)
            self._networks[network] += by
            if not self._networks[network]:
                del self._networks[network]


def _key(uri: Uri) -> tuple[str, str]:
    return uri.decoded_user or "", uri.host.lower()


def _called(request: Request) -> list[Uri]:
    """Who may be meant, the surest first."""
    uris = [request.uri]
    for value in request.headers.get_all("P-Called-Party-ID"):
        try:
            uris.append(NameAddr.parse(value).uri)
        except ParseError:
            continue
    uris.append(request.to.uri)
    return [uri for uri in uris if uri.is_sip]
