"""Cumulocity: its client, its REST API, real-time notifications and the life of a device."""

from __future__ import annotations

from iotnb.platforms.cumulocity.client import Cumulocity
from iotnb.platforms.cumulocity.device import LATER, Device
from iotnb.platforms.cumulocity.realtime import Notice, Notifications

__all__ = ["LATER", "Cumulocity", "Device", "Notice", "Notifications"]
