"""Archives of measurements on disk: a partitioned Parquet dataset with a manifest.

Below the client, which fills them; `iotnb.archive` is how people open them. A file is written under a
temporary name, then named in the manifest, then given its own name: whatever ends the process, the manifest
tells what is there, and the next writer finishes or takes away the rest.
"""

from iotnb.storage.identity import LATE, Identity, Target, buckets, described
from iotnb.storage.store import Store
from iotnb.storage.writer import Writer, writing

__all__ = ["LATE", "Identity", "Store", "Target", "Writer", "buckets", "described", "writing"]
