"""Real-time: the two endpoints that speak the Bayeux protocol in JSON arrays."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from iotnb.errors import BadAnswer, ConfigError
from iotnb.platforms.cumulocity.api.chapter import JSON, Chapter, Documents

ENDPOINTS = ("/notification/realtime", "/notification/operations")


class Realtime(Chapter):
    """`/notification/realtime` (all stores) and `/notification/operations` (new operations for an agent).

    The protocol itself, with its conversation and its threads, is in `iotnb.platforms.cumulocity.realtime`.
    """

    def send(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        endpoint: str = "/notification/realtime",
        timeout: tuple[float, float] | None = None,
        stop: threading.Event | None = None,
        paced: bool = True,
    ) -> Documents:
        """Posts Bayeux messages and gives back the messages of the answer.

        A `/meta/connect` is held open by the server until there is news: give a `timeout` (connect, read) in
        seconds that is longer than its hold time, and `paced=False` so that it holds up no other request.
        """
        if endpoint not in ENDPOINTS:
            raise ConfigError(f"no real-time endpoint {endpoint!r}: use one of {', '.join(ENDPOINTS)}")
        headers = {"Accept": JSON, "Content-Type": JSON}
        body = [dict(message) for message in messages]
        answer = self._session.post(
            endpoint, json=body, headers=headers, timeout=timeout, stop=stop, paced=paced
        )
        found = answer.json()
        replies = found if isinstance(found, list) else [found]
        if not all(isinstance(reply, dict) for reply in replies):
            raise BadAnswer(f"POST {endpoint}: expected a list of messages")
        return replies
