"""Video invites: windows of time, links, mail, and the guests who come by them.

docs/design/009-video-invites.md. Pure: ``model``, ``window``, ``text``, ``draft``,
``plan``, ``links``, ``words``, ``calendar``, ``mail``, ``views``. Around them: ``smtp``
and ``sender`` for the mail; ``board``, ``clock`` and ``service`` for the rep;
``guests``, ``admission`` and ``http`` for the guest; ``backend`` and ``assembly``.
"""
