"""The HTTP session under simple-salesforce: bounded in time and size, errors typed.

simple-salesforce has no time-outs, always speaks https, and on a 401 signs in again
without end. This session gives every request a time-out and a total deadline, speaks
plain http to a loopback address when told to, and raises for every status outside
2xx before simple-salesforce sees it: its own retry can never start.

One session per worker thread; it is not shared.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NewConnectionError

from gateway.crm.connector import CrmError, CrmUnavailable
from gateway.crm.salesforce.config import SalesforceConfig
from gateway.crm.salesforce.errors import ReplyLost, of_response, unreadable

DUPLICATE_OPTIONS = "includeRecordDetails=true"
ALLOW_DUPLICATE = f"allowSave=true; {DUPLICATE_OPTIONS}"
MAX_BODY_BYTES = 4 * 1024 * 1024
# A server that drips its answer resets the read time-out with each byte.
BODY_DEADLINE_S = 15.0
_CHUNK_BYTES = 64 * 1024
_USAGE = re.compile(r"(?:^|[;,\s])api-usage=([0-9]{1,12})/([0-9]{1,12})")


class SalesforceSession(requests.Session):
    """See the module. ``on_usage(used, allowed)`` is called in the worker thread."""

    def __init__(
        self, config: SalesforceConfig, on_usage: Callable[[int, int], None]
    ) -> None:
        super().__init__()
        # The environment could name a .netrc, which would replace our Authorization.
        self.trust_env = False
        self.verify = config.ca_file or True
        if config.proxy:
            self.proxies = {"http": config.proxy, "https": config.proxy}
        # Else a refusal by a duplicate rule has the ids of who is there already alone.
        self.headers["Sforce-Duplicate-Rule-Header"] = DUPLICATE_OPTIONS
        self._config = config
        self._on_usage = on_usage
        self._domain = urlsplit(config.my_domain)

    # The parameters are those of requests; more would be needed for nothing here.
    def request(  # type: ignore[override]
        self, method: str | bytes, url: str | bytes, **options: Any
    ) -> requests.Response:
        """A REST request to the organisation, and nowhere else.

        Raises:
            CrmError: for anything but a 2xx.
        """
        parts = urlsplit(url if isinstance(url, str) else url.decode())
        if parts.netloc != self._domain.netloc:
            # The token is this organisation's.
            raise ValueError("a request to another host than the organisation's")
        target = parts._replace(scheme=self._domain.scheme).geturl()
        response = self.exchange(method, target, **options)
        usage = _USAGE.search(response.headers.get("Sforce-Limit-Info", ""))
        if usage:
            self._on_usage(int(usage[1]), int(usage[2]))
        if not 200 <= response.status_code < 300 and not _is_choice(response):
            raise of_response(
                response.status_code,
                response.content,
                response.headers,
                self._config.record_url,
            )
        return response

    def exchange(
        self, method: str | bytes, url: str, **options: Any
    ) -> requests.Response:
        """Any request, any status; no redirect is followed.

        Raises:
            CrmUnavailable: no connection; ReplyLost if the request may have arrived.
        """
        config = self._config
        options.setdefault("timeout", (config.connect_timeout_s, config.read_timeout_s))
        options["allow_redirects"] = False
        error: CrmError
        try:
            return super().request(method, url, **options)
        except requests.exceptions.SSLError:
            error = CrmUnavailable(
                "Salesforce's certificate cannot be verified", code="TLS"
            )
        except requests.exceptions.ConnectTimeout:
            error = CrmUnavailable("Salesforce cannot be reached", code="TIMEOUT")
        except requests.exceptions.Timeout:
            error = ReplyLost("Salesforce does not answer in time", code="TIMEOUT")
        except requests.exceptions.RequestException as failure:
            kind = CrmUnavailable if _was_never_sent(failure) else ReplyLost
            error = kind(
                "The connection to Salesforce failed",
                code=type(failure).__name__.upper(),
            )
        # Raised out here, so that it does not carry the request and its token along.
        raise error

    def send(
        self, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        """Send, and read the whole body within its bounds."""
        options["stream"] = True
        response = super().send(request, **options)
        deadline = time.monotonic() + BODY_DEADLINE_S
        chunks: list[bytes] = []
        size = 0
        try:
            # One receive at a time: what is there, never waiting for a full chunk.
            while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
                chunks.append(chunk)
                size += len(chunk)
                if size > MAX_BODY_BYTES:
                    raise unreadable("it is too long")
                if time.monotonic() > deadline:
                    raise ReplyLost("Salesforce answers too slowly", code="TIMEOUT")
        except CrmError:
            response.close()
            raise
        except Exception as failure:  # urllib3's and the socket's, of many kinds
            response.close()
            kind = type(failure).__name__
            raise requests.exceptions.ConnectionError(kind) from None
        response._content = b"".join(chunks)
        response._content_consumed = True  # type: ignore[attr-defined]
        return response


def _was_never_sent(failure: Exception) -> bool:
    cause = failure.args[0] if failure.args else None
    return isinstance(getattr(cause, "reason", None), NewConnectionError)


def _is_choice(response: requests.Response) -> bool:
    """300 with a list of record addresses: several have the same external id."""
    if response.status_code != 300:
        return False
    try:
        value = response.json()
    except ValueError:
        return False
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, str) for item in value)
    )
