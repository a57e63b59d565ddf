"""The versions of 360Learning's API."""

from __future__ import annotations

from typing import Literal

ApiVersion = Literal["v1", "v2"]
# Values that were stored before there were two versions belong to this one.
FIRST_VERSION: ApiVersion = "v1"
