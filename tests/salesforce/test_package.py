"""What can be said of the package without an organisation: that it is well made, and
that it and the gateway mean the same by the same names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpClient

from gateway import pages
from gateway.config import SalesforceSection
from gateway.crm.salesforce.assumptions import (
    DEFAULT_API_VERSION,
    DEFAULT_KEY_FIELD,
    MAX_SHORT_TEXT,
)
from gateway.identity.tokens import ASSERTION_MAX_LIFETIME_S
from gateway.sandbox.salesforce import SimulatorConfig
from gateway.sandbox.salesforce.softphone import (
    IDENTITY_CLASS,
    call_center_settings,
)
from tests.salesforce.package import (
    PROJECT,
    SOURCE,
    Component,
    components,
    manifest,
    read,
    tag,
    text,
    texts,
)

PLACEHOLDER = "https://ringbridge.example"
ADAPTER_PATH = "/widget/salesforce"
LANGUAGES = ("de", "es", "fr")
PARTS = ("base", "call-center", "sign-in-app", "translations")
OPEN_CTI = PROJECT.parent / "web" / "hosts" / "open-cti.js"
LWC = SOURCE / "lwc"
CLASSES = SOURCE / "classes"


# Files and manifests


def test_every_file_is_of_a_component_and_well_formed() -> None:
    found = components()
    assert len(found) > 20
    for component, path in found.items():
        root = read(path)
        assert root.tag == tag(component.kind), path
    for path in PROJECT.rglob("*.xml"):
        read(path)


def test_the_manifest_lists_what_is_there() -> None:
    assert manifest("package") == set(components())


def test_the_parts_are_the_whole_and_share_nothing() -> None:
    parts = [manifest(name) for name in PARTS]
    assert set().union(*parts) == manifest("package")
    assert sum(map(len, parts)) == len(manifest("package"))


def test_uninstalling_leaves_the_keys_of_activities_and_nothing_else() -> None:
    gone = manifest("uninstall/destructiveChanges")
    kept = Component("CustomField", f"Activity.{DEFAULT_KEY_FIELD}")
    assert kept not in gone
    labels = {Component("CustomLabel", name) for name in defined_labels()}
    # These go with what they are of, as the parts of the sign-in app do.
    with_others = ("CustomLabels", "CustomMetadata", "Translations")
    assert gone - labels == {
        each
        for each in components()
        if each != kept
        and each.kind not in with_others
        and not each.kind.startswith("ExtlClntApp")
    }
    assert labels <= gone
    assert manifest("uninstall/package") == set()


def test_one_version_of_the_api_throughout() -> None:
    project = json.loads((PROJECT / "sfdx-project.json").read_text())
    versions = {project["sourceApiVersion"]}
    for path in PROJECT.rglob("*.xml"):
        root = read(path)
        versions |= set(texts(root, "apiVersion"))
        if root.tag == tag("Package"):
            versions |= set(texts(root, "version"))
    assert versions == {DEFAULT_API_VERSION}


def test_addresses_are_replaced_wherever_they_stand() -> None:
    project = json.loads((PROJECT / "sfdx-project.json").read_text())
    replaced = {
        (each["filename"], each["stringToReplace"]): each["replaceWithEnv"]
        for each in project["replacements"]
    }
    for filename, old in replaced:
        assert old in (PROJECT / filename).read_text(), filename
    standing = {
        path.relative_to(PROJECT).as_posix()
        for path in SOURCE.rglob("*.xml")
        if PLACEHOLDER in path.read_text()
    }
    assert standing == {filename for filename, old in replaced if old == PLACEHOLDER}
    assert set(replaced.values()) == {
        "RINGBRIDGE_URL",
        "RINGBRIDGE_CERTIFICATE",
        "RINGBRIDGE_CONTACT",
    }
    settings = (CLASSES / "RingbridgeSettings.cls").read_text()
    assert f"PLACEHOLDER = '{PLACEHOLDER}'" in settings


# The external id field


def test_the_key_field_is_what_the_gateway_writes() -> None:
    field = read(SOURCE / "objects/Activity/fields/Ringbridge_Key__c.field-meta.xml")
    assert text(field, "fullName") == DEFAULT_KEY_FIELD
    assert SalesforceSection.model_fields["external_id_field"].default == (
        DEFAULT_KEY_FIELD
    )
    assert SimulatorConfig().activity_external_id_fields == (DEFAULT_KEY_FIELD,)
    assert text(field, "type") == "Text"
    assert int(text(field, "length")) == MAX_SHORT_TEXT
    for flag in ("externalId", "unique", "caseSensitive"):
        assert text(field, flag) == "true", flag
    # A person makes activities without one.
    assert text(field, "required") == "false"
    setup = (CLASSES / "RingbridgeSetup.cls").read_text()
    assert f"KEY_FIELD = '{DEFAULT_KEY_FIELD}'" in setup


# The call centre


def imported() -> dict[str, dict[str, str]]:
    root = ElementTree.fromstring(
        (PROJECT / "call-center" / "Ringbridge.xml").read_bytes()
    )
    return {
        section.attrib["name"]: {
            item.attrib["name"]: item.text or "" for item in section
        }
        for section in root
    }


def test_the_call_centre_has_what_open_cti_requires() -> None:
    general = imported()["reqGeneralInfo"]
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,39}", general["reqInternalName"])
    assert general["reqAdapterUrl"] == PLACEHOLDER + ADAPTER_PATH
    assert general["reqUseApi"] == "true"
    # Without it the phone is Classic's, and Lightning has none.
    assert general["reqSalesforceCompatibilityMode"] == "Lightning"
    assert 240 <= int(general["reqSoftphoneHeight"]) <= 2560
    assert 200 <= int(general["reqSoftphoneWidth"]) <= 1920
    # These two come together or not at all.
    assert general["reqStandbyUrl"] == general["reqAdapterUrl"]
    assert int(general["reqTimeout"]) == 10_000


def test_the_call_centre_is_the_simulators() -> None:
    simulated = call_center_settings(
        SimulatorConfig(adapter_url=PLACEHOLDER + ADAPTER_PATH, gateway_url=PLACEHOLDER)
    )
    ours = {
        f"/{section}/{name}": value
        for section, items in imported().items()
        for name, value in items.items()
    }
    for path, value in simulated.items():
        if not path.endswith(("/label", "/sortOrder")):
            assert ours[path] == value, path


def test_both_forms_of_the_call_centre_say_the_same() -> None:
    meta = read(SOURCE / "callCenters" / "Ringbridge.callCenter-meta.xml")
    deployed = {
        text(section, "name"): {
            text(item, "name"): text(item, "value")
            for item in section.iterfind(tag("items"))
        }
        for section in meta.iterfind(tag("sections"))
    }
    both = imported()
    internal_name = both["reqGeneralInfo"].pop("reqInternalName")
    assert Component("CallCenter", internal_name) in components()
    assert both["reqGeneralInfo"].pop("reqDisplayName") == text(meta, "displayName")
    assert deployed == both
    assert text(meta, "adapterUrl") == both["reqGeneralInfo"].pop("reqAdapterUrl")
    assert json.loads(text(meta, "customSettings")) == both["reqGeneralInfo"]


async def test_the_adapter_is_a_page_of_the_gateway(
    aiohttp_client: AiohttpClient,
) -> None:
    app = web.Application()
    pages.add_routes(app, {})
    client = await aiohttp_client(app)
    answer = await client.get(ADAPTER_PATH)
    assert answer.status == 200
    assert "app-salesforce.js" in await answer.text()
    setup = (CLASSES / "RingbridgeSetup.cls").read_text()
    assert f"ADAPTER_PATH = '{ADAPTER_PATH}'" in setup


# Trusted URL, sign-in


def test_the_trusted_url_lets_the_phone_in_and_hear_and_see() -> None:
    site = read(SOURCE / "cspTrustedSites" / "Ringbridge.cspTrustedSite-meta.xml")
    true = {each.tag.partition("}")[2] for each in site if each.text == "true"}
    assert true == {
        "isActive",
        "canAccessMicrophone",
        "canAccessCamera",
        "isApplicableToFrameSrc",
        "isApplicableToConnectSrc",
    }
    assert text(site, "context") == "All"


def test_the_sign_in_app_may_do_one_thing_for_approved_people() -> None:
    oauth = read(SOURCE / "extlClntAppOauthSettings/Ringbridge_oauth.ecaOauth-meta.xml")
    scopes = {
        each.strip() for each in text(oauth, "commaSeparatedOauthScopes").split(",")
    }
    assert scopes == {"Api", "OpenID", "RefreshToken"}
    policy = read(
        SOURCE
        / "extlClntAppOauthPolicies"
        / "Ringbridge_oauth_defaultPolicy.ecaOauthPlcy-meta.xml"
    )
    assert text(policy, "permittedUsersPolicyType") == "AdminApprovedPreAuthorized"
    approved = text(policy, "commaSeparatedPermissionSet")
    assert Component("PermissionSet", approved) in components()
    for folder in SOURCE.glob("extlClntApp*"):
        for path in folder.iterdir():
            root = read(path)
            assert text(root, "externalClientApplication") == "Ringbridge"
            for each in root:
                name = each.tag.partition("}")[2]
                assert "Secret" not in name or each.text in ("true", "false")
                if name.endswith("Enabled") and "Flow" in name:
                    assert each.text == "false", name


def test_no_key_and_no_certificate_is_in_the_package() -> None:
    for path in PROJECT.rglob("*"):
        if path.is_file():
            content = path.read_text()
            assert "BEGIN " not in content, path
            assert "consumerKey" not in content, path
            assert not re.search(r"MII[A-Za-z0-9+/]{20}", content), path


def test_the_identity_class_is_the_one_that_the_softphone_asks() -> None:
    script = OPEN_CTI.read_text()
    assert f"apexClass: '{IDENTITY_CLASS}'" in script
    assert "identity('token')" in script
    source = (CLASSES / f"{IDENTITY_CLASS}.cls").read_text()
    assert f"global with sharing class {IDENTITY_CLASS} " in source
    assert "webservice static String token()" in source
    (lifetime,) = re.findall(r"LIFETIME_S = (\d+);", source)
    # A clock that is a minute slow in Salesforce is no reason to refuse.
    assert 60 <= int(lifetime) <= ASSERTION_MAX_LIFETIME_S - 60


# Components


def test_the_invite_icon_says_the_word_that_the_softphone_knows() -> None:
    (word,) = re.findall(r"INVITE_WORD = '(.*?)'", OPEN_CTI.read_text())
    reach = (LWC / "ringbridgeReach" / "ringbridgeReach.js").read_text()
    assert f"INVITE_PARAMS = '{word}'" in reach


def test_components_are_for_the_pages_that_they_know() -> None:
    meta = read(LWC / "ringbridgeReach" / "ringbridgeReach.js-meta.xml")
    offered = {each.text for each in meta.iter(tag("object"))}
    fields = (LWC / "ringbridgeReach" / "fields.js").read_text()
    phones = fields.partition("PHONES = {")[2].partition("};")[0]
    assert offered == set(re.findall(r"(\w+): \[", phones))
    script = (LWC / "ringbridgeReach" / "ringbridgeReach.js").read_text()
    for name in (each.attrib["name"] for each in meta.iter(tag("property"))):
        assert re.search(rf"@api {name}\b", script), name
    tab = read(SOURCE / "tabs" / "Ringbridge_Setup.tab-meta.xml")
    assert (LWC / text(tab, "lwcComponent")).is_dir()


def test_the_setup_page_has_words_for_all_that_is_found() -> None:
    apex = (CLASSES / "RingbridgeSetup.cls").read_text()
    gateway = (LWC / "ringbridgeSetup" / "gateway.js").read_text()
    words = (LWC / "ringbridgeSetup" / "words.js").read_text()
    lines = re.findall(r"\b(?:ok|missing|warning|unknown)\(\s*'(\w+)'", apex)
    codes = re.findall(r"\b(?:missing|warning|unknown)\(\s*'\w+',\s*'(\w+)'", apex)
    codes += re.findall(r"\bline\('\w+', '(\w+)'", gateway)
    found = set(re.findall(r"^    (\w+):", section(words, "FOUND"), re.MULTILINE))
    checks = set(re.findall(r"^    (\w+):", section(words, "CHECKS"), re.MULTILINE))
    assert checks == {*lines, "gateway"}
    assert found == {*codes, "ok", "count"}
    states = set(re.findall(r"^    (\w+):", section(words, "STATES"), re.MULTILINE))
    assert set(re.findall(r"\bline\('(\w+)'", gateway)) <= states


def section(source: str, name: str) -> str:
    return source.partition(f"export const {name} = {{")[2].partition("\n};")[0]


def test_style_is_the_hosts() -> None:
    for path in LWC.rglob("*.css"):
        source = path.read_text()
        # What a theme has not set looks as Lightning always did.
        assert not re.search(r"var\(--[\w-]+\)", source), path
        for color in re.findall(r"(?<!, )#[0-9a-f]{3,6}\b", source):
            pytest.fail(f"{path}: {color} is not the theme's")
        # Right-to-left pages: start and end, not left and right.
        assert not re.search(r"\b(left|right)\b", source), path


# Words


def defined_labels() -> dict[str, str]:
    root = read(SOURCE / "labels" / "CustomLabels.labels-meta.xml")
    return {
        text(each, "fullName"): text(each, "value")
        for each in root.iterfind(tag("labels"))
    }


def translated(language: str) -> dict[str, str]:
    root = read(SOURCE / "translations" / f"{language}.translation-meta.xml")
    return {
        text(each, "name"): text(each, "label")
        for each in root.iterfind(tag("customLabels"))
    }


def scripts() -> Iterable[Path]:
    return (path for path in LWC.rglob("*.js") if "__tests__" not in path.parts)


def test_labels_are_those_that_components_use() -> None:
    used = {
        name
        for path in scripts()
        for name in re.findall(r"@salesforce/label/c\.(\w+)", path.read_text())
    }
    assert used == set(defined_labels())
    for name, value in defined_labels().items():
        assert len(name) <= 80
        assert 0 < len(value) <= 1000, name


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_label_is_translated(language: str) -> None:
    labels, words = defined_labels(), translated(language)
    assert list(words) == list(labels)
    for name, value in words.items():
        assert 0 < len(value) <= 1000, name
        assert value.count("{0}") == labels[name].count("{0}"), name
    same = {name for name, value in words.items() if value == labels[name]}
    assert len(same) <= 2, same
    tabs = read(SOURCE / "translations" / f"{language}.translation-meta.xml")
    names = [text(each, "name") for each in tabs.iterfind(tag("customTabs"))]
    assert {Component("CustomTab", name) for name in names} <= set(components())


def test_no_words_of_their_own_are_in_the_pages() -> None:
    for path in LWC.rglob("*.html"):
        markup = re.sub(r"<[^>]*>|\{[\w.]+\}", "", path.read_text())
        assert not re.search(r"[A-Za-z]", markup), path
        names = re.findall(
            r"\b(?:title|label|alternative-text|aria-label)=(\"[^\"]*\")",
            path.read_text(),
        )
        assert names == [], path
