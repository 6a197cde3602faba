"""What a platform tells about itself, and the hooks behind the verbs, with what they are by default."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeVar

from iotnb import loading, times
from iotnb.auth import Field, Method
from iotnb.errors import Unsupported
from iotnb.live import Push, Wanted
from iotnb.loading import Load

VERBS = ("devices", "series", "latest", "measurements", "operations", "events", "alarms")

Documents = Iterator[list[dict[str, Any]]]
Page = TypeVar("Page")


class Rows(Protocol):
    """A platform's `rows` module: pure functions from its JSON to the rows of our tables."""

    def device(self, document: Mapping[str, Any], /) -> dict[str, Any]: ...  # noqa: D102
    def operation(self, document: Mapping[str, Any], /) -> dict[str, Any]: ...  # noqa: D102
    def event(self, document: Mapping[str, Any], /) -> dict[str, Any]: ...  # noqa: D102
    def alarm(self, document: Mapping[str, Any], /) -> dict[str, Any]: ...  # noqa: D102


class Hooks(abc.ABC):
    """What differs between platforms."""

    platform: ClassVar[str]
    title: ClassVar[str]
    FIELDS: ClassVar[tuple[Field, ...]]
    METHODS: ClassVar[tuple[Method, ...]]
    supports: ClassVar[frozenset[str]]
    rows: ClassVar[Rows]
    windowed: ClassVar[bool] = True
    """Whether the platform can be asked for the measurements of a span; otherwise it sends all it has."""

    def _devices(self, load: Load, *, text: str | None, type: str | None, query: str | None) -> Documents:  # noqa: A002
        """Pages of the platform's device documents."""
        raise self._unsupported()

    def _expanded(self, load: Load, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The documents for `expand=True`, with what the platform keeps of a device in another place."""
        return documents

    def _series(self, load: Load, device: str) -> list[dict[str, Any]]:
        """Rows of the series table for one device."""
        raise self._unsupported()

    def _latest(self, load: Load, device: str, series: list[str] | None) -> list[dict[str, Any]]:
        """Rows of the latest table for one device; `age` is filled in by the caller."""
        raise self._unsupported()

    def _reduces(
        self,
        load: Load,
        sources: Sequence[str],
        *,
        series: list[str] | None,
        aggregate: times.Interval,
        function: str,
        window: times.Window,
    ) -> bool:
        """Whether the server reduces this; if not, `_reader` is asked for all values without `aggregate`."""
        return False

    def _reader(
        self,
        load: Load,
        sources: Sequence[str],
        *,
        series: list[str] | None,
        aggregate: times.Interval | None,
        function: str,
        window: times.Window,
    ) -> loading.Reader | loading.Whole:
        """How this platform's measurements are read; `aggregate` only where `_reduces` has said yes."""
        raise self._unsupported()

    def _parts(self, reader: loading.Reader, sources: Sequence[str]) -> Sequence[str]:
        """What the reader reads one by one: the devices, unless the platform answers for many at once."""
        return sources

    def _operations(
        self, load: Load, device: str | None, window: times.Window, status: str | None
    ) -> Documents:
        """Pages of operation documents of one device, or of all; created in the window, oldest first."""
        raise self._unsupported()

    def _events(self, load: Load, device: str | None, window: times.Window, type: str | None) -> Documents:  # noqa: A002
        """Pages of event documents of one device, or of all."""
        raise self._unsupported()

    def _alarms(self, load: Load, device: str | None, window: times.Window, type: str | None) -> Documents:  # noqa: A002
        """Pages of alarm documents of one device, or of all."""
        raise self._unsupported()

    def _live(self, wanted: Wanted) -> Push | None:
        """How the platform tells of new data by itself; None where it has to be asked."""
        return None

    def _logout(self) -> None:  # noqa: B027  # not every platform can
        """Ends the login on the server, where the platform can."""

    # -- what a platform may refine: it checks that the devices are there --------------------------------

    def _pages(
        self, load: Load, ids: list[str] | None, read: Callable[[str | None], Iterator[Page]]
    ) -> list[Page]:
        """Pages as they come: device by device at once, or in a single walk over all of them."""
        if ids is None:
            return loading.each([""], lambda _: read(None), load)
        return loading.each(ids, read, load)

    def _identifiers(self, load: Load, ids: list[str] | None) -> list[str]:
        """The devices that a verb was asked for; None means all that the server has."""
        if ids is not None:
            return ids
        pages = self._pages(load, None, lambda _: self._devices(load, text=None, type=None, query=None))
        return [str(self.rows.device(document)["device"]) for page in pages for document in page]

    def _unsupported(self, verb: str = "such table") -> Unsupported:
        has = ", ".join(each for each in VERBS if each in self.supports)
        return Unsupported(f"{self.title} has no {verb}; it has {has}")
