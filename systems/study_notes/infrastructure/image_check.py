"""Whether a found picture may and can be used: its host is allowed and public, and it answers with a picture."""

from collections.abc import Sequence
from typing import Any

import httpx2

from systems.common.web.check import WebCheck


class HttpImageCheck(WebCheck):
    """The port `ImageCheck`. `blocked_hosts` holds names that are refused together with what is below them; the rest is
    as `WebCheck` says."""

    accept = "image/*"

    def __init__(self, *, blocked_hosts: Sequence[str], **options: Any) -> None:
        super().__init__(**options)
        self._blocked = tuple(host.lower().strip(".") for host in blocked_hosts)

    def host_refusal(self, host: str) -> str | None:
        """See the base class."""
        if any(host == blocked or host.endswith(f".{blocked}") for blocked in self._blocked):
            return f"host {host} is blocked"
        return None

    def answer_refusal(self, response: httpx2.Response) -> str | None:
        """See the base class."""
        if not response.is_success:
            return f"answered {response.status_code}"
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return None if kind.startswith("image/") else f"is {kind or 'of no stated kind'}, not a picture"
