"""What the measurement explorer looks like: its form, and what the form says."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as ipw

from iotnb import times
from iotnb.errors import ConfigError
from iotnb.widgets.explorer_plot import zone_of
from iotnb.widgets.leaves import ExplorerLeaf
from iotnb.widgets.loads import LoadingPanel

if TYPE_CHECKING:
    from iotnb.client import Client

RANGES: Final = {"1 h": "1h", "24 h": "24h", "7 d": "7d", "30 d": "30d"}
CUSTOM: Final = "Custom"
AGGREGATES: Final = [
    ("Raw values", ""), ("1 minute", "1m"), ("15 minutes", "15m"), ("1 hour", "1h"), ("1 day", "1d"),
]  # fmt: skip
FUNCTIONS: Final = ("mean", "min", "max", "sum", "count", "std")
OVERLAYS: Final = {"alarms": "Alarms", "events": "Events", "operations": "Operations"}
ZONES: Final = (
    "UTC", "Europe/Berlin", "Europe/Lisbon", "Europe/London", "Europe/Athens", "Europe/Istanbul",
    "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Sao_Paulo",
    "Asia/Dubai", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney",
)  # fmt: skip


class ExplorerView(LoadingPanel):
    """The widgets of the explorer; `MeasurementExplorer` gives them their behaviour."""

    title = "Measurement explorer"
    noun, nouns = "value", "values"

    def __init__(self, client: Client, *, zone: str) -> None:
        zone_of(zone)
        super().__init__(client, css="iotnb-explorer", form=True)
        self.client = client
        self.ranges = {name: ipw.ToggleButton(description=name) for name in (*RANGES, CUSTOM)}
        self.ranges["24 h"].value = True
        self.zone = ipw.Combobox(description="Time zone", options=ZONES, value=zone, continuous_update=False)
        self.start = ipw.NaiveDatetimePicker(description="From")
        self.end = ipw.NaiveDatetimePicker(description="To")
        self.aggregate = ipw.Dropdown(description="Values", options=AGGREGATES)
        self.function = ipw.Dropdown(description="Reduced by", options=FUNCTIONS, disabled=True)
        self.overlays = {
            verb: ipw.Checkbox(description=label, indent=False)
            for verb, label in OVERLAYS.items()
            if verb in client.supports
        }
        self.load_button = ipw.Button(description="Load", button_style="primary")
        self.cancel_button = ipw.Button(description="Cancel", disabled=True)
        self.estimate = ipw.HTML().add_class("iotnb-estimate")
        self.leaf = ExplorerLeaf(layout=self.plain)
        self._arrange()

    def _arrange(self) -> None:
        for field in (self.zone, self.start, self.end, self.aggregate, self.function):
            field.add_class("iotnb-field")
        for box in self.overlays.values():
            box.add_class("iotnb-switch")
        self.zone.layout.width = "150px"
        self.function.layout.width = "112px"
        self.aggregate.layout.width = "130px"
        self.custom = ipw.Box([self.start, self.end], layout={"display": "none"}).add_class("iotnb-form")
        ranges = _labelled("Time", ipw.Box(list(self.ranges.values())).add_class("iotnb-ranges"))
        parts = [ranges, self.zone, self.aggregate, self.function]
        if self.overlays:
            parts.append(_labelled("Mark", ipw.Box(list(self.overlays.values())).add_class("iotnb-checks")))
        form = ipw.Box(parts).add_class("iotnb-form")
        actions = ipw.Box([self.custom, self.load_button, self.cancel_button, self.estimate])
        for name, button in self.ranges.items():
            button.observe(self.handler(self._chooser(name)), "value")
        self.aggregate.observe(self.handler(self._reduce), "value")
        self.compose(form, actions.add_class("iotnb-form"), self.leaf)

    def _chooser(self, name: str) -> Callable[[Any], None]:
        """One range is chosen at a time; the chosen one stays so when it is pressed again."""

        def choose(change: Any) -> None:
            others = [button for other, button in self.ranges.items() if other != name]
            if change["new"]:
                for button in others:
                    button.value = False
                self.custom.layout.display = "" if name == CUSTOM else "none"
                if name == CUSTOM and self.start.value is None:
                    self._prefill()
            elif not any(button.value for button in others):
                self.ranges[name].value = True

        return choose

    def _prefill(self) -> None:
        now = times.now().astimezone(self.tz).replace(tzinfo=None, second=0, microsecond=0)
        self.start.value, self.end.value = now.replace(hour=0, minute=0), now

    def _reduce(self, _: Any) -> None:
        self.function.disabled = not self.aggregate.value

    @property
    def tz(self) -> tzinfo:
        """The chosen time zone; ConfigError for an unknown one."""
        return zone_of(self.zone_name)

    @property
    def zone_name(self) -> str:
        """What stands in the field of the time zone; UTC when nothing does."""
        return str(self.zone.value).strip() or "UTC"

    @property
    def window(self) -> tuple[str, str | None]:
        """The chosen range as `since` and `until` of the verbs; ConfigError for one that cannot be."""
        chosen = next(name for name, button in self.ranges.items() if button.value)
        if chosen != CUSTOM:
            return RANGES[chosen], None
        moments = []
        for field in (self.start, self.end):
            if field.value is None:
                raise ConfigError(f"{field.description} is missing: give a day and a time")
            moments.append(moment_in(field.value, self.tz, name=self.zone_name))
        span = times.window(*moments)
        return times.to_wire(span.start), times.to_wire(span.end)

    def reduction(self) -> dict[str, str]:
        """The arguments of `measurements` that reduce; none for raw values."""
        if not self.aggregate.value:
            return {}
        return {"aggregate": str(self.aggregate.value), "function": str(self.function.value)}

    def greet(self) -> None:
        """The status line before anything is loaded: where, and what the platform does not have."""
        client = self.client
        text = f"{client.title} at {client.host}."
        if lacking := [verb for verb in OVERLAYS if verb not in client.supports]:
            text += f" {client.title} has no {' and no '.join(lacking)} to mark."
        self.say("idle", "Ready", text)

    def guess(self, text: str, *, problem: bool = False) -> None:
        """Writes what stands beside the Load button."""
        value = f'<span class="iotnb-problem">{html.escape(text)}</span>' if problem else html.escape(text)
        if self.estimate.value != value:
            self.estimate.value = value


def _labelled(text: str, box: ipw.Box) -> ipw.VBox:
    return ipw.VBox([ipw.HTML(f'<span class="iotnb-label">{text}</span>'), box]).add_class("iotnb-group")


def moment_in(local: datetime, zone: tzinfo, *, name: str) -> datetime:
    """A local time as UTC; ConfigError for one that the clocks skip, the first of two where they repeat."""
    moment = local.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != local:
        raise ConfigError(f"{local} does not exist in {name}: the clocks are put forward there then")
    return moment
