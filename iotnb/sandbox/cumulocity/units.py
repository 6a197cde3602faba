"""Units on request: `X-Cumulocity-System-Of-Units: imperial` converts values and names of units."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", float, npt.NDArray[np.float64])
_IMPERIAL: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "m": ("ft", lambda v: v / 0.3048),
    "km": ("mi", lambda v: v / 1.609344),
    "cm": ("in", lambda v: v / 2.54),
    "C": ("F", lambda v: v * 1.8 + 32),
    "degC": ("degF", lambda v: v * 1.8 + 32),
    "°C": ("°F", lambda v: v * 1.8 + 32),
    "K": ("degR", lambda v: v * 1.8),
    "g": ("oz", lambda v: v / 28.349523125),
    "kg": ("lb", lambda v: v / 0.45359237),
}


@dataclass(frozen=True, slots=True)
class Units:
    """The system of units that a request asks for; false when values stay as they are."""

    imperial: bool = False

    def __bool__(self) -> bool:
        return self.imperial

    def convert(self, unit: str, value: Number) -> tuple[str, Number]:
        """Unit and value, or an array of values, in this system."""
        if not self.imperial or unit not in _IMPERIAL:
            return unit, value
        name, change = _IMPERIAL[unit]
        return name, change(value)

    def convert_body(self, body: bytes) -> str:
        """A measurement's stored JSON with every value converted."""
        document = msgspec.json.decode(body, type=dict[str, Any])
        for fragment in document.values():
            for series in fragment.values() if isinstance(fragment, dict) else ():
                if (
                    isinstance(series, dict)
                    and isinstance(series.get("value"), int | float)
                    and "unit" in series
                ):
                    series["unit"], series["value"] = self.convert(series["unit"], series["value"])
        return msgspec.json.encode(document).decode()
