from __future__ import annotations

import pytest

from sip.errors import InvalidValue, ParseError
from sip.lexical import format_params, parse_delta_seconds, parse_params, quote, unquote
from sip.uri import NameAddr, Uri, escape_user


@pytest.mark.parametrize(
    "text",
    [
        "sip:alice@atlanta.example.com",
        "sip:alice:secretword@atlanta.example.com;transport=tcp",
        "sips:alice@atlanta.example.com?subject=project%20x&priority=urgent",
        "sip:+1-212-555-1212:1234@gateway.example.com;user=phone",
        "sip:atlanta.example.com;method=REGISTER?to=alice%40atlanta.example.com",
        "sip:alice;day=tuesday@atlanta.example.com",
        "sip:[2001:db8::10]",
        "sip:[2001:db8::10]:5070;transport=tcp;lr",
        "sip:#31#@pbx.example.com",
        "tel:+1-201-555-0123;phone-context=example.com",
        "urn:service:sos",
        "http://www.example.com",
    ],
)
def test_a_uri_is_written_as_it_was_read(text: str) -> None:
    assert str(Uri.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice@example.com",
        " sip:alice@example.com",
        "sip:alice@example.com ",
        "sip:",
        "sip:@example.com",
        "sip:alice@",
        "sip:a@b@c",
        "sip:alice@example.com:",
        "sip:alice@example.com:0",
        "sip:alice@example.com:65536",
        "sip:alice@example.com:50 60",
        "sip:alice@exa mple.com",
        "sip:alice@example.com;",
        "sip:alice@example.com;;lr",
        "sip:alice@example.com?subject",
        "sip:alice@example.com?",
        "sip:2001:db8::10",
        "sip:[2001:db8::10",
        "sip:[2001:db8::10%eth0]",
        "sip:[fe80::1]x",
        "sip:[1.2.3.4]",
        "sip:al\rice@example.com",
        "sip:al\0ice@example.com",
        "sip:<alice>@example.com",
        "tel:",
        "mailto:",
        "1sip:alice@example.com",
    ],
)
def test_what_is_no_uri_is_a_parse_error(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        Uri.parse(text)
    assert caught.value.status == 400


def test_rfc_5118_an_ipv6_port_without_brackets_belongs_to_the_address() -> None:
    uri = Uri.parse("sip:[2001:db8::10:5070]")
    assert (uri.host, uri.port) == ("2001:db8::10:5070", None)


def test_parts_of_a_uri() -> None:
    uri = Uri.parse("SIP:al%69ce:pw@Host.example:5070;Transport=TCP;lr?Subject=a%20b")
    assert uri.scheme == "sip"
    assert uri.user == "al%69ce"
    assert uri.decoded_user == "alice"
    assert uri.password == "pw"
    assert (uri.host, uri.port) == ("Host.example", 5070)
    assert uri.param("transport") == "TCP"
    assert uri.has_param("LR")
    assert uri.param("maddr") is None
    assert uri.header("subject") == "a b"
    assert str(uri.without_headers()).endswith(";lr")


def test_a_password_is_not_in_the_repr() -> None:
    assert "pw" not in repr(Uri.parse("sip:alice:pw@example.com"))


@pytest.mark.parametrize(
    "parts",
    [
        {"user": "a\r\nVia: x", "host": "example.com"},
        {"user": "a b", "host": "example.com"},
        {"user": "a@b", "host": "example.com"},
        {"user": "a", "host": "example.com\r\n"},
        {"user": "a", "host": "exa mple"},
        {"user": "a", "host": "example.com", "port": 70000},
        {"host": "example.com", "password": "x"},
        {"user": "a", "host": "example.com", "params": (("x;y", None),)},
        {"user": "a", "host": "example.com", "params": (("x", "y>"),)},
        {"user": "a", "host": "example.com", "headers": (("x", "y&z"),)},
    ],
)
def test_a_uri_that_would_corrupt_a_header_cannot_be_built(parts: dict) -> None:
    with pytest.raises(InvalidValue):
        Uri("sip", **parts)


def test_any_text_can_be_a_user_when_escaped() -> None:
    text = 'ä b\r\nVia: "<x>;?@:%00'
    uri = Uri("sip", escape_user(text), "example.com")
    assert Uri.parse(str(uri)).decoded_user == text


def test_a_scheme_has_rules_too() -> None:
    with pytest.raises(InvalidValue):
        Uri("si p", host="example.com")
    assert Uri.parse("sip:example.com?a=b").header("c") is None


def test_setting_and_removing_parameters() -> None:
    uri = Uri.parse("sip:a@b.example;transport=udp;lr")
    changed = uri.with_params({"Transport": "tcp", "x": "a b", "ob": None})
    assert str(changed) == "sip:a@b.example;transport=tcp;lr;x=a%20b;ob"
    assert changed.param("x") == "a b"
    assert str(changed.without_params("x", "OB", "lr")) == (
        "sip:a@b.example;transport=tcp"
    )


class TestEquivalence_19_1_4:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (
                "sip:%61lice@atlanta.com;transport=TCP",
                "sip:alice@AtLanTa.CoM;Transport=tcp",
            ),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("sip:a@[2001:DB8:0::1]", "sip:a@[2001:db8::1]"),
            ("urn:service:sos", "urn:service:sos"),
        ],
    )
    def test_equivalent(self, one: str, other: str) -> None:
        assert Uri.parse(one).equivalent(Uri.parse(other))
        assert Uri.parse(other).equivalent(Uri.parse(one))

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:a@b;maddr=192.0.2.1", "sip:a@b"),
            ("sip:a@b;user=phone", "sip:a@b"),
            ("sip:a@b", "sips:a@b"),
            ("sip:b", "sip:a@b"),
            ("sip:a:x@b", "sip:a@b"),
            ("sip:a%3Bb@c", "sip:a;b@c"),
            ("sip:a%00@c", "sip:a%00%00@c"),
            ("tel:+1", "tel:+2"),
            ("urn:service:sos", "urn:service:sos.fire"),
        ],
    )
    def test_not_equivalent(self, one: str, other: str) -> None:
        assert not Uri.parse(one).equivalent(Uri.parse(other))
        assert not Uri.parse(other).equivalent(Uri.parse(one))


