"""Whatever a peer writes into its authentication headers, nothing breaks."""

from __future__ import annotations

import contextlib
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from sip.digest import (
    Accepted,
    Authorized,
    DigestClient,
    DigestServer,
    parse_auth_params,
)
from sip.errors import ParseError
from sip.headers import Headers
from sip.message import Request, Response
from sip.secret import Secret
from sip.uri import Uri

HOST = "example.com"
LINE = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=40)
NAMES = [
    "realm",
    "nonce",
    "algorithm",
    "qop",
    "opaque",
    "stale",
    "uri",
    "nc",
    "response",
]
PARAM = st.tuples(st.sampled_from(NAMES), LINE).map(
    lambda item: f'{item[0]}="{item[1]}"'
)
VALUE = LINE | st.lists(PARAM, max_size=8).map(
    lambda items: "Digest " + ", ".join(items)
)


def request() -> Request:
    return Request("REGISTER", Uri.parse(f"sip:{HOST}"))


@given(VALUE)
@settings(deadline=None)
def test_any_challenge(value: str) -> None:
    client = DigestClient("alice", Secret("x"), hosts=[HOST], rng=random.Random(1))
    response = Response(401, None, [("WWW-Authenticate", value)])
    outcome = client.authorize(response, request(), host=HOST)
    if isinstance(outcome, Authorized):
        again = request()
        outcome.add_to(again)
        client.preauthorize(again, host=HOST)
        again.to_bytes()


@given(VALUE)
@settings(deadline=None)
def test_any_credentials(value: str) -> None:
    server = DigestServer(
        HOST, lambda _: Secret("x"), clock=lambda: 1.0, rng=random.Random(1)
    )
    message = request()
    message.headers.add("Authorization", value)
    assert not isinstance(server.verify(message), Accepted)


@given(
    username=st.text(
        st.characters(codec="utf-8", exclude_characters="\r\n\0"),
        min_size=1,
        max_size=20,
    ),
    password=st.text(max_size=20),
    realm=st.text(
        st.characters(codec="utf-8", exclude_characters="\r\n\0"),
        min_size=1,
        max_size=20,
    ),
)
@settings(deadline=None)
def test_any_account_gets_in(username: str, password: str, realm: str) -> None:
    users = {username: Secret(password)}
    server = DigestServer(realm, users.get, clock=lambda: 1.0, rng=random.Random(1))
    client = DigestClient(
        username, Secret(password), hosts=[HOST], realms=[realm], rng=random.Random(2)
    )
    message = request()
    response = Response(401, None, Headers(server.challenge()))
    outcome = client.authorize(response, message, host=HOST)
    assert isinstance(outcome, Authorized)
    outcome.add_to(message)
    assert server.verify(message) == Accepted(username)


@given(st.text(max_size=60))
@settings(deadline=None)
def test_any_parameters(text: str) -> None:
    with contextlib.suppress(ParseError):
        parse_auth_params(text)
