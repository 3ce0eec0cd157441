"""Digest authentication, both sides (RFC 3261 22, RFC 7616, RFC 8760).

The client gives credentials only to the hosts and realms an account is bound to: a
callee that challenges our INVITE with a realm of its own would otherwise collect
hashes of the password. Refusals are values, for a refusal is what the caller acts on.

How often a request is tried again follows from the credentials it carried:

* none: answer the challenge;
* the challenge repeats the nonce they were made for: the password is wrong;
* ``stale=true``: answer, but not more than :data:`MAX_STALE_RETRIES` times in a row
  when every nonce is called stale at its first use;
* another nonce, not stale: if the refused one was at its first use (``nc=1``) the
  password is wrong, otherwise it had simply expired: answer once.

Only ``qop=auth`` and challenges without qop (RFC 2069) are answered, never Basic, and
MD5 is used although it is weak because most registrars know nothing else.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sip.errors import ParseError
from sip.lexical import encode, is_token, quote, split_list, unquote
from sip.message import Request, Response
from sip.secret import Secret
from sip.uri import Uri

MAX_STALE_RETRIES = 2
#: Realms one account may be bound to by its registrar's own challenges.
MAX_LEARNED_REALMS = 4
MAX_CHALLENGES = 16
#: Nonces with their counts a server remembers; when full, the oldest become stale.
MAX_TRACKED_NONCES = 10_000
NONCE_LIFETIME_S = 300.0

_NC = re.compile(r"[0-9a-fA-F]{8}")


class Algorithm(enum.StrEnum):
    """Hash functions by the names RFC 7616 and RFC 8760 give them."""

    MD5 = "MD5"
    SHA_256 = "SHA-256"
    SHA_512_256 = "SHA-512-256"

    def hash(self, text: str) -> str:
        """Lower-case hexadecimal digest of the text in UTF-8."""
        data = encode(text)
        match self:
            case Algorithm.MD5:
                # usedforsecurity=False: else FIPS builds of OpenSSL refuse it.
                return hashlib.md5(data, usedforsecurity=False).hexdigest()
            case Algorithm.SHA_256:
                return hashlib.sha256(data).hexdigest()
            case Algorithm.SHA_512_256:
                return hashlib.new("sha512_256", data).hexdigest()


#: Strongest first: the order in which challenges are preferred and offered.
ALGORITHMS = (Algorithm.SHA_512_256, Algorithm.SHA_256, Algorithm.MD5)


def digest_response(
    algorithm: Algorithm,
    *,
    username: str,
    realm: str,
    password: Secret,
    nonce: str,
    method: str,
    uri: str,
    cnonce: str = "",
    nc: str = "",
) -> str:
    """The ``response`` value with ``qop=auth``, or as RFC 2069 when ``nc`` is empty."""
    a1 = algorithm.hash(f"{username}:{realm}:{password.reveal()}")
    a2 = algorithm.hash(f"{method}:{uri}")
    if not nc:
        return algorithm.hash(f"{a1}:{nonce}:{a2}")
    return algorithm.hash(f"{a1}:{nonce}:{nc}:{cnonce}:auth:{a2}")


def parse_auth_params(value: str) -> tuple[str, dict[str, str]]:
    """``Scheme name=value, ...`` as the lower-cased scheme and unquoted parameters.

    Raises:
        ParseError: malformed, or a parameter stands twice.
    """
    scheme, _, rest = value.strip().partition(" ")
    if not is_token(scheme):
        raise ParseError("malformed authentication scheme")
    params: dict[str, str] = {}
    for part in split_list(rest):
        name, equals, text = part.partition("=")
        name = name.strip().lower()
        if not equals or not is_token(name) or name in params:
            raise ParseError("malformed authentication parameter")
        params[name] = unquote(text.strip())
    return scheme.lower(), params


@dataclass(frozen=True, slots=True)
class Challenge:
    """One Digest challenge.

    ``algorithm`` is None when we do not know the one it names; ``names_algorithm``
    whether it named one at all (RFC 2617 servers need not, and mean MD5).
    """

    realm: str
    nonce: str
    algorithm: Algorithm | None
    names_algorithm: bool = True
    qop: frozenset[str] = frozenset()
    opaque: str | None = None
    is_stale: bool = False

    @classmethod
    def parse(cls, value: str) -> Challenge | None:
        """Read a WWW-Authenticate or Proxy-Authenticate value; None if not Digest.

        Raises:
            ParseError: malformed, or without realm or nonce.
        """
        scheme, params = parse_auth_params(value)
        if scheme != "digest":
            return None
        if "realm" not in params or "nonce" not in params:
            raise ParseError("challenge without realm or nonce")
        named = params.get("algorithm")
        known = {algorithm.value.lower(): algorithm for algorithm in Algorithm}
        return cls(
            realm=params["realm"],
            nonce=params["nonce"],
            algorithm=Algorithm.MD5 if named is None else known.get(named.lower()),
            names_algorithm=named is not None,
            qop=frozenset(
                token.strip().lower()
                for token in params.get("qop", "").split(",")
                if token.strip()
            ),
            opaque=params.get("opaque"),
            is_stale=params.get("stale", "").lower() == "true",
        )

    @property
    def is_answerable(self) -> bool:
        """Whether we know its algorithm and quality of protection."""
        return self.algorithm is not None and (not self.qop or "auth" in self.qop)


class Refusal(enum.StrEnum):
    """Why a challenge was not answered; the value is fit for a log."""

    NO_CHALLENGE = "no_challenge"
    UNSUPPORTED = "unsupported"
    DOWNGRADE = "downgrade"
    FOREIGN_HOST = "foreign_host"
    FOREIGN_REALM = "foreign_realm"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - the name of a refusal
    STALE_LOOP = "stale_loop"


@dataclass(frozen=True, slots=True)
class Authorized:
    """Credentials for the next try, ``(header name, value)`` each."""

    credentials: tuple[tuple[str, str], ...]

    def add_to(self, request: Request) -> None:
        """Put them in, in the place of earlier ones for the same realms (22.3)."""
        for name, value in self.credentials:
            _, params = parse_auth_params(value)
            others = [
                other
                for other in request.headers.get_all(name)
                if _realm_of(other) != params["realm"]
            ]
            request.headers.remove(name)
            for line in (*others, value):
                request.headers.add(name, line)


@dataclass(slots=True)
class _Space:
    """What is known of one protection space (kind of challenge, realm)."""

    challenge: Challenge
    # How often the nonce was used.
    count: int = 0
    # Rejections as stale of a nonce used for the first time, in a row.
    stale_in_a_row: int = 0
    # Pre-authorisation is for the methods that were challenged, lest a far-away
    # user agent sees credentials meant for the registrar.
    methods: set[str] = field(default_factory=set)


class DigestClient:
    """The credentials of one account.

    Args:
        username: as the server knows it, often not the user of the AoR.
        password: never shown, not even in a repr.
        hosts: hosts that may be given credentials, as written in the account.
        realms: realms that may be; when empty, the hosts' names and whatever realm
            a trusted host names in its challenge of our REGISTER.
        algorithms: those allowed; leave MD5 out to refuse a downgrade.
        rng: makes cnonces; :class:`random.SystemRandom` outside of tests.
    """

    def __init__(
        self,
        username: str,
        password: Secret,
        *,
        hosts: Iterable[str],
        realms: Iterable[str] = (),
        algorithms: Sequence[Algorithm] = ALGORITHMS,
        rng: random.Random,
    ) -> None:
        self._username = username
        self._password = password
        self._hosts = {host.lower() for host in hosts}
        self._realms = frozenset(realms)
        self._learned_realms: set[str] = set()
        self._algorithms = frozenset(algorithms)
        self._rng = rng
        self._spaces: dict[tuple[str, str], _Space] = {}

    def __repr__(self) -> str:
        return f"DigestClient({self._username!r})"

    def trust_host(self, host: str) -> None:
        """Count a host among the account's own, e.g. an address it resolved to."""
        self._hosts.add(host.lower())

    def authorize(
        self, response: Response, request: Request, *, host: str
    ) -> Authorized | Refusal:
        """Answer the challenges of a 401 or 407.

        Args:
            response: the challenge.
            request: the request as it was sent; its URI and method go into the hash,
                and its credentials say whether they were refused. The next try has
                the same Call-ID and From tag and a new CSeq and branch.
            host: whom the request was addressed to: the host of the next hop's URI,
                before any DNS, or an address trusted by :meth:`trust_host`.
        """
        if host.lower() not in self._hosts:
            return Refusal.FOREIGN_HOST
        is_proxy = response.status == 407
        offered = _read_challenges(response, is_proxy=is_proxy)
        if not offered:
            return Refusal.NO_CHALLENGE
        header = "Proxy-Authorization" if is_proxy else "Authorization"
        credentials: list[tuple[str, str]] = []
        refusals: list[Refusal] = []
        for realm, challenges in offered.items():
            outcome = self._answer(header, realm, challenges, request)
            if isinstance(outcome, Refusal):
                refusals.append(outcome)
            else:
                credentials.append((header, outcome))
        for fatal in (Refusal.WRONG_PASSWORD, Refusal.STALE_LOOP):
            if fatal in refusals:
                return fatal
        return Authorized(tuple(credentials)) if credentials else refusals[0]

    def preauthorize(self, request: Request, *, host: str) -> None:
        """Add credentials for nonces known from earlier challenges of this method."""
        if host.lower() not in self._hosts:
            return
        credentials = [
            (header, self._credentials(space, request))
            for (header, _), space in self._spaces.items()
            if request.method in space.methods and "auth" in space.challenge.qop
        ]
        Authorized(tuple(credentials)).add_to(request)

    def forget(self) -> None:
        """Drop all nonces, e.g. after the password was changed at the server."""
        self._spaces.clear()

    def _answer(
        self, header: str, realm: str, challenges: list[Challenge], request: Request
    ) -> str | Refusal:
        if not self._is_own_realm(realm, header, request):
            return Refusal.FOREIGN_REALM
        answerable = [item for item in challenges if item.is_answerable]
        if not answerable:
            return Refusal.UNSUPPORTED
        allowed = [item for item in answerable if item.algorithm in self._algorithms]
        if not allowed:
            return Refusal.DOWNGRADE
        challenge = min(allowed, key=_preference)
        space = self._spaces.get((header, realm))
        stale_in_a_row = 0 if space is None else space.stale_in_a_row
        sent = _sent_credentials(request, header, realm)
        if sent is None:
            stale_in_a_row = 0
        else:
            refusal = _judge(sent, challenge)
            if refusal is not None:
                self._spaces.pop((header, realm), None)
                return refusal
            was_first_use = _count_of(sent) <= 1
            stale_in_a_row = stale_in_a_row + 1 if was_first_use else 0
            if stale_in_a_row > MAX_STALE_RETRIES:
                self._spaces.pop((header, realm), None)
                return Refusal.STALE_LOOP
        if space is None:
            space = self._spaces[header, realm] = _Space(challenge)
        elif space.challenge.nonce != challenge.nonce:
            space.count = 0
        space.challenge = challenge
        space.stale_in_a_row = stale_in_a_row
        space.methods.add(request.method)
        return self._credentials(space, request)

    def _is_own_realm(self, realm: str, header: str, request: Request) -> bool:
        if self._realms:
            return realm in self._realms
        if realm.lower() in self._hosts or realm in self._learned_realms:
            return True
        # A REGISTER goes to the registrar and no further: nobody but the server the
        # account names can have made this challenge.
        if request.method == "REGISTER" and (
            len(self._learned_realms) < MAX_LEARNED_REALMS
        ):
            self._learned_realms.add(realm)
            return True
        return False

    def _credentials(self, space: _Space, request: Request) -> str:
        challenge = space.challenge
        algorithm = challenge.algorithm or Algorithm.MD5
        uri = str(request.uri)
        space.count += 1
        nc = f"{space.count:08x}" if challenge.qop else ""
        cnonce = f"{self._rng.getrandbits(128):032x}" if challenge.qop else ""
        response = digest_response(
            algorithm,
            username=self._username,
            realm=challenge.realm,
            password=self._password,
            nonce=challenge.nonce,
            method=request.method,
            uri=uri,
            cnonce=cnonce,
            nc=nc,
        )
        parts = [
            f"username={quote(self._username)}",
            f"realm={quote(challenge.realm)}",
            f"nonce={quote(challenge.nonce)}",
            f"uri={quote(uri)}",
            f'response="{response}"',
        ]
        if challenge.names_algorithm:
            parts.append(f"algorithm={algorithm}")
        if challenge.opaque is not None:
            parts.append(f"opaque={quote(challenge.opaque)}")
        if challenge.qop:
            parts += ["qop=auth", f"nc={nc}", f'cnonce="{cnonce}"']
        return f"Digest {', '.join(parts)}"


