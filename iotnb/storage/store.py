"""An archive on disk, as its readers see it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from iotnb import frames, times
from iotnb.errors import ArchiveError
from iotnb.frames import Columns
from iotnb.storage import files
from iotnb.storage.identity import described
from iotnb.storage.manifest import NAME, File, Manifest
from iotnb.storage.spans import Span, without
from iotnb.times import Window

ATTEMPTS: Final = 5  # to read while another process replaces files


class Store:
    """An archive that is read; safe between threads, also while another process fills it."""

    def __init__(self, folder: Path) -> None:
        identity = described(folder)
        if identity is None or not (folder / NAME).is_file():
            raise ArchiveError(f"there is no archive in {folder}")
        self.folder, self.identity = folder, identity
        self.manifest = Manifest(folder)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the manifest."""
        self.manifest.close()

    def missing(self, device: str, window: Window) -> list[Window]:
        """What of a window has to be asked for: what never came, and what was too young to be settled."""
        left = without([as_span(window)], self.manifest.held(device, settled=True))
        return [as_window(span) for span in left]

    def lacking(self, device: str, window: Window) -> list[Window]:
        """What of a window never came."""
        return [as_window(span) for span in without([as_span(window)], self.manifest.held(device))]

    def frame(self, devices: Iterable[str] | None = None, window: Window | None = None) -> pd.DataFrame:
        """The table `measurements` of what is there, by time."""
        wanted = None if devices is None else set(devices)
        for attempt in range(ATTEMPTS):
            try:
                return frames.measurements(self.columns(wanted, window))
            except FileNotFoundError:  # replaced since it was listed
                if attempt == ATTEMPTS - 1:
                    raise ArchiveError(f"the archive {self.folder} lacks files that it names") from None
        raise AssertionError("not reached")

    def columns(self, devices: set[str] | None = None, window: Window | None = None) -> Iterator[Columns]:
        """The rows, file by file."""
        for file in self.files(devices, window):
            found = files.read(self.path(file))
            keep = np.ones(len(found), dtype=bool)
            if window is not None:
                start, end = as_span(window)
                moments = found.time.astype(np.int64)
                keep &= (moments >= start) & (moments < end)
            if devices is not None:
                known = np.array([name in devices for name in found.device.names], dtype=bool)
                keep &= known[found.device.codes]
            if keep.any():
                yield found if keep.all() else found.take(keep)

    def files(self, devices: Iterable[str] | None = None, window: Window | None = None) -> list[File]:
        """The files that may hold rows of the devices in the window."""
        found = self.manifest.files()
        if devices is not None:
            buckets = {self.bucket(device) for device in devices}
            found = [file for file in found if file.bucket in buckets]
        if window is not None:
            start, end = as_span(window)
            found = [file for file in found if file.last >= start and file.first < end]
        return found

    def paths(self) -> list[Path]:
        """The files, for other readers of Parquet."""
        return [self.path(file) for file in self.manifest.files()]

    def path(self, file: File) -> Path:
        """Where a file is; one whose writer was killed in time still has its temporary name."""
        path = self.folder / file.path
        temporary = self.folder / f"{file.path}.tmp"
        return temporary if not path.exists() and temporary.exists() else path

    def bucket(self, device: str) -> int:
        """The bucket that a device's rows are in."""
        return zlib.crc32(device.encode("utf-8", "surrogatepass")) % self.identity.buckets

    def loads(self) -> list[Mapping[str, Any]]:
        """The provenance of each load that filled it, oldest first."""
        return list(self.manifest.loads())


def as_span(window: Window) -> Span:
    """A window in microseconds."""
    return times.to_us(window.start), times.to_us(window.end)


def as_window(span: Span) -> Window:
    """Microseconds as a window."""
    return Window(*map(times.from_us, span))
