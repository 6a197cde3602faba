"""Panels for notebooks: faces over plain functions that work without them."""

from iotnb.widgets.devices import DevicePicker
from iotnb.widgets.exchanges import ExchangeView
from iotnb.widgets.leaves import SecretField
from iotnb.widgets.login import LoginPanel
from iotnb.widgets.panel import Panel
from iotnb.widgets.source import search

__all__ = ["DevicePicker", "ExchangeView", "LoginPanel", "Panel", "SecretField", "search"]