class TestNameAddr:
    def test_without_brackets_parameters_belong_to_the_header(self) -> None:
        address = NameAddr.parse("sip:alice@example.com;tag=88sja8x")
        assert address.tag == "88sja8x"
        assert address.uri.params == ()
        assert str(address) == "<sip:alice@example.com>;tag=88sja8x"

    def test_with_brackets_each_keeps_its_own(self) -> None:
        address = NameAddr.parse('"A, B" <sip:a@example.com;lr>;tag=x;q=0.5')
        assert address.display_name == "A, B"
        assert address.uri.has_param("lr")
        assert (address.param("lr"), address.param("Q")) == (None, "0.5")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "<>",
            "Alice",
            '"Alice <sip:a@example.com>',
            "Alice, B <sip:a@example.com>",
            "< sip:a@example.com>",
            "<sip:a@example.com",
            "<sip:a@example.com> x",
            "<sip:a@example.com>;x<y>",
            "<sip:a@example.com>;",
            "<sip:a@example.com>;;tag=1",
            "<sip:a@example.com>;tag=a b",
            '<sip:a@example.com>;tag="a',
            "sip:a@example.com?Subject=x",
            "sip:a@example.com,b",
            "sip:a@example.com;tag=<x>",
        ],
    )
    def test_malformed(self, text: str) -> None:
        with pytest.raises(ParseError):
            NameAddr.parse(text)

    def test_unquoted_letters_beyond_ascii_are_let_through(self) -> None:
        assert NameAddr.parse("Jürgen <sip:j@example.com>").display_name == "Jürgen"

    @pytest.mark.parametrize(
        "name", ['He said "hi"', "back\\slash", "<sip:x>;tag=1", "ä"]
    )
    def test_any_display_name_survives(self, name: str) -> None:
        uri = Uri.parse("sip:a@example.com")
        assert NameAddr.parse(str(NameAddr(uri, name))).display_name == name

    def test_a_display_name_cannot_start_a_new_line(self) -> None:
        with pytest.raises(InvalidValue):
            str(NameAddr(Uri.parse("sip:a@example.com"), "x\r\nVia: y"))

    def test_tags(self) -> None:
        address = NameAddr.parse("<sip:a@example.com>;tag=old")
        assert address.with_tag("new").tag == "new"
        assert address.without_params("TAG").tag is None
        assert NameAddr.parse("<sip:a@example.com>;tag=").tag is None
        # Compared exactly: a tag is no token in lower case.
        assert NameAddr.parse("<sip:a@example.com>;TAG=AbC").tag == "AbC"

    @pytest.mark.parametrize("value", ["a;b", "a b", "a\r\n", "a,b", '"x'])
    def test_a_parameter_cannot_smuggle_another(self, value: str) -> None:
        with pytest.raises(InvalidValue):
            NameAddr.parse("<sip:a@example.com>").with_param("x", value)

    def test_an_instance_parameter_is_read_without_its_quotes(self) -> None:
        text = '<sip:a@example.com>;+sip.instance="<urn:uuid:0-1>";reg-id=1'
        assert NameAddr.parse(text).param("+sip.instance") == "<urn:uuid:0-1>"
        assert str(NameAddr.parse(text)) == text


def test_params_keep_the_difference_of_flag_and_empty_value() -> None:
    params = parse_params(' ; lr ;a = ; b="x;y" ')
    assert params == (("lr", None), ("a", ""), ("b", '"x;y"'))
    assert format_params(params) == ';lr;a=;b="x;y"'


def test_quoting() -> None:
    assert unquote(quote('a"b\\c')) == 'a"b\\c'
    assert unquote("plain") == "plain"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), (" 3600 ", 3600), ("0" * 50 + "7", 7), ("9" * 100, 2**32 - 1)],
)
def test_delta_seconds(text: str, seconds: int) -> None:
    assert parse_delta_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "١"])
def test_what_is_no_delta_seconds(text: str) -> None:
    assert parse_delta_seconds(text) is None
