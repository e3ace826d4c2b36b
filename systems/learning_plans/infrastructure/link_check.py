"""Whether a page of documentation is there, where only allowed sites are asked."""

from collections.abc import Sequence
from typing import Any

import httpx2

from systems.common.web.check import WebCheck
from systems.learning_plans.domain.doc_sites import site_of


class LinkCheck(WebCheck):
    """`HEAD` must answer 2xx; a redirect is followed where it stays on the allowed `domains`. The rest is as `WebCheck`
    says: 5 s, public addresses only, three redirects."""

    method = "HEAD"

    def __init__(self, domains: Sequence[str], **options: Any) -> None:
        super().__init__(**options)
        self._domains = domains

    def host_refusal(self, host: str) -> str | None:
        """See the base class."""
        return None if site_of(host, self._domains) else f"host {host} is not on the list"

    def answer_refusal(self, response: httpx2.Response) -> str | None:
        """See the base class."""
        return None if response.is_success else f"answered {response.status_code}"
