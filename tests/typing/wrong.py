"""A module whose types are wrong in known places, each marked with what mypy says of it."""

from __future__ import annotations

from backy2_core import api

nothing = api.nothing_of_the_kind  # [attr-defined]
capabilities = api.DataCapabilities(thread=3)  # [call-arg]
uid: api.BlobUid = "text"  # [assignment]
extent = api.Extent("0", 4096)  # [arg-type]
source = api.Source()  # [abstract]
