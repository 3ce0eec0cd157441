"""A configuration: what is good, and every way in which it is not, with its line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.activities.org_facts import OrgFacts
from gateway.config import ConfigError, load, parse
from gateway.crm.connector import ActivityFacts, CrmError, CrmUnavailable, CrmUser
from gateway.work_rules import WorkOfTenants

GOOD = """\
signing_key: 0123456789abcdef0123456789abcdef
tenants:
  - id: acme
    application_server:
      domain: acme.example
      registrar: sip:127.0.0.1:5060
    users:
      - id: robin
        name: Robin Reyes
        sip: {username: "1000", password: {env: PASSWORD}}
"""
ENVIRONMENT = {"PASSWORD": "geheim"}


def problems(text: str, directory: Path = Path()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text.encode(), directory=directory, environment=ENVIRONMENT)
    return [str(problem) for problem in caught.value.problems]


def test_a_good_one() -> None:
    config = parse(GOOD.encode(), environment=ENVIRONMENT)
    (tenant,) = config.tenants
    assert tenant.users[0].sip.password.get_secret_value() == "geheim"
    assert config.sip.transports == ("udp", "tcp")


@pytest.mark.parametrize(("word", "is_on"), [("on", True), ("off", False), ("", None)])
def test_desk_phones_are_followed_where_that_is_wanted(
    word: str, is_on: bool | None
) -> None:
    line = f"      desk_phones: {word}\n" if word else ""
    text = GOOD.replace("    users:", f"{line}    users:", 1)
    (tenant,) = parse(text.encode(), environment=ENVIRONMENT).tenants
    assert tenant.application_server.desk_phones is bool(is_on)


@pytest.mark.parametrize("word", ["", "refuse", "colleagues", "allow"])
def test_whose_transfers_are_followed(word: str) -> None:
    line = f"    transfers_from_outside: {word}\n" if word else ""
    text = GOOD.replace("  - id: acme\n", f"  - id: acme\n{line}")
    (tenant,) = parse(text.encode(), environment=ENVIRONMENT).tenants
    # Nobody's, unless somebody has said so.
    assert tenant.transfers_from_outside == (word or "refuse")


def test_what_reps_write_and_which_calls_are_logged() -> None:
    text = GOOD.replace(
        "  - id: acme\n",
        "  - id: acme\n    wrap_up_s: 30\n    dispositions: [Sold, Lost]\n"
        "    disposition_required: true\n"
        "    logging: {internal: false, at_least_s: 5, voicemail: ['*97']}\n",
    )
    (tenant,) = parse(text.encode(), environment=ENVIRONMENT).tenants
    rules = WorkOfTenants([tenant], OrgFacts({}, lambda _: None)).of("acme")
    assert (rules.wrap_up_s, rules.dispositions) == (30, ("Sold", "Lost"))
    assert rules.disposition_required
    assert not rules.is_logged
    assert not rules.logging.internal
    assert rules.logging.missed
    assert rules.logging.voicemail == {"*97"}
    assert rules.logging.at_least_s == 5


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("dispositions: {picklist: Outcome__c}", "a picklist needs salesforce"),
        ("dispositions: [Sold, Sold]", "disposition 'Sold' is there twice"),
        ("disposition_required: true", "disposition_required needs dispositions"),
        ("wrap_up_s: 3601", "less than or equal to 3600"),
        ("transfers_from_outside: anybody", "'refuse', 'colleagues' or 'allow'"),
        ("logging: {inernal: false}", "is no setting that ringbridge knows"),
    ],
)
def test_rules_that_cannot_be(settings: str, expected: str) -> None:
    text = GOOD.replace("  - id: acme\n", f"  - id: acme\n    {settings}\n")
    assert expected in problems(text)[0]


async def test_what_the_organisation_says_joins_what_is_configured() -> None:
    text = GOOD.replace(
        "  - id: acme\n",
        "  - id: acme\n    dispositions: {picklist: Outcome__c}\n"
        "    salesforce: {my_domain: 'https://a.my.salesforce.com', consumer_key: k,"
        " lightning: 'https://a.lightning.force.com', private_key: p}\n",
    )
    (tenant,) = parse(text.encode(), environment=ENVIRONMENT).tenants
    answers: list[ActivityFacts | CrmError] = [
        CrmUnavailable("away"),
        ActivityFacts(frozenset({"Case"}), picklists={"Outcome__c": ("Won", "Lost")}),
        CrmUnavailable("away again"),
    ]

    class Crm:
        async def activity_facts(self, user: CrmUser) -> ActivityFacts:
            answer = answers.pop(0)
            if isinstance(answer, CrmError):
                raise answer
            return answer

    user = CrmUser("acme", "", "robin@acme.example")
    facts = OrgFacts({}, lambda _: user)
    work = WorkOfTenants([tenant], facts)
    assert work.of("acme").dispositions == ()
    assert work.of("acme").is_logged
    asked = [await facts.refresh("acme", Crm()) for _ in range(3)]  # type: ignore[arg-type]
    assert asked == [False, True, False]
    # What was heard once is kept.
    assert work.of("acme").dispositions == ("Won", "Lost")
    assert work.of("acme").logging.about_kinds == {"Case"}


def test_no_secret_in_its_repr() -> None:
    config = parse(GOOD.encode(), environment=ENVIRONMENT)
    assert "geheim" not in repr(config)
    assert "0123456789abcdef" not in repr(config)


def test_every_problem_at_once_in_the_order_of_the_file() -> None:
    text = GOOD.replace("registrar: sip:127.0.0.1:5060", "registrar: 127.0.0.1")
    text = text.replace("        name: Robin Reyes\n", "")
    text += "htpp: {port: 80}\nmedia: {workers: many}\n"
    found = problems(text)
    assert len(found) == 4
    assert found[0].startswith(
        "line 6: tenants[0].application_server.registrar: is no SIP URI"
    )
    assert found[1].endswith("users[0].name: is missing")
    assert found[1].startswith("line 8: ")
    assert found[2] == "line 10: htpp: is no setting that ringbridge knows"
    assert found[3].startswith("line 11: media.workers: input should be a valid int")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("0123456789abcdef0123456789abcdef", "short"), "at least 32 characters"),
        (("{env: PASSWORD}", "{env: NOWHERE}"), "NOWHERE is not set"),
        (("{env: PASSWORD}", "{file: nowhere}"), "cannot read the secret file"),
        (("{env: PASSWORD}", "[1]"), "must be text, {env: NAME} or {file: PATH}"),
        (("id: robin", "id: robin reyes"), "should match pattern"),
        (("id: robin", "id: robin\n        id: robin"), "is there twice"),
        (("tenants:", "tenants: []\nothers:"), "at least 1 item"),
        (("  - id: acme", "  - id: acme\n    country: usa"), "should match pattern"),
        (("acme.example", "acme example"), "should match pattern"),
    ],
)
def test_what_is_wrong_is_said(change: tuple[str, str], expected: str) -> None:
    found = "\n".join(problems(GOOD.replace(*change)))
    assert expected in found
    assert "line " in found


def test_a_wrong_value_never_shows_a_secret() -> None:
    text = GOOD.replace("0123456789abcdef0123456789abcdef", "tooshortbutsecret")
    assert "tooshortbutsecret" not in "\n".join(problems(text))


def test_users_and_tenants_are_there_once() -> None:
    user = GOOD[GOOD.index("      - id: robin") :]
    assert "user id 'robin' is there twice" in problems(GOOD + user)[0]
    tenant = GOOD[GOOD.index("  - id: acme") :]
    assert "tenant id 'acme' is there twice" in problems(GOOD + tenant)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "line 1: the file is empty"),
        ("a: [1", "line 1: "),
        ("a: b\n\tc: d", "line 2: "),
        ("\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), ""),
    ],
)
def test_no_yaml(text: str, expected: str) -> None:
    assert problems(text)[0].startswith(expected)


def test_not_utf8_too_large_too_deep(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not UTF-8"):
        parse(b"\xff\xfe")
    with pytest.raises(ConfigError, match="larger than 4 MiB"):
        parse(b"#" * (4 * 1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="nested too deeply"):
        parse(b"a: " + b"[" * 40 + b"]" * 40)
    with pytest.raises(ConfigError, match="cannot read"):
        load(tmp_path / "nowhere.yaml")


def test_secrets_from_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("aus der Datei\n", encoding="utf-8")
    text = GOOD.replace("{env: PASSWORD}", "{file: password}")
    (tmp_path / "ringbridge.yaml").write_text(text, encoding="utf-8")
    config = load(tmp_path / "ringbridge.yaml")
    secret = config.tenants[0].users[0].sip.password
    assert secret.get_secret_value() == "aus der Datei"


@given(st.binary(max_size=300))
def test_any_bytes_give_a_named_error(data: bytes) -> None:
    with pytest.raises(ConfigError):
        parse(data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(max_size=8), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    st.sampled_from(
        [
            *("signing_key", "signing_keys", "secrets_keys"),
            *("sip", "media", "tenants", "calls", "turn"),
        ]
    ),
)
def test_any_value_in_any_place_gives_a_named_error(value: object, key: str) -> None:
    with pytest.raises(ConfigError):
        parse(json.dumps({key: value}).encode())


SAMPLES = sorted((Path(__file__).parents[2] / "sample_configs").glob("*.yaml"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_sample_is_good(path: Path, tmp_path: Path) -> None:
    for name in ("salesforce-jwt.pem", "salesforce-identity.pub.pem"):
        (tmp_path / name).write_text("a key", encoding="utf-8")
    (tmp_path / path.name).write_bytes(path.read_bytes())
    environment = {
        "RINGBRIDGE_SIGNING_KEY": "k" * 64,
        "SALESFORCE_CONSUMER_KEY": "k",
        "SIP_PASSWORD_1000": "p",
        "SIP_PASSWORD_1001": "p",
    }
    config = load(tmp_path / path.name, environment=environment)
    assert config.tenants


def test_the_samples_invites_are_good_too(tmp_path: Path) -> None:
    (text,) = (path.read_text() for path in SAMPLES if path.name == "small-office.yaml")
    for name in ("salesforce-jwt.pem", "salesforce-identity.pub.pem"):
        (tmp_path / name).write_text("a key", encoding="utf-8")
    start, end = text.index("    # invites:"), text.index("    users:")
    block = re.sub(r"(?m)^    # ", "    ", text[start:end])
    environment = dict.fromkeys(
        (
            "RINGBRIDGE_SIGNING_KEY",
            "SALESFORCE_CONSUMER_KEY",
            "SIP_PASSWORD_1000",
            "SIP_PASSWORD_1001",
            "SIP_PASSWORD_GUESTS",
            "SMTP_PASSWORD",
            "IMAP_PASSWORD",
        ),
        "k" * 64,
    )
    changed = (text[:start] + block + text[end:]).encode()
    config = parse(changed, directory=tmp_path, environment=environment)
    invites = config.tenants[0].invites
    assert invites is not None
    assert invites.mail is not None
    assert invites.mail.bounces is not None
    assert invites.mail.bounces.handled_folder == "Ringbridge"
    assert invites.sip is not None
    assert config.tenants[0].users[0].email == "robin@office.example"


def test_there_are_samples() -> None:
    assert SAMPLES


INVITES = GOOD.replace(
    "    users:",
    """\
    invites:
      language: de
      mail:
        host: smtp.acme.example
        username: ringbridge
        password: {env: PASSWORD}
        sender: invites@acme.example
    users:""",
)
HTTPS = "http: {public_url: https://calls.acme.example}\n"


def test_invites() -> None:
    config = parse((HTTPS + INVITES).encode(), environment=ENVIRONMENT)
    invites = config.tenants[0].invites
    assert invites is not None
    assert invites.mail is not None
    assert (invites.mail.port, invites.mail.security) == (587, "starttls")
    assert "geheim" not in repr(config)
    # On one machine, to try it out.
    assert parse(INVITES.encode(), environment=ENVIRONMENT).tenants[0].invites


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("        username: ringbridge\n", ""), "belong together"),
        (("        password: {env: PASSWORD}\n", ""), "belong together"),
        (("        sender: invites@acme.example\n", ""), "sender: is missing"),
        (("invites@acme.example", "Acme <a@acme.example>"), "is no e-mail address"),
        (("invites@acme.example", "invites"), "is no e-mail address"),
        (("host: smtp", "security: none\n        host: smtp"), "in the clear"),
        (("language: de", "language: xx"), "input should be 'en', 'de', 'es' or 'fr'"),
        (("sender:", "sneder: x\n        sender:"), "no setting that ringbridge knows"),
        (("host: smtp", "security: ssl\n        host: smtp"), "'tls' or 'none'"),
        (("name: Robin", "email: robin@\n        name: Robin"), "is no e-mail address"),
    ],
)
def test_what_is_wrong_with_invites_is_said(
    change: tuple[str, str], expected: str
) -> None:
    found = "\n".join(problems(HTTPS + INVITES.replace(*change)))
    assert expected in found
    assert "line " in found


def test_a_mails_design_is_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "change.de.txt").write_text("{{ link }}\n{{ gest }}")
    (tmp_path / "logo.svg").write_text("<svg/>")
    design = (
        "        templates: words\n        logo: logo.svg\n        accent: blue\n"
        "        host: smtp"
    )
    text = HTTPS + INVITES.replace("        host: smtp", design)
    templates, logo, accent = problems(text, tmp_path)
    assert templates.endswith("change.de.txt, line 2: 'gest' is undefined")
    assert "mail.templates" in templates
    assert "neither PNG nor JPEG" in logo
    assert "accent" in accent
    (tmp_path / "words" / "change.de.txt").write_text("{{ link }}\n{{ guest }}")
    (tmp_path / "logo.svg").write_bytes(b"\x89PNG\r\n\x1a\n")
    text = text.replace("accent: blue", "accent: '#AA0011'")
    config = parse(text.encode(), directory=tmp_path, environment=ENVIRONMENT)
    invites = config.tenants[0].invites
    assert invites is not None
    assert invites.mail is not None
    assert invites.mail.templates == str(tmp_path / "words")


def test_how_long_things_are_kept() -> None:
    keep = parse(GOOD.encode(), environment=ENVIRONMENT).retention
    assert (keep.calls_days, keep.invites_days, keep.mail_bodies_days) == (90, 90, 30)
    text = "retention: {calls_days: 0, invites_days: -1}\n" + GOOD
    (problem,) = problems(text)
    assert "retention.invites_days" in problem


BOUNCES = INVITES.replace(
    "        sender: invites@acme.example\n",
    """\
        sender: invites@acme.example
        bounces:
          host: imap.acme.example
          username: invites
          password: {env: PASSWORD}
