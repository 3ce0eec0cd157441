from __future__ import annotations

import random

import pytest

from sip import digest
from sip.digest import (
    Accepted,
    Algorithm,
    Authorized,
    Challenge,
    DigestClient,
    DigestServer,
    Refusal,
    Rejected,
    RejectionKind,
    Stale,
    digest_response,
    parse_auth_params,
)
from sip.errors import ParseError
from sip.headers import Headers
from sip.message import Request, Response
from sip.secret import Secret
from sip.uri import Uri

HOST = "example.com"
PASSWORD = "correct horse"


class TestVectors:
    @pytest.mark.parametrize(
        ("algorithm", "response"),
        [
            (Algorithm.MD5, "8ca523f5e9506fed4657c9700eebdbec"),
            (
                Algorithm.SHA_256,
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ],
    )
    def test_rfc_7616_3_9_1(self, algorithm: Algorithm, response: str) -> None:
        assert response == digest_response(
            algorithm,
            username="Mufasa",
            realm="http-auth@example.org",
            password=Secret("Circle of Life"),
            nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            method="GET",
            uri="/dir/index.html",
            cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            nc="00000001",
        )

    def test_rfc_7616_3_9_2_as_its_erratum_corrects_it(self) -> None:
        assert digest_response(
            Algorithm.SHA_512_256,
            username="J\u00e4s\u00f8n Doe",
            realm="api@example.org",
            password=Secret("Secret, or not?"),
            nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
            method="GET",
            uri="/doe.json",
            cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
            nc="00000001",
        ) == ("3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5")

    def test_rfc_2617_3_5(self) -> None:
        common = {
            "username": "Mufasa",
            "realm": "testrealm@host.com",
            "password": Secret("Circle Of Life"),
            "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            "method": "GET",
            "uri": "/dir/index.html",
        }
        assert (
            digest_response(Algorithm.MD5, **common, cnonce="0a4f113b", nc="00000001")
            == "6629fae49393a05397450978507c4ef1"
        )
        # Without qop, as RFC 2069.
        assert (
            digest_response(Algorithm.MD5, **common)
            == "670fd8c2df070c60b045671b8b24ff02"
        )


def request(method: str = "REGISTER", uri: str = "sip:example.com") -> Request:
    return Request(method, Uri.parse(uri))


def client(**options: object) -> DigestClient:
    settings: dict = {"hosts": [HOST], "rng": random.Random(1), **options}
    return DigestClient("alice", Secret(PASSWORD), **settings)


def challenge(
    nonce: str = "n1",
    realm: str = HOST,
    *,
    status: int = 401,
    extra: str = ', algorithm=MD5, qop="auth"',
) -> Response:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    value = f'Digest realm="{realm}", nonce="{nonce}"{extra}'
    return Response(status, None, [(name, value)])


STALE = ', algorithm=MD5, qop="auth", stale=TRUE'


def answered(outcome: Authorized | Refusal, sent: Request) -> Request:
    """The next try of ``sent``."""
    assert isinstance(outcome, Authorized)
    again = sent.copy()
    outcome.add_to(again)
    return again


def credentials(message: Request, header: str = "Authorization") -> dict[str, str]:
    value = message.headers.get(header)
    assert value is not None
    return parse_auth_params(value)[1]


class TestClient:
    def test_answers_a_challenge(self) -> None:
        sent = request()
        again = answered(client().authorize(challenge(), sent, host=HOST), sent)
        value = again.headers.get("Authorization") or ""
        # algorithm, qop and nc are tokens, all else is quoted (RFC 7616 3.4).
        for text in ('username="alice"', "algorithm=MD5", "qop=auth", "nc=00000001"):
            assert f"{text}," in value
        params = credentials(again)
        assert params["uri"] == str(again.uri) == "sip:example.com"
        assert params["response"] == digest_response(
            Algorithm.MD5,
            username="alice",
            realm=HOST,
            password=Secret(PASSWORD),
            nonce="n1",
            method="REGISTER",
            uri="sip:example.com",
            cnonce=params["cnonce"],
            nc="00000001",
        )
        assert len(params["cnonce"]) == 32
        assert "opaque" not in params

    def test_opaque_comes_back_and_unknown_parameters_do_not(self) -> None:
        extra = ', opaque="a\\"b", domain="sip:x", foo=bar'
        params = credentials(
            answered(
                client().authorize(challenge(extra=extra), request(), host=HOST),
                request(),
            )
        )
        assert params["opaque"] == 'a"b'
        assert params.keys().isdisjoint({"foo", "domain", "qop", "nc", "algorithm"})

    def test_the_strongest_of_several_challenges_is_answered(self) -> None:
        response = Response(
            401,
            None,
            [
                ("WWW-Authenticate", f'Digest realm="{HOST}", nonce="a", qop="auth"'),
                ("WWW-Authenticate", 'Basic realm="x"'),
                ("WWW-Authenticate", "broken ="),
                (
                    "WWW-Authenticate",
                    f'Digest realm="{HOST}",nonce="b",qop="auth-int,auth",'
                    "algorithm=sha-256",
                ),
                (
                    "WWW-Authenticate",
                    f'Digest realm="{HOST}",nonce="c",qop="auth",algorithm=SHA3-512',
                ),
            ],
        )
        again = answered(client().authorize(response, request(), host=HOST), request())
        assert credentials(again)["nonce"] == "b"
        assert credentials(again)["algorithm"] == "SHA-256"
        assert len(again.headers.get_all("Authorization")) == 1

    def test_a_downgrade_is_refused_when_configured(self) -> None:
        strict = client(algorithms=[Algorithm.SHA_256])
        assert strict.authorize(challenge(), request(), host=HOST) is Refusal.DOWNGRADE
        unnamed = challenge(extra=', qop="auth"')
        assert strict.authorize(unnamed, request(), host=HOST) is Refusal.DOWNGRADE

    @pytest.mark.parametrize(
        ("response", "refusal"),
        [
            (Response(401), Refusal.NO_CHALLENGE),
            (
                Response(
                    401, None, [("WWW-Authenticate", 'Basic realm="example.com"')]
                ),
                Refusal.NO_CHALLENGE,
            ),
            (
                Response(401, None, [("WWW-Authenticate", 'Digest realm="x')]),
                Refusal.NO_CHALLENGE,
            ),
            (challenge(status=407, extra=', qop="auth-int"'), Refusal.UNSUPPORTED),
            (challenge(extra=", algorithm=MD5-sess"), Refusal.UNSUPPORTED),
            (challenge(extra=", algorithm=AKAv1-MD5"), Refusal.UNSUPPORTED),
        ],
    )
    def test_named_refusals(self, response: Response, refusal: Refusal) -> None:
        assert client().authorize(response, request(), host=HOST) is refusal

    def test_407_is_answered_with_proxy_authorization(self) -> None:
        sent = request("INVITE", "sip:bob@example.com")
        response = challenge(status=407)
        again = answered(client().authorize(response, sent, host=HOST), sent)
        assert "Authorization" not in again.headers
        params = credentials(again, "Proxy-Authorization")
        assert params["uri"] == "sip:bob@example.com"

    def test_credentials_of_several_proxies_are_all_kept(self) -> None:
        account = client(realms=["one", "two"])
        sent = request("INVITE", "sip:bob@example.com")
        first = answered(
            account.authorize(challenge("n1", "one", status=407), sent, host=HOST), sent
        )
        second = answered(
            account.authorize(challenge("n2", "two", status=407), first, host=HOST),
            first,
        )
        values = second.headers.get_all("Proxy-Authorization")
        assert [parse_auth_params(value)[1]["realm"] for value in values] == [
            "one",
            "two",
        ]

    def test_unreadable_credentials_of_others_stay(self) -> None:
        sent = request()
        sent.headers.add("Authorization", 'Digest realm="broken')
        again = answered(client().authorize(challenge(), sent, host=HOST), sent)
        assert again.headers.get_all("Authorization")[0] == 'Digest realm="broken'
        assert len(again.headers.get_all("Authorization")) == 2

    def test_two_realms_in_one_response(self) -> None:
        account = client(realms=["one", "two"])
        response = challenge("n1", "one", status=407)
        response.headers.add(
            "Proxy-Authenticate", 'Digest realm="two", nonce="n2", qop="auth"'
        )
        again = answered(account.authorize(response, request(), host=HOST), request())
        assert len(again.headers.get_all("Proxy-Authorization")) == 2


class TestWhoGetsCredentials:
    """A stranger who challenges us must learn nothing (CVE-2021-41158)."""

    def test_a_foreign_host_gets_none(self) -> None:
        outcome = client().authorize(challenge(), request(), host="evil.example")
        assert outcome is Refusal.FOREIGN_HOST

    @pytest.mark.parametrize("method", ["INVITE", "BYE", "MESSAGE"])
    def test_a_foreign_realm_gets_none(self, method: str) -> None:
        sent = request(method, "sip:eve@example.com")
        response = challenge(realm="evil.example", status=407)
        outcome = client().authorize(response, sent, host=HOST)
        assert outcome is Refusal.FOREIGN_REALM

    def test_a_bound_realm_excludes_even_the_registrars_others(self) -> None:
        account = client(realms=["pbx"])
        outcome = account.authorize(challenge(realm=HOST), request(), host=HOST)
        assert outcome is Refusal.FOREIGN_REALM

    def test_the_realm_of_the_registrar_is_learned_from_a_register(self) -> None:
        account = client()
        invite = request("INVITE", "sip:bob@example.com")
        asked = challenge(realm="asterisk", status=407)
        assert account.authorize(asked, invite, host=HOST) is Refusal.FOREIGN_REALM
        registered = account.authorize(
            challenge(realm="asterisk"), request(), host=HOST
        )
        assert isinstance(registered, Authorized)
        assert isinstance(account.authorize(asked, invite, host=HOST), Authorized)

    def test_how_many_realms_are_learned_is_bounded(self) -> None:
        account = client()
        outcomes = [
            account.authorize(challenge(realm=f"r{i}"), request(), host=HOST)
            for i in range(digest.MAX_LEARNED_REALMS + 1)
        ]
        assert all(isinstance(outcome, Authorized) for outcome in outcomes[:-1])
        assert outcomes[-1] is Refusal.FOREIGN_REALM

    def test_a_resolved_address_can_be_trusted(self) -> None:
        account = client()
        account.trust_host("192.0.2.7")
        outcome = account.authorize(challenge(), request(), host="192.0.2.7")
        assert isinstance(outcome, Authorized)

    def test_pre_authorisation_only_for_what_was_challenged(self) -> None:
        account = client()
        account.authorize(challenge(), request(), host=HOST)
        invite = request("INVITE", "sip:eve@example.com")
        account.preauthorize(invite, host=HOST)
        assert len(invite.headers) == 0
        register = request()
        account.preauthorize(register, host="evil.example")
        assert len(register.headers) == 0

    def test_nothing_secret_in_reprs(self) -> None:
        assert PASSWORD not in repr(client())


class TestRetries:
    def test_the_same_nonce_again_means_a_wrong_password(self) -> None:
        account = client()
        first = answered(
            account.authorize(challenge(), request(), host=HOST), request()
        )
        outcome = account.authorize(challenge(), first, host=HOST)
        assert outcome is Refusal.WRONG_PASSWORD
        # Nothing is sent unasked with a nonce that was refused.
        fresh = request()
        account.preauthorize(fresh, host=HOST)
        assert "Authorization" not in fresh.headers

    def test_the_same_nonce_called_stale_is_no_way_around(self) -> None:
        account = client()
        first = answered(
            account.authorize(challenge(), request(), host=HOST), request()
        )
        outcome = account.authorize(challenge(extra=STALE), first, host=HOST)
        assert outcome is Refusal.WRONG_PASSWORD

    def test_a_new_nonce_after_an_answered_challenge_is_a_wrong_password(self) -> None:
        account = client()
        first = answered(
            account.authorize(challenge(), request(), host=HOST), request()
        )
        outcome = account.authorize(challenge("n2"), first, host=HOST)
        assert outcome is Refusal.WRONG_PASSWORD

    def test_pre_authorisation_counts_up(self) -> None:
        account = client()
        account.authorize(challenge(), request(), host=HOST)
        seen = []
        for _ in range(3):
            fresh = request()
            account.preauthorize(fresh, host=HOST)
            seen.append(credentials(fresh))
        assert [params["nc"] for params in seen] == ["00000002", "00000003", "00000004"]
        assert len({params["cnonce"] for params in seen}) == 3
        assert len({params["response"] for params in seen}) == 3

    def test_a_cached_nonce_that_expired_gets_exactly_one_retry(self) -> None:
        account = client()
        account.authorize(challenge(), request(), host=HOST)
        cached = request()
        account.preauthorize(cached, host=HOST)
        again = answered(account.authorize(challenge("n2"), cached, host=HOST), cached)
        assert credentials(again)["nonce"] == "n2"
        assert credentials(again)["nc"] == "00000001"
        assert len(again.headers.get_all("Authorization")) == 1
        outcome = account.authorize(challenge("n3"), again, host=HOST)
        assert outcome is Refusal.WRONG_PASSWORD

    def test_stale_is_answered_twice_and_no_more(self) -> None:
        account = client()
        sent = answered(account.authorize(challenge(), request(), host=HOST), request())
        for number in range(2, 2 + digest.MAX_STALE_RETRIES):
            response = challenge(f"n{number}", extra=STALE)
            sent = answered(account.authorize(response, sent, host=HOST), sent)
        outcome = account.authorize(challenge("n9", extra=STALE), sent, host=HOST)
        assert outcome is Refusal.STALE_LOOP

    def test_nonces_that_become_stale_in_use_are_no_loop(self) -> None:
        account = client()
        sent = answered(account.authorize(challenge(), request(), host=HOST), request())
        for number in range(2, 20):
            sent = request()
            account.preauthorize(sent, host=HOST)
            response = challenge(f"n{number}", extra=STALE)
            sent = answered(account.authorize(response, sent, host=HOST), sent)
        assert credentials(sent)["nonce"] == "n19"

    def test_without_qop_there_is_no_count_and_no_pre_authorisation(self) -> None:
        account = client()
        outcome = account.authorize(challenge(extra=""), request(), host=HOST)
        params = credentials(answered(outcome, request()))
        assert params.keys().isdisjoint({"qop", "nc", "cnonce"})
        fresh = request()
        account.preauthorize(fresh, host=HOST)
        assert "Authorization" not in fresh.headers

    def test_forgetting(self) -> None:
        account = client()
        account.authorize(challenge(), request(), host=HOST)
        account.forget()
        fresh = request()
        account.preauthorize(fresh, host=HOST)
        assert "Authorization" not in fresh.headers


@pytest.mark.parametrize(
    "value",
    [
        "",
        'Digest realm="x',
        "Digest realm",
        'Digest realm="x", realm="y", nonce="z"',
        'Digest nonce="z"',
        'Digest realm="x"',
        'Digest re alm="x", nonce="z"',
    ],
)
def test_malformed_challenges(value: str) -> None:
    with pytest.raises(ParseError):
        Challenge.parse(value)


class World:
    """A server of one user, a client of it, and a clock."""

    def __init__(self, password: str = PASSWORD, **options: object) -> None:
        self.now = 1000.0
        users = {"alice": Secret(PASSWORD)}
        settings: dict = {"clock": lambda: self.now, "rng": random.Random(2), **options}
        self.server = DigestServer(HOST, users.get, **settings)
        self.client = DigestClient(
            "alice", Secret(password), hosts=[HOST], rng=random.Random(3)
        )

    def challenged(self, *, stale: bool = False, is_proxy: bool = False) -> Response:
        lines = self.server.challenge(stale=stale, is_proxy=is_proxy)
        return Response(407 if is_proxy else 401, None, Headers(lines))

    def authorized(self, *, is_proxy: bool = False) -> Request:
        sent = request()
        response = self.challenged(is_proxy=is_proxy)
        return answered(self.client.authorize(response, sent, host=HOST), sent)


class TestServer:
    @pytest.mark.parametrize("is_proxy", [False, True])
    @pytest.mark.parametrize("algorithm", list(Algorithm))
    def test_accepts_the_right_password(
        self, algorithm: Algorithm, is_proxy: bool
    ) -> None:
        world = World(algorithms=[algorithm])
        message = world.authorized(is_proxy=is_proxy)
        outcome = world.server.verify(message, is_proxy=is_proxy)
        assert outcome == Accepted("alice")
        other = world.server.verify(message, is_proxy=not is_proxy)
        assert other == Rejected(RejectionKind.NO_CREDENTIALS)

    def test_offers_one_challenge_for_each_algorithm(self) -> None:
        lines = World().server.challenge(stale=True)
        challenges = [Challenge.parse(value) for _, value in lines]
        assert [item and item.algorithm for item in challenges] == [
            Algorithm.SHA_256,
            Algorithm.MD5,
        ]
        assert all(item is not None and item.is_stale for item in challenges)

    def test_rejects_a_wrong_password_and_an_unknown_user_alike(self) -> None:
        world = World("wrong")
        wrong = Rejected(RejectionKind.WRONG_CREDENTIALS)
        assert world.server.verify(world.authorized()) == wrong
        message = world.authorized()
        value = (message.headers.get("Authorization") or "").replace("alice", "mallory")
        message.headers.set("Authorization", value)
        assert world.server.verify(message) == wrong

    def test_a_user_without_password_cannot_be_anyone(self) -> None:
        world = World("")
        message = world.authorized()
        value = (message.headers.get("Authorization") or "").replace("alice", "nobody")
        message.headers.set("Authorization", value)
        assert isinstance(world.server.verify(message), Rejected)

    def test_a_nonce_is_not_replayed(self) -> None:
        world = World()
        message = world.authorized()
        assert world.server.verify(message) == Accepted("alice")
        assert world.server.verify(message) == Stale()
        again = request()
        world.client.preauthorize(again, host=HOST)
        assert world.server.verify(again) == Accepted("alice")

    def test_a_nonce_ages_and_stale_leads_back_in(self) -> None:
        world = World(nonce_lifetime_s=60.0)
        message = world.authorized()
        world.now += 61
        assert world.server.verify(message) == Stale()
        response = world.challenged(stale=True)
        again = answered(world.client.authorize(response, message, host=HOST), message)
        assert world.server.verify(again) == Accepted("alice")

    def test_a_nonce_of_another_server_is_stale(self) -> None:
        other = World(rng=random.Random(99))
        assert World().server.verify(other.authorized()) == Stale()

    def test_the_method_is_bound(self) -> None:
        world = World()
        message = world.authorized()
        message.method = "INVITE"
        assert isinstance(world.server.verify(message), Rejected)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("nc=00000001", "nc=1"),
            ("nc=00000001", "nc=zzzzzzzz"),
            ("qop=auth", "qop=auth-int"),
            (", qop=auth", ""),
            ('uri="sip:example.com"', 'uri="sip:other.example"'),
            ('uri="sip:example.com"', 'uri="<"'),
            ('username="alice", ', ""),
        ],
    )
    def test_malformed_credentials(self, old: str, new: str) -> None:
        world = World()
        message = world.authorized()
        value = message.headers.get("Authorization") or ""
        assert old in value
        message.headers.set("Authorization", value.replace(old, new))
        assert world.server.verify(message) == Rejected(RejectionKind.MALFORMED)

    def test_an_algorithm_that_was_not_offered_is_refused(self) -> None:
        world = World(algorithms=[Algorithm.SHA_256])
        message = world.authorized()
        value = message.headers.get("Authorization") or ""
        message.headers.set("Authorization", value.replace("SHA-256", "MD5"))
        assert isinstance(world.server.verify(message), Rejected)

    def test_an_equivalent_uri_will_do(self) -> None:
        world = World()
        message = world.authorized()
        message.uri = Uri.parse("sip:EXAMPLE.com")
        assert world.server.verify(message) == Accepted("alice")

    def test_credentials_for_others_are_ignored(self) -> None:
        world = World()
        message = world.authorized()
        message.headers.prepend("Authorization", "Basic eDp5")
        message.headers.prepend("Authorization", 'Digest realm="broken')
        message.headers.prepend("Authorization", 'Digest realm="other", nonce="x"')
        assert world.server.verify(message) == Accepted("alice")

    def test_memory_for_nonces_is_bounded_and_no_replay_slips_in(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(digest, "MAX_TRACKED_NONCES", 20)
        world = World()
        first = world.authorized()
        assert world.server.verify(first) == Accepted("alice")
        for _ in range(50):
            world.now += 1
            assert world.server.verify(world.authorized()) == Accepted("alice")
            assert len(world.server._counts) <= 20
        assert world.server.verify(first) == Stale()
