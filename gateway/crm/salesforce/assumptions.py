"""What we believe of Salesforce without having seen it in a live organisation.

No live organisation was reachable while this was written; the simulator shows that
we do what we mean, not that Salesforce agrees. Whoever first connects a real one
goes through this list; everything that depends on an item takes it from here.
"""

from __future__ import annotations

# Spring '26; the version must be 46 or later for upsert to answer 200 with a body.
DEFAULT_API_VERSION = "66.0"

# A text field on Activity, External ID and Unique. That REST upserts Tasks by it is
# documented for custom fields in general, and not for Activity in particular.
DEFAULT_KEY_FIELD = "Ringbridge_Key__c"

# TaskSubtype can be set when a Task is created and is refused in an update with
# INVALID_FIELD_FOR_INSERT_UPDATE; an upsert that finds the Task is such an update.
CREATE_ONLY_FIELD = "TaskSubtype"

# A Task or Event of a Lead has no WhatId.
LEAD_PREFIX = "00Q"
ACCOUNT_PREFIX = "001"
CONTACT_PREFIX = "003"

# With Shared Activities an activity has this list of up to so many contacts; its WhoId
# is the first of them. That the list is there is how we know (it cannot be read back).
SHARED_FIELD = "TaskWhoIds"
MAX_SHARED_CONTACTS = 50

# What a Task may be about is what its WhatId may refer to. Custom objects without
# "Allow Activities" are believed to be left out there.
# A description is asked for anew after so long; administrators change little.
DESCRIBED_FOR_S = 3600.0

# A Task that is changed by its Id with If-Unmodified-Since is refused with 412 when it
# was changed after that second; documented, and not seen.
PRECONDITION_STATUS = 412

# Longest values that the fields take (the object reference names 255; 32,000 is
# folklore).
MAX_SHORT_TEXT = 255
MAX_DESCRIPTION = 32_000

# Events. That REST upserts them by a field of Activity is as unproven as for Tasks;
# that an update with both times settles the duration is how the object reference reads.
# ShowAs is a picklist there; an administrator may have changed its values.
SHOW_AS_BUSY = "Busy"
SHOW_AS_FREE = "Free"
# Where multiday events are not enabled, longer ones are refused with
# FIELD_INTEGRITY_EXCEPTION ("Duration must be between 0 and 1440 minutes").
MAX_EVENT_S = 1440 * 60

# An Email field takes so much; NAME FIELDS and EMAIL FIELDS are searched for words by
# their beginnings, of two characters and more.
MAX_EMAIL = 80
MIN_SEARCH_WORD = 2
MAX_SEARCH_WORDS = 8

# Fields searched for a caller's number. Any of them may be hidden from a user, which
# fails the whole search with INVALID_FIELD; then only the basic ones are asked for.
CONTACT_PHONES = ("Phone", "MobilePhone", "HomePhone", "OtherPhone")
LEAD_PHONES = ("Phone", "MobilePhone")
ACCOUNT_PHONES = ("Phone",)
BASIC_PHONES = ("Phone",)
MAX_ROWS_PER_OBJECT = 25

# Person accounts, where the organisation has them (the fields exist then, and no
# administrator can hide the first two): an account and a contact in one. Searches find
# either or both; activities name the contact, pages open the account.
PERSON_CONTACT_FIELDS = ("IsPersonAccount", "AccountId")
PERSON_ACCOUNT_FIELDS = ("IsPersonAccount", "PersonContactId")
PERSON_ACCOUNT_PHONES = ("PersonMobilePhone", "PersonHomePhone")
PERSON_EMAIL = "PersonEmail"

# Cases are numbered so by default; callers leave the zeros out.
CASE_NUMBER_DIGITS = 8

# What an activity may be related to besides a person, until the organisation has said
# (Task.WhatId.referenceTo); every one of these is there in any edition.
STANDARD_ABOUT = frozenset(
    {"Account", "Opportunity", "Case", "Campaign", "Contract", "Asset", "Order"}
)
# An object that takes no activities is refused with this, naming one of these.
NOT_ABOUT_CODE = "FIELD_INTEGRITY_EXCEPTION"
NOT_ABOUT_NAMES = ("WhatId", "Related To")

# The search index lags behind a create; how long is not said anywhere.
INDEX_LAG_S = 900.0

# A token's life is the organisation's session time-out (at least 15 minutes, 2 hours
# by default) and not told; one that is refused is renewed in any case.
ASSERTION_LIFETIME_S = 120.0

# REQUEST_LIMIT_EXCEEDED stands for the daily allowance (a rolling 24 hours) and, with
# this word in its message, for too many requests at one time.
CONCURRENCY_WORD = "concurrent"
LIMIT_PAUSE_S = 900.0
CONCURRENCY_PAUSE_S = 5.0

# Share of the allowance from which work that can wait does wait.
USAGE_RESERVE = 0.9
# A reading of the usage says nothing about a quarter of an hour later.
USAGE_READING_S = 900.0
