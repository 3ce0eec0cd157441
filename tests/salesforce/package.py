"""The SFDX project as data: its files, its manifests, its XML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
PROJECT = Path(__file__).parents[2] / "sfdc_widget" / "salesforce"
SOURCE = PROJECT / "force-app" / "main" / "default"

# Folder, suffix and name of each type of metadata here, as Salesforce's own library
# (source-deploy-retrieve) has them.
TYPES = {
    "callCenters": ("callCenter", "CallCenter"),
    "classes": ("cls", "ApexClass"),
    "cspTrustedSites": ("cspTrustedSite", "CspTrustedSite"),
    "customMetadata": ("md", "CustomMetadata"),
    "externalClientApps": ("eca", "ExternalClientApplication"),
    "extlClntAppGlobalOauthSets": ("ecaGlblOauth", "ExtlClntAppGlobalOauthSettings"),
    "extlClntAppOauthPolicies": (
        "ecaOauthPlcy",
        "ExtlClntAppOauthConfigurablePolicies",
    ),
    "extlClntAppOauthSettings": ("ecaOauth", "ExtlClntAppOauthSettings"),
    "extlClntAppPolicies": ("ecaPlcy", "ExtlClntAppConfigurablePolicies"),
    "labels": ("labels", "CustomLabels"),
    "permissionsets": ("permissionset", "PermissionSet"),
    "tabs": ("tab", "CustomTab"),
    "translations": ("translation", "Translations"),
}


@dataclass(frozen=True, slots=True)
class Component:
    """What a manifest names: ``PermissionSet``, ``Ringbridge_Rep``."""

    kind: str
    name: str


def components() -> dict[Component, Path]:
    """Every component of the project, by its file of metadata."""
    return dict(_components())


def _components() -> Iterator[tuple[Component, Path]]:
    for folder in sorted(SOURCE.iterdir()):
        if folder.name == "lwc":
            for bundle in sorted(folder.iterdir()):
                meta = bundle / f"{bundle.name}.js-meta.xml"
                yield Component("LightningComponentBundle", bundle.name), meta
        elif folder.name == "objects":
            yield from _of_objects(folder)
        else:
            suffix, kind = TYPES[folder.name]
            ending = f".{suffix}-meta.xml"
            for path in sorted(folder.iterdir()):
                if path.name.endswith(ending):
                    yield Component(kind, path.name.removesuffix(ending)), path


def _of_objects(folder: Path) -> Iterator[tuple[Component, Path]]:
    for path in sorted(folder.iterdir()):
        own = path / f"{path.name}.object-meta.xml"
        if own.exists():
            # Its fields come with it.
            yield Component("CustomObject", path.name), own
            continue
        for field in sorted((path / "fields").iterdir()):
            name = field.name.removesuffix(".field-meta.xml")
            yield Component("CustomField", f"{path.name}.{name}"), field


def manifest(name: str) -> set[Component]:
    """What ``manifest/NAME.xml`` lists."""
    listed = set()
    for types in read(PROJECT / "manifest" / f"{name}.xml").iterfind(tag("types")):
        kind = text(types, "name")
        listed |= {Component(kind, each) for each in texts(types, "members")}
    return listed


def read(path: Path) -> ElementTree.Element:
    """The root of an XML file of ours.

    Raises:
        ElementTree.ParseError: it is not well-formed.
    """
    return ElementTree.fromstring(path.read_bytes())


def tag(name: str) -> str:
    """As ElementTree writes names of the metadata namespace."""
    return f"{{{NAMESPACE}}}{name}"


def texts(element: ElementTree.Element, name: str) -> list[str]:
    """Of all children of that name."""
    return [each.text or "" for each in element.iterfind(tag(name))]


def text(element: ElementTree.Element, name: str) -> str:
    """Of the one child of that name.

    Raises:
        ValueError: there is none, or there are several.
    """
    (only,) = texts(element, name)
    return only
