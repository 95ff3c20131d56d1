"""Pushing the figures to a push gateway, where they replace those that this host pushed before."""

from __future__ import annotations

import socket
from collections.abc import Callable

from prometheus_client import push_to_gateway
from prometheus_client.exposition import basic_auth_handler, default_handler

from backy2_core.api import ConfigError, Secret
from backy2_prometheus.series import Series

Handler = Callable[[str, str, float | None, list[tuple[str, str]], bytes], Callable[[], None]]


class Gateway:
    """A push gateway at ``url``. All figures are one group there, with the labels ``job`` and ``instance``."""

    def __init__(
        self, url: str, job: str, instance: str, *, user: str, password: Secret | None, timeout_s: float
    ) -> None:
        if "@" in url.partition("//")[2].partition("/")[0]:
            raise ConfigError("push_url of the listener prometheus holds a user; use push_user and push_password")
        self.url = url
        self._job = job
        self._instance = instance or socket.gethostname()
        self._user = user
        self._password = password
        self._timeout_s = timeout_s

    def push(self, series: Series) -> None:
        """Replace the group by these figures. Raises OSError."""
        push_to_gateway(
            self.url,
            self._job,
            series.registry(),
            grouping_key={"instance": self._instance},
            timeout=self._timeout_s,
            handler=self._handler() if self._user else default_handler,
        )

    def _handler(self) -> Handler:
        def authorised(
            url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes
        ) -> Callable[[], None]:
            password = self._password.reveal() if self._password is not None else ""
            return basic_auth_handler(url, method, timeout, headers, data, self._user, password)

        return authorised
