"""Who somebody is: ID tokens, userinfo, the identity URL, discovery.

The claims of the ID token and the discovery document follow OpenID Connect Core 2 and
Discovery 3; which further claims and members Salesforce has is assumed (facts, 3.1).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from gateway.sandbox.salesforce.record import Record


def identity_url(own_url: str, organization_id: str, user_id: str) -> str:
    return f"{own_url}/id/{organization_id}/{user_id}"


def id_token_claims(
    user: Record,
    *,
    own_url: str,
    organization_id: str,
    audience: str,
    access_token: str,
    nonce: str,
    now: float,
    lifetime_s: float,
) -> dict[str, object]:
    """Claims of an ID token for the app ``audience``."""
    left_half = hashlib.sha256(access_token.encode()).digest()[:16]
    claims: dict[str, object] = {
        "at_hash": base64.urlsafe_b64encode(left_half).decode().rstrip("="),
        "sub": identity_url(own_url, organization_id, user.id),
        "aud": audience,
        "iss": own_url,
        "exp": int(now + lifetime_s),
        "iat": int(now),
    }
    return claims | ({"nonce": nonce} if nonce else {})


def userinfo(user: Record, *, own_url: str, organization_id: str) -> dict[str, object]:
    """The answer of ``/services/oauth2/userinfo``."""
    values = user.values
    return {
        "sub": identity_url(own_url, organization_id, user.id),
        "user_id": user.id,
        "organization_id": organization_id,
        "preferred_username": values.get("Username"),
        "nickname": values.get("Alias"),
        "name": user.display_name,
        "given_name": values.get("FirstName"),
        "family_name": values.get("LastName"),
        "email": values.get("Email"),
        "email_verified": True,
        "zoneinfo": values.get("TimeZoneSidKey"),
        "locale": values.get("LocaleSidKey"),
        "language": values.get("LocaleSidKey"),
        "phone_number": values.get("Phone"),
        "active": values.get("IsActive"),
        "user_type": "STANDARD",
        "is_app_installed": True,
        "updated_at": values.get("LastModifiedDate"),
        "urls": _urls(own_url),
    }


def identity(user: Record, *, own_url: str, organization_id: str) -> dict[str, object]:
    """The answer of the identity URL, ``/id/ORG/USER``."""
    values = user.values
    return {
        "id": identity_url(own_url, organization_id, user.id),
        "asserted_user": True,
        "user_id": user.id,
        "organization_id": organization_id,
        "username": values.get("Username"),
        "nick_name": values.get("Alias"),
        "display_name": user.display_name,
        "email": values.get("Email"),
        "email_verified": True,
        "first_name": values.get("FirstName"),
        "last_name": values.get("LastName"),
        "timezone": values.get("TimeZoneSidKey"),
        "mobile_phone": values.get("MobilePhone"),
        "mobile_phone_verified": False,
        "status": {"created_date": None, "body": None},
        "urls": _urls(own_url),
        "active": values.get("IsActive"),
        "user_type": "STANDARD",
        "language": values.get("LocaleSidKey"),
        "locale": values.get("LocaleSidKey"),
        "is_app_installed": True,
        "last_modified_date": values.get("LastModifiedDate"),
    }


def discovery(own_url: str) -> Mapping[str, object]:
    """``/.well-known/openid-configuration`` (OpenID Connect Discovery 4.2)."""
    oauth = f"{own_url}/services/oauth2"
    return {
        "issuer": own_url,
        "authorization_endpoint": f"{oauth}/authorize",
        "token_endpoint": f"{oauth}/token",
        "revocation_endpoint": f"{oauth}/revoke",
        "introspection_endpoint": f"{oauth}/introspect",
        "userinfo_endpoint": f"{oauth}/userinfo",
        "jwks_uri": f"{own_url}/id/keys",
        "scopes_supported": [
            *("openid", "profile", "email", "address", "phone"),
            *("id", "api", "web", "full", "refresh_token", "offline_access"),
        ],
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "display_values_supported": ["page", "popup", "touch"],
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "client_secret_basic",
        ],
        "claims_supported": [
            *("sub", "user_id", "organization_id", "preferred_username", "name"),
            *("given_name", "family_name", "email", "email_verified", "zoneinfo"),
            *("locale", "active", "user_type", "urls", "updated_at"),
        ],
    }


def _urls(own_url: str) -> dict[str, str]:
    rest = f"{own_url}/services/data/v{{version}}/"
    return {
        "rest": rest,
        "sobjects": f"{rest}sobjects/",
        "search": f"{rest}search/",
        "query": f"{rest}query/",
        "recent": f"{rest}recent/",
    }
