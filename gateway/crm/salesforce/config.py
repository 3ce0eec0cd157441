"""What a tenant's Salesforce organisation needs to be known by."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gateway.crm.salesforce.assumptions import DEFAULT_API_VERSION, DEFAULT_KEY_FIELD

_API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}\Z")
_VERSION = re.compile(r"[0-9]{2,3}\.0\Z")


@dataclass(frozen=True, slots=True)
class SalesforceConfig:
    """One organisation.

    Attributes:
        tenant: whose it is; users of another are refused.
        my_domain: where REST calls go, ``https://acme.my.salesforce.com``. Plain http
            only to a loopback address.
        lightning: where people open records; "" means ``my_domain``.
        login_url: audience of the sign-in assertion, ``https://test.salesforce.com``
            for sandboxes.
        token_url: where it is sent; "" means ``login_url`` + the standard path.
        consumer_key, private_key: of the connected app; the key as PEM (RSA).
        integration_username: everything runs as this user; "" means as each rep.
        key_field: API name of the external id field on Activity.
        disposition_field: API name of a picklist that takes the rep's disposition
            besides CallDisposition, "" for none.
        country: of numbers that are stored without one, ISO 3166 alpha-2.
        ca_file: certificates to trust instead of the public ones, "" for those.
        proxy: URL of a forward proxy, "" for none; the environment is not asked.
        workers: threads, and so requests at one time; background work uses half.
    """

    tenant: str
    my_domain: str
    consumer_key: str
    private_key: str = field(repr=False)
    lightning: str = ""
    login_url: str = "https://login.salesforce.com"
    token_url: str = ""
    integration_username: str = ""
    key_field: str = DEFAULT_KEY_FIELD
    disposition_field: str = ""
    api_version: str = DEFAULT_API_VERSION
    country: str = "US"
    ca_file: str = ""
    proxy: str = field(default="", repr=False)
    workers: int = 4
    max_waiting: int = 64
    connect_timeout_s: float = 3.0
    read_timeout_s: float = 10.0
    token_lifetime_s: float = 3600.0

    def __post_init__(self) -> None:
        for name in ("my_domain", "login_url", "token_url", "lightning"):
            value = getattr(self, name)
            if value or name not in ("token_url", "lightning"):
                _check_url(name, value)
        if not is_api_name(self.key_field):
            raise ValueError("key_field is no API name of a field")
        if self.disposition_field and not _API_NAME.match(self.disposition_field):
            raise ValueError("disposition_field is no API name of a field")
        if not _VERSION.match(self.api_version):
            raise ValueError("api_version must look like 66.0")
        if self.workers < 1:
            raise ValueError("workers must be at least 1")

    @property
    def token_endpoint(self) -> str:
        base = self.login_url.rstrip("/") + "/services/oauth2/token"
        return self.token_url or base

    def record_url(self, kind: str, record_id: str) -> str:
        """Opens the record for a signed-in user."""
        base = (self.lightning or self.my_domain).rstrip("/")
        return f"{base}/lightning/r/{kind}/{record_id}/view"


def is_api_name(text: str) -> bool:
    """Whether it can be the name of an object or field."""
    return _API_NAME.match(text) is not None


def _check_url(name: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ValueError(f"{name} must be an https URL")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{name} must be an https URL")
    if parts.username or parts.password:
        raise ValueError(f"{name} must not contain a password")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
