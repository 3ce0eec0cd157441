"""Video invites: windows of time, links, mail, and the guests who come by them.

docs/design/009-video-invites.md. Pure: ``model``, ``window``, ``text``, ``draft``,
``plan``, ``links``, ``words``, ``calendar``, ``mail``, ``views``. Shells: ``smtp``,
``sender``, ``service``, ``guests``, ``admission``, ``http``, ``backend``.
"""