class RejectionKind(enum.StrEnum):
    """Why a server did not accept a request's credentials."""

    NO_CREDENTIALS = "no_credentials"
    WRONG_CREDENTIALS = "wrong_credentials"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request comes from this user."""

    username: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Challenge it, or answer 400 when the credentials are malformed."""

    kind: RejectionKind


@dataclass(frozen=True, slots=True)
class Stale:
    """Right or wrong, the nonce is used up: challenge with ``stale=True``."""


class DigestServer:
    """Challenges and verifies requests for one realm.

    Nonces are signed, not stored, so that a flood of challenges costs no memory. The
    counts of nonces in use are stored; when they are too many, the oldest nonce and
    all issued before it become stale.

    Args:
        realm: what the users log in to.
        lookup: the user's password, None when there is no such user.
        clock: seconds, never going backwards.
        rng: makes nonces and their key; SystemRandom outside of tests.
        algorithms: offered in this order, one challenge each (RFC 8760 2.2).
    """

    def __init__(
        self,
        realm: str,
        lookup: Callable[[str], Secret | None],
        *,
        clock: Callable[[], float],
        rng: random.Random,
        algorithms: Sequence[Algorithm] = (Algorithm.SHA_256, Algorithm.MD5),
        nonce_lifetime_s: float = NONCE_LIFETIME_S,
    ) -> None:
        self._realm = realm
        self._lookup = lookup
        self._clock = clock
        self._rng = rng
        self._algorithms = tuple(algorithms)
        self._nonce_lifetime_s = nonce_lifetime_s
        self._key = rng.randbytes(32)
        self._counts: dict[str, int] = {}
        self._stale_until = float("-inf")

    def challenge(
        self, *, is_proxy: bool = False, stale: bool = False
    ) -> list[tuple[str, str]]:
        """The header lines of a 401, or of a 407 if ``is_proxy``."""
        name = "Proxy-Authenticate" if is_proxy else "WWW-Authenticate"
        nonce = self._new_nonce()
        suffix = ", stale=true" if stale else ""
        return [
            (
                name,
                f"Digest realm={quote(self._realm)}, nonce={quote(nonce)}, "
                f'algorithm={algorithm}, qop="auth"{suffix}',
            )
            for algorithm in self._algorithms
        ]

    def verify(
        self, request: Request, *, is_proxy: bool = False
    ) -> Accepted | Rejected | Stale:
        """Judge the credentials for our realm; those of other realms are ignored."""
        header = "Proxy-Authorization" if is_proxy else "Authorization"
        sent = _sent_credentials(request, header, self._realm)
        if sent is None:
            return Rejected(RejectionKind.NO_CREDENTIALS)
        required = ("username", "nonce", "uri", "response", "cnonce", "nc", "qop")
        algorithm = next(
            (
                item
                for item in self._algorithms
                if item.lower() == sent.get("algorithm", Algorithm.MD5).lower()
            ),
            None,
        )
        if (
            any(name not in sent for name in required)
            or sent["qop"].lower() != "auth"
            or _NC.fullmatch(sent["nc"]) is None
            or not _is_same_uri(sent["uri"], request.uri)
        ):
            return Rejected(RejectionKind.MALFORMED)
        if algorithm is None:
            return Rejected(RejectionKind.WRONG_CREDENTIALS)
        if not self._is_current(sent["nonce"]):
            return Stale()
        return self._check_response(sent, algorithm, request.method)

    def _check_response(
        self, sent: dict[str, str], algorithm: Algorithm, method: str
    ) -> Accepted | Rejected | Stale:
        password = self._lookup(sent["username"])
        expected = digest_response(
            algorithm,
            username=sent["username"],
            realm=self._realm,
            # An unknown user costs the same time as a wrong password.
            password=Secret("") if password is None else password,
            nonce=sent["nonce"],
            method=method,
            uri=sent["uri"],
            cnonce=sent["cnonce"],
            nc=sent["nc"],
        )
        matches = hmac.compare_digest(
            expected.encode(),
            sent["response"].lower().encode("utf-8", "surrogateescape"),
        )
        if password is None or not matches:
            return Rejected(RejectionKind.WRONG_CREDENTIALS)
        count = int(sent["nc"], 16)
        if count <= self._counts.get(sent["nonce"], 0):
            return Stale()
        self._remember(sent["nonce"], count)
        return Accepted(sent["username"])

    def _new_nonce(self) -> str:
        body = f"{self._clock():.3f}-{self._rng.getrandbits(64):016x}"
        return f"{body}-{self._sign(body)}"

    def _sign(self, body: str) -> str:
        data = body.encode("utf-8", "surrogateescape")
        return hmac.digest(self._key, data, "sha256").hex()[:32]

    def _is_current(self, nonce: str) -> bool:
        body, _, signature = nonce.rpartition("-")
        if not hmac.compare_digest(
            self._sign(body).encode(), signature.encode("utf-8", "surrogateescape")
        ):
            return False
        issued = _issued_at(nonce)
        return issued > self._stale_until and (
            self._clock() - issued <= self._nonce_lifetime_s
        )

    def _remember(self, nonce: str, count: int) -> None:
        self._counts[nonce] = count
        if len(self._counts) > MAX_TRACKED_NONCES:
            # A tenth at once, so that the sorting is paid for by a thousand requests.
            issued = sorted(map(_issued_at, self._counts))
            self._stale_until = issued[len(issued) // 10]
            self._counts = {
                kept: uses
                for kept, uses in self._counts.items()
                if _issued_at(kept) > self._stale_until
            }


def _issued_at(nonce: str) -> float:
    return float(nonce.rsplit("-", 2)[0])


def _read_challenges(
    response: Response, *, is_proxy: bool
) -> dict[str, list[Challenge]]:
    """The readable Digest challenges by realm, in the order received."""
    name = "Proxy-Authenticate" if is_proxy else "WWW-Authenticate"
    by_realm: dict[str, list[Challenge]] = {}
    for value in response.headers.get_all(name)[:MAX_CHALLENGES]:
        try:
            challenge = Challenge.parse(value)
        except ParseError:
            continue
        if challenge is not None:
            by_realm.setdefault(challenge.realm, []).append(challenge)
    return by_realm


def _preference(challenge: Challenge) -> int:
    algorithm = challenge.algorithm
    return len(ALGORITHMS) if algorithm is None else ALGORITHMS.index(algorithm)


def _realm_of(value: str) -> str | None:
    try:
        return parse_auth_params(value)[1].get("realm")
    except ParseError:
        return None


def _sent_credentials(
    request: Request, header: str, realm: str
) -> dict[str, str] | None:
    for value in request.headers.get_all(header):
        try:
            scheme, params = parse_auth_params(value)
        except ParseError:
            continue
        if scheme == "digest" and params.get("realm") == realm:
            return params
    return None


def _count_of(sent: dict[str, str]) -> int:
    nc = sent.get("nc", "")
    return int(nc, 16) if _NC.fullmatch(nc) else 0


def _judge(sent: dict[str, str], challenge: Challenge) -> Refusal | None:
    """Whether credentials refused with this challenge may be followed by others."""
    if sent.get("nonce") == challenge.nonce:
        return Refusal.WRONG_PASSWORD
    if not challenge.is_stale and _count_of(sent) <= 1:
        return Refusal.WRONG_PASSWORD
    return None


def _is_same_uri(sent: str, uri: Uri) -> bool:
    if sent == str(uri):
        return True
    try:
        return Uri.parse(sent).equivalent(uri)
    except ParseError:
        return False
