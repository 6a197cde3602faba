"""GUIDs: those that every run has, new ones, and how they are compared."""

from uuid import NAMESPACE_URL, UUID, uuid4, uuid5


def fixed(*parts: object) -> str:
    """A GUID that follows from some words and is the same in every run."""
    return str(uuid5(NAMESPACE_URL, f"iotnb/iotconnect/{'/'.join(map(str, parts))}")).upper()


def new_guid() -> str:
    """A GUID that was never there."""
    return str(uuid4()).upper()


def is_guid(text: str) -> bool:
    """True for the text of a GUID, in large or small letters."""
    try:
        return str(UUID(text)) == text.strip().lower()
    except ValueError:
        return False
