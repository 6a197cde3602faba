"""Data as they arrive: a platform tells of them by itself (`Push`), or is asked again and again.

`client.live()` gives a Live, which is iterated for its batches. Nothing is lost and nothing comes twice:
what was missed in an outage is fetched by the ordinary verbs, and what comes by two ways is told once.
"""

from iotnb.live.batches import Batch, Gap
from iotnb.live.push import Push, Wanted
from iotnb.live.watch import Live

__all__ = ["Batch", "Gap", "Live", "Push", "Wanted"]
