"""The fixtures of the Cumulocity sandbox's tests; the helpers stand in conftest_c8y for import by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conftest_c8y import admin, clock, fresh, shared, still, world

__all__ = ["admin", "clock", "fresh", "shared", "still", "world"]
