"""The tree of entities: those that every run has, with what users changed."""

from iotnb.sandbox.iotconnect.company import SEEDED, Entity
from iotnb.sandbox.iotconnect.kept import Kept
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.wire import conflict

_KEPT = Kept("entity", Entity, lambda _: SEEDED)
entities, entity, keep, drop = _KEPT.all, _KEPT.get, _KEPT.keep, _KEPT.drop


def below(platform: Platform, guid: str) -> set[str]:
    """An entity's GUID and those of all below it, in small letters."""
    everything = entities(platform).values()
    found = {guid.lower()}
    while True:
        more = {one.guid.lower() for one in everything if (one.parent or "").lower() in found} - found
        if not more:
            return found
        found |= more


def known_entity(platform: Platform, guid: str, param: str = "entityGuid") -> Entity:
    """The entity with a GUID; 409."""
    found = entity(platform, guid)
    if found is None:
        raise conflict(param, f"There is no entity {guid}.")
    return found