""",
)


def test_a_mailbox_for_bounces() -> None:
    config = parse((HTTPS + BOUNCES).encode(), environment=ENVIRONMENT)
    invites = config.tenants[0].invites
    assert invites is not None
    assert invites.mail is not None
    bounces = invites.mail.bounces
    assert bounces is not None
    assert (bounces.port, bounces.security, bounces.folder) == (993, "tls", "INBOX")
    assert "geheim" not in repr(config)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("          username: invites\n", ""), "username: is missing"),
        (("host: imap", "security: none\n          host: imap"), "in the clear"),
        (
            (
                "host: imap.acme.example",
                "security: none\n          ca_file: x\n          host: 127.0.0.1",
            ),
            "ca_file means nothing",
        ),
        (("host: imap", 'folder: "a\\"b"\n          host: imap'), "pattern"),
        (("host: imap", "handled_folder: Ü\n          host: imap"), "pattern"),
        (
            ("host: imap", "handled_folder: INBOX\n          host: imap"),
            "must be another",
        ),
        (("host: imap", "separator: '@'\n          host: imap"), "pattern"),
        (("host: imap", "every_s: 1\n          host: imap"), "greater than"),
        (
            ("host: imap", f"address: {'i' * 50}@a.example\n          host: imap"),
            "long",
        ),
    ],
)
def test_what_is_wrong_with_bounces_is_said(
    change: tuple[str, str], expected: str
) -> None:
    found = "\n".join(problems(HTTPS + BOUNCES.replace(*change)))
    assert expected in found
    assert "line " in found


def test_a_ca_file_without_tls_is_a_mistake() -> None:
    text = INVITES.replace(
        "        username: ringbridge\n        password: {env: PASSWORD}\n",
        "        security: none\n        ca_file: ca.pem\n",
    )
    assert "ca_file means nothing" in "\n".join(problems(text))


def test_invites_need_https() -> None:
    plain = "http: {public_url: http://calls.acme.example}\n"
    (problem,) = problems(plain + INVITES)
    assert "must be https" in problem
    assert "camera" in problem


# Users and keys -------------------------------------------------------------------

PROVISIONED = """\
    provisioning:
      domains: [Acme.example]
      sip_password: shared
      rules:
        - {by: table}
        - {by: email, sip_username: "{value}"}
        - {by: field, field: Office_Phone__c, sip_username: "a{value}"}
