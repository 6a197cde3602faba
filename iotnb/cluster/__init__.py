"""The same loads on a Dask cluster: the workers fetch, with one login and one rate limit for all of them.

`plan()` tells beforehand what a load will cost. The rest needs the extra `cluster`:
`pip install "iotnb[cluster]"`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from iotnb.cluster.plan import plan

if TYPE_CHECKING:
    from iotnb.cluster.lending import end
    from iotnb.cluster.partitions import measurements

__all__ = ["end", "measurements", "plan"]

# loaded when first used: without the extra the rest of iotnb works
_NAMES = {"end": "lending", "measurements": "partitions"}


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'iotnb.cluster' has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"iotnb.cluster.{_NAMES[name]}"), name)
    except ModuleNotFoundError as error:
        raise ImportError(f'iotnb.cluster lacks {error.name}: pip install "iotnb[cluster]"') from None
