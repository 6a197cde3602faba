"""Panels for notebooks: faces over plain functions that work without them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iotnb.widgets.devices import DevicePicker
    from iotnb.widgets.exchanges import ExchangeView
    from iotnb.widgets.explorer import MeasurementExplorer
    from iotnb.widgets.explorer_plot import SeriesPlot
    from iotnb.widgets.leaves import SecretField
    from iotnb.widgets.live import LiveView
    from iotnb.widgets.login import LoginPanel
    from iotnb.widgets.operations import OperationTimeline
    from iotnb.widgets.panel import Panel
    from iotnb.widgets.source import search
    from iotnb.widgets.workbench import Workbench

__all__ = [
    "DevicePicker",
    "ExchangeView",
    "LiveView",
    "LoginPanel",
    "MeasurementExplorer",
    "OperationTimeline",
    "Panel",
    "SecretField",
    "SeriesPlot",
    "Workbench",
    "search",
]

# each is loaded when first used: the login panel needs no pandas, and a person waits for it
_WHERE = {
    "DevicePicker": "devices",
    "ExchangeView": "exchanges",
    "LiveView": "live",
    "LoginPanel": "login",
    "MeasurementExplorer": "explorer",
    "OperationTimeline": "operations",
    "Panel": "panel",
    "SecretField": "leaves",
    "SeriesPlot": "explorer_plot",
    "Workbench": "workbench",
    "search": "source",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"iotnb.widgets.{_WHERE[name]}"), name)
