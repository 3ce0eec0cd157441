"""What the simulator believes of Salesforce without anybody having seen it.

Everything here is general knowledge, not read in a primary source and not measured in
a live organisation (the lines marked [K] of the facts). A test that passes against the
simulator is no evidence for a line of this module; whoever first has an organisation
at hand goes through it. Code that depends on a line takes it from here.

What is too long for a constant: the words of most OAuth refusals (``oauth``,
``authorize``), the shape of the identity URL's answer (``openid``), layouts
(``layouts``), how phone numbers are indexed (``config.PhoneIndexing``), the words of
refused event times (``events``), that a composite, a batch, a tree and a collection
count as one call each (``composite``).
"""

from __future__ import annotations

# -- sign-in

# The documentation allows three minutes for an assertion; the allowance for clocks
# that differ is assumed.
MAX_ASSERTION_LIFE_S = 180
CLOCK_SKEW_S = 5

# An authorization code is good once, for a quarter of an hour. A second use is refused
# and ends nothing that the first one gave.
AUTHORIZATION_CODE_LIFE_S = 900.0

# How long a person may look at the login page before it is worth nothing.
LOGIN_PAGE_LIFE_S = 600.0

# One user may have so many refresh tokens of one app; the oldest is revoked then.
MAX_GRANTS_OF_A_USER = 5

# With rotation, a refresh token that was used already takes its whole family with it.
REUSE_REVOKES_FAMILY = True

# A refresh answers with an ID token too if openid was granted.
REFRESH_GIVES_ID_TOKEN = True

# Unless the app says otherwise.
ID_TOKEN_LIFE_S = 120.0

# A token without the scope api that calls the REST API (status, code, words). That
# 401 comes with these words is in the source of jsforce.
NO_API_SCOPE = (
    401,
    "INVALID_SESSION_ID",
    "This session is not valid for use with the REST API",
)

# The identity URL and userinfo refuse in plain text.
IDENTITY_REFUSAL_STATUS = 403
BAD_TOKEN = "Bad_OAuth_Token"  # noqa: S105
MISSING_TOKEN = "Missing_OAuth_Token"  # noqa: S105
WRONG_ORG = "Wrong_Org"
BAD_ID = "Bad_Id"
MISSING_SCOPE = "Missing_OAuth_Scope"

# -- limits

# The allowance is counted over the last 24 hours, forgotten hour by hour.
USAGE_WINDOW_H = 24

# In front of an org under maintenance stands a page with this header.
MAINTENANCE_RETRY_AFTER_S = "600"

# -- rows

# The object reference does not say how long a description may be.
DESCRIPTION_LENGTH = 32_000

# One namespace of external ids for both activities is inferred: the field lies on
# Activity (facts, 3.7).
UNIQUE_TOGETHER = frozenset({"Task", "Event"})

# The code with which an activity of a lead is refused that has a WhatId too.
LEAD_WITH_WHAT_CODE = "FIELD_INTEGRITY_EXCEPTION"

# Sforce-Duplicate-Rule-Header: names without case; what is not said is this.
DUPLICATE_HEADER_DEFAULTS = {"allowsave": False, "includerecorddetails": False}

# The external id of an upsert may not be in its body as well (status, code).
KEY_IN_BODY = (400, "INVALID_FIELD")

# Permissions that are missing (status, code): for a change, and for a deletion. An
# insert is refused as if the object took none; what may not be read does not exist.
NO_EDIT = (400, "INSUFFICIENT_ACCESS_OR_READONLY")
NO_DELETE = (400, "INSUFFICIENT_ACCESS_OR_READONLY")

# A person account is written through the account: its contact refuses.
PERSON_CONTACT_IS_READ_ONLY = True

# Shared Activities: people of one activity; a WhoId that is missing in the list of
# people becomes its first, and the first of a list becomes the WhoId.
MAX_SHARED_CONTACTS = 50
