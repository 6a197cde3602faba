"""Connections beside devices: what a product says of its SIM, and which SIM belongs to which node."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from iotnb.platforms.tiothub import names
from iotnb.platforms.tiothub.api.products import parts

Row = dict[str, Any]

JOINED, IMEI_DIFFERS, TWICE = "joined", "IMEI differs", "ICCID on several nodes"
NO_SIM, UNKNOWN_SIM, ORPHAN = "no SIM", "SIM not found", "SIM without node"
SAME_IMEI = 14  # digits: CMO may print an IMEISV, whose last ones are another thing
COLUMNS = (
    "iccid", "imei", "imsi", "msisdn", "sim", "sim_status", "sim_card_status", "tariff", "usage_kb", "join",
)  # fmt: skip
"""Columns of `client.devices()` behind the core ones."""

_ICCID = re.compile(r"\d{18,22}")


def sim(product: Mapping[str, Any]) -> Row:
    """A product as one flat row; identifiers are text, what is empty or missing is None.

    Keys: sim (id), backend, connection, status (of the bundle), card_status, iccid, imei, imsi, msisdn,
    serial, tariff, customer, activated, updated, usage_kb, usage_from, usage_to. Names of characteristics
    are compared without case, since the backends differ in it.
    """
    card = next((each for each in parts(product) if each.get("@type") in {"simCard", "terminal"}), {})
    facts = {**_characteristics(product), **_characteristics(card)}
    name = _text(product.get("id"))
    backend, _, rest = (name or "").partition("-")
    counters = [counter for part in parts(product) for counter in _counters(part)]
    start = [at for counter in counters if (at := _period(counter, "startDateTime"))]
    end = [at for counter in counters if (at := _period(counter, "endDateTime"))]
    parties = product.get("relatedParty")
    amounts = [found for counter in counters if (found := _kilobytes(counter)) is not None]
    return {
        "sim": name,
        "backend": facts.get("system") or backend or None,
        "connection": _text(product.get("connectivityType")),
        "status": _text(product.get("status")),
        "card_status": _text(card.get("status")),
        "iccid": facts.get("iccid") or (rest if _ICCID.fullmatch(rest) else None),
        "imei": facts.get("imei"),
        "imsi": facts.get("imsi"),
        "msisdn": facts.get("msisdn"),
        "serial": facts.get("serialnumber"),
        "tariff": _text(_mapping(product.get("productOffering")).get("name")),
        "customer": _text(_mapping(parties[0]).get("name"))
        if isinstance(parties, list) and parties
        else None,
        "activated": facts.get("dateactivated"),
        "updated": facts.get("dateupdated") or facts.get("lastupdated"),
        "usage_kb": sum(amounts) if amounts else None,
        "usage_from": min(start, default=None),
        "usage_to": max(end, default=None),
    }


def whole(product: Mapping[str, Any]) -> bool:
    """Whether a product of a list holds its parts; a list may give a few fields only."""
    return isinstance(product.get("productRelationship"), list)


def iccid_of(node: Mapping[str, Any]) -> str | None:
    """The ICCID of a node's label, as text."""
    return _label(node, "iccid")


def imei_of(node: Mapping[str, Any]) -> str | None:
    """The IMEI in a node's network identity (`urn:gsma:imei:...`)."""
    text = str(node.get("ni") or "")
    prefix, _, number = text.rpartition(":")
    return number if prefix.lower().endswith("imei") and number else None


def by_iccid(rows: Iterable[Row]) -> dict[str, Row]:
    """SIM rows by ICCID."""
    return {row["iccid"]: row for row in rows if row.get("iccid")}


def verdict(node: Mapping[str, Any], row: Row | None, nodes_with_it: int) -> str:
    """How a node and its SIM go together: one of the words of this module."""
    number = iccid_of(node)
    if not number:
        return NO_SIM
    if nodes_with_it > 1:
        return TWICE
    if row is None:
        return UNKNOWN_SIM
    mine, theirs = imei_of(node), row.get("imei")
    if mine and theirs and mine[:SAME_IMEI] != theirs[:SAME_IMEI]:
        return IMEI_DIFFERS
    return JOINED


def beside(document: Mapping[str, Any]) -> Row:
    """The columns of COLUMNS for one device document."""
    row = _mapping(document.get("sim"))
    node = _mapping(document.get("node"))
    return {
        "iccid": row.get("iccid") or iccid_of(node),
        "imei": imei_of(node) or row.get("imei"),
        "imsi": row.get("imsi"),
        "msisdn": row.get("msisdn"),
        "sim": row.get("sim"),
        "sim_status": row.get("status"),
        "sim_card_status": row.get("card_status"),
        "tariff": row.get("tariff"),
        "usage_kb": row.get("usage_kb"),
        "join": document.get("join"),
    }


def _characteristics(part: Mapping[str, Any]) -> dict[str, str]:
    """Characteristics by name in lower case; empty text means absent."""
    listed = part.get("productCharacteristic")
    found: dict[str, str] = {}
    for each in listed if isinstance(listed, Sequence) and not isinstance(listed, str) else ():
        if isinstance(each, Mapping) and (value := _text(each.get("value"))):
            found[str(each.get("name", "")).lower()] = value
    return found


def _counters(part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if part.get("@type") != "usageVolume":
        return []
    listed = part.get("bucketCounter")
    return [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []


def _kilobytes(counter: Mapping[str, Any]) -> float | None:
    value = _mapping(counter.get("value"))
    try:
        amount = float(value["amount"])
    except (KeyError, TypeError, ValueError):
        return None
    factor = {"KB": 1.0, "B": 1 / 1024, "MB": 1024.0, "GB": 1024.0**2}.get(
        str(value.get("units", "KB")).upper()
    )
    return None if factor is None or counter.get("counterType", "USED") != "USED" else amount * factor


def _period(counter: Mapping[str, Any], name: str) -> str | None:
    return _text(_mapping(counter.get("consumptionPeriod")).get(name))


def _label(node: Mapping[str, Any], wanted: str) -> str | None:
    found = names.labels(node.get("lbl"))
    return next((value for key, value in found.items() if key.lower() == wanted and value), None)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") and not isinstance(value, Mapping | list) else None