"""


def new_key() -> str:
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def problems_of(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text.encode(), environment=ENVIRONMENT)
    return str(caught.value)


def test_rules_of_provisioning() -> None:
    section = (
        parse((GOOD + PROVISIONED).encode(), environment=ENVIRONMENT)
        .tenants[0]
        .provisioning
    )
    assert section is not None
    assert section.domains == ("acme.example",)
    assert [(rule.by, rule.field, rule.sip_username) for rule in section.rules] == [
        ("table", "Extension", ""),
        ("email", "Extension", "{value}"),
        ("field", "Office_Phone__c", "a{value}"),
    ]
    assert "shared" not in repr(section)


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("{by: table, sip_username: x}", "by: table has no sip_username"),
        ("{by: email, field: X}", "field belongs to by: field"),
        ("{by: field, sip_username: same}", "must contain {value} once"),
        ('{by: field, sip_username: "{value}{value}"}', "must contain {value} once"),
        ('{by: field, sip_username: "{value}@x"}', "characters that no SIP username"),
        ('{by: field, sip_username: "{value}{x}"}', "characters that no SIP username"),
        ("{by: field, field: a b}", "rules[0].field"),
        ("{by: magic}", "rules[0].by"),
    ],
)
def test_rules_that_are_none(rule: str, problem: str) -> None:
    text = f"{GOOD}    provisioning: {{rules: [{rule}]}}\n"
    assert problem in problems_of(text)


def test_users_may_all_be_in_the_database() -> None:
    text = GOOD[: GOOD.index("    users:")]
    assert parse(text.encode(), environment=ENVIRONMENT).tenants[0].users == ()


def test_several_signing_keys_and_the_simple_one_last() -> None:
    text = GOOD + (
        "signing_keys:\n"
        "  - kid: new\n"
        "    not_before: 2026-12-01T00:00:00Z\n"
        f"    private_key: {json.dumps(new_key())}\n"
        f"  - {{kid: old, secret: {'s' * 32}}}\n"
    )
    config = parse(text.encode(), environment=ENVIRONMENT)
    assert [(key.kid, key.algorithm, key.not_before) for key in config.token_keys] == [
        ("new", "EdDSA", 1796083200.0),
        ("old", "HS256", 0.0),
        ("1", "HS256", 0.0),
    ]
    assert config.link_secret == config.token_keys[-1].secret
    assert "PRIVATE" not in repr(config)
    alone = text.replace(GOOD.splitlines()[0], "")
    assert [
        key.kid for key in parse(alone.encode(), environment=ENVIRONMENT).token_keys
    ] == ["new", "old"]


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("[{kid: a}]", "needs private_key (EdDSA) or secret (HS256)"),
        (f"[{{kid: a, secret: {'s' * 32}, private_key: x}}]", "one of them"),
        ("[{kid: a, secret: geheim}]", "an HS256 key needs at least 32 bytes"),
        ("[{kid: a, private_key: geheim}]", "private_key is no unencrypted Ed25519"),
        (f"[{{kid: '1', secret: {'s' * 32}}}]", "signing key '1' is there twice"),
        (
            f"[{{kid: a, secret: {'s' * 32}, not_before: 2026-12-01T00:00:00}}]",
            "not_before",
        ),
    ],
)
def test_signing_keys_that_are_none(keys: str, problem: str) -> None:
    text = problems_of(f"{GOOD}signing_keys: {keys}\n")
    assert problem in text
    assert "geheim" not in text


def test_a_key_that_signs_now_is_there() -> None:
    without = GOOD.replace(GOOD.splitlines()[0], "")
    assert "signing_key is missing" in problems_of(without)
    key = f"{{kid: a, secret: {'s' * 32}, not_before: 2026-12-01T00:00:00Z}}"
    text = problems_of(f"{without}signing_keys: [{key}]\n")
    assert "one of signing_keys must be without not_before" in text


def test_invites_need_the_simple_key() -> None:
    text = GOOD.replace(GOOD.splitlines()[0], "") + "    invites: {}\n"
    text += f"signing_keys: [{{kid: a, secret: {'s' * 32}}}]\n"
    assert "their links are made from it" in problems_of(text)


def test_keys_that_seal_are_checked_and_not_shown() -> None:
    key = "k" * 42 + "A="
    config = parse(f"{GOOD}secrets_keys: [{key}]\n".encode(), environment=ENVIRONMENT)
    assert config.secrets_keys[0].get_secret_value() == key
    assert key not in repr(config)
    text = problems_of(f"{GOOD}secrets_keys: [{key}, {key[1:]}]\n")
    assert "secrets_keys[1]: must be 32 bytes in URL-safe base64" in text
    assert key[1:] not in text


def test_the_samples_keys_and_rules_are_good_too(tmp_path: Path) -> None:
    (text,) = (path.read_text() for path in SAMPLES if path.name == "small-office.yaml")
    for name in ("salesforce-jwt.pem", "salesforce-identity.pub.pem"):
        (tmp_path / name).write_text("a key", encoding="utf-8")
    (tmp_path / "token.pem").write_text(new_key(), encoding="utf-8")
    (tmp_path / "secrets.key").write_text("k" * 42 + "A=\n", encoding="utf-8")
    start, end = text.index("    # provisioning:"), text.index("    # Video invites:")
    rules = re.sub(r"(?m)^    # ", "    ", text[start:end])
    text = text[:start] + rules + text[end:]
    text = re.sub(r"(?m)^# (signing_keys:|  - \{kid|secrets_keys:)", r"\1", text)
    names = (
        *("RINGBRIDGE_SIGNING_KEY", "SALESFORCE_CONSUMER_KEY", "SIP_PASSWORD_1000"),
        *("SIP_PASSWORD_1001", "SIP_PASSWORD_SHARED"),
    )
    environment = dict.fromkeys(names, "k" * 64)
    config = parse(text.encode(), directory=tmp_path, environment=environment)
    assert [key.kid for key in config.token_keys] == ["2026-11", "1"]
    assert len(config.secrets_keys) == 1
    section = config.tenants[0].provisioning
    assert section is not None
    assert [rule.by for rule in section.rules] == ["table", "email", "field"]
    assert section.sip_password is not None


SIGN_IN = GOOD.replace(
    "    users:",
    """\
    phone_sign_in: on
    sign_in: {access_s: 600, idle_s: 1200, absolute_s: 3600}
    salesforce:
      my_domain: https://acme.my.salesforce.com
      lightning: https://acme.lightning.force.com
      consumer_key: key
      private_key: pem
      sign_in:
        organizations: [00D000000000001EAA]
        client_secret: geheimnis
        fields: [Extension]
    users:""",
)


def test_ways_to_sign_in() -> None:
    config = parse((HTTPS + SIGN_IN).encode(), environment=ENVIRONMENT)
    [tenant] = config.tenants
    assert tenant.phone_sign_in is True
    assert tenant.sign_in is not None
    assert tenant.sign_in.idle_s == 1200
    assert config.sign_in.absolute_s == 12 * 3600
    assert tenant.salesforce_sign_in is not None
    assert tenant.salesforce_sign_in.fields == ("Extension",)
    assert "geheimnis" not in repr(config)
    [plain] = parse(GOOD.encode(), environment=ENVIRONMENT).tenants
    assert plain.phone_sign_in is False
    assert plain.salesforce_sign_in is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("access_s: 600", "access_s: 1201"), "must not get shorter"),
        (("absolute_s: 3600", "absolute_s: 900"), "must not get shorter"),
        (("[00D000000000001EAA]", "[]"), "at least 1"),
        (("[00D000000000001EAA]", "[acme]"), "organizations[0]"),
        (("[00D000000000001EAA]", "['00D*']"), "organizations[0]"),
        (("[Extension]", '["Id,Name FROM User--"]'), "fields[0]"),
        (("phone_sign_in: on", "phone_sign_in: maybe"), "phone_sign_in"),
        ((HTTPS, "http: {public_url: http://calls.acme.example}\n"), "must be https"),
    ],
    ids=str,
)
def test_what_is_wrong_with_ways_to_sign_in_is_said(
    change: tuple[str, str], expected: str
) -> None:
    text = HTTPS + SIGN_IN
    assert change[0] in text
    assert expected in "\n".join(problems(text.replace(*change)))
