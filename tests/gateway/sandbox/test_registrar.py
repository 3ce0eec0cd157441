"""The sandbox's bindings (RFC 3261 10.3)."""

from __future__ import annotations

from gateway.sandbox.registrar import MAX_BINDINGS, Registrar
from sip.headers import Headers
from sip.message import Request, Response
from sip.transport import Target
from sip.uri import Uri

SOURCE = Target("udp", "127.0.0.1", 5099)


def register(
    contact: str, *, cseq: int = 1, expires: str = "", call: str = "c"
) -> Request:
    headers = Headers(
        [
            ("Via", "SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK1"),
            ("From", "<sip:1001@acme.example>;tag=1"),
            ("To", "<sip:1001@acme.example>"),
            ("Call-ID", call),
            ("CSeq", f"{cseq} REGISTER"),
            ("Contact", contact),
        ]
    )
    if expires:
        headers.add("Expires", expires)
    return Request("REGISTER", Uri.parse("sip:acme.example"), headers)


def put(registrar: Registrar, request: Request, now: float = 0.0) -> Response:
    return registrar.register("1001", request, SOURCE, now)


def test_a_binding_lives_until_it_expires() -> None:
    registrar = Registrar()
    response = put(registrar, register("<sip:a@127.0.0.1:1>", expires="60"))
    assert response.status == 200
    assert response.headers.get_all("Contact") == ["<sip:a@127.0.0.1:1>;expires=60"]
    assert len(registrar.lookup("1001", 59.0)) == 1
    assert registrar.lookup("1001", 60.0) == ()
    assert registrar.lookup("1002", 0.0) == ()


def test_an_instance_replaces_its_own_binding() -> None:
    registrar = Registrar()
    instance = '+sip.instance="<urn:uuid:1>"'
    put(registrar, register(f"<sip:a@127.0.0.1:1>;{instance}"))
    put(registrar, register(f"<sip:b@127.0.0.1:1>;{instance}", call="d"))
    (binding,) = registrar.lookup("1001", 1.0)
    assert binding.contact.user == "b"
    response = put(
        registrar, register(f"<sip:b@127.0.0.1:1>;{instance}", cseq=2, call="d")
    )
    assert instance in (response.headers.get("Contact") or "")


def test_leaving() -> None:
    registrar = Registrar()
    put(registrar, register("<sip:a@127.0.0.1:1>"))
    put(registrar, register("<sip:b@127.0.0.1:1>"))
    put(registrar, register("<sip:a@127.0.0.1:1>;expires=0", cseq=2))
    assert [b.contact.user for b in registrar.lookup("1001", 1.0)] == ["b"]
    assert put(registrar, register("*", cseq=3)).status == 400
    assert put(registrar, register("*", cseq=3, expires="0")).status == 200
    assert registrar.lookup("1001", 1.0) == ()


def test_what_it_refuses() -> None:
    registrar = Registrar()
    brief = put(registrar, register("<sip:a@127.0.0.1:1>", expires="5"))
    assert (brief.status, brief.headers.get("Min-Expires")) == (423, "30")
    put(registrar, register("<sip:a@127.0.0.1:1>", cseq=2))
    assert put(registrar, register("<sip:a@127.0.0.1:1>", cseq=2)).status == 500
    for number in range(MAX_BINDINGS - 1):
        put(registrar, register(f"<sip:n{number}@127.0.0.1:1>"))
    assert put(registrar, register("<sip:more@127.0.0.1:1>")).status == 503
