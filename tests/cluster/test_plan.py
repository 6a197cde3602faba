"""The arithmetic of a load, told before it starts and held against one that ran."""

import pytest

import iotnb
from iotnb import cluster, sandbox
from iotnb.errors import ConfigError


def amounts(*args: object, **options: object) -> dict[str, float]:
    told = cluster.plan(*args, **options)
    assert list(told.columns) == ["quantity", "amount", "unit", "how"]
    return dict(zip(told["quantity"], told["amount"], strict=True))


def test_a_year_of_ten_thousand_devices():
    told = amounts(10_000, since="365d", every="1m", page=2000)
    assert told["measurements"] == pytest.approx(5.256e9)
    assert told["requests"] == 10_000 * 263
    assert told["JSON"] == pytest.approx(1787, rel=0.01)
    assert told["time, by latency"] == pytest.approx(10_000 * 263 * 0.05 / 8 / 3600)


def test_it_foretells_what_a_load_takes():
    clock = sandbox.Clock(frozen=True)
    with (
        sandbox.start(["cumulocity"], seed=5, devices=12, days=40, clock=clock) as running,
        iotnb.connect("cumulocity", **running["cumulocity"].connect) as client,
    ):
        ids = list(client.latest(series="c8y_Environment.temperature")["device"])[:3]
        short = client.measurements(ids, series="c8y_Environment.temperature", since="10d")
        note = short.attrs["iotnb"]
        every = short.groupby("device", observed=True)["time"].diff().dropna().dt.total_seconds().median()
        told = amounts(
            len(ids),
            since="30d",
            every=f"{every / 60:.0f}m",
            bytes_per_measurement=note["bytes"] / len(short),
        )
        whole = client.measurements(ids, series="c8y_Environment.temperature", since="30d")
    assert told["values"] == pytest.approx(len(whole), rel=0.15)  # samples are lost, devices are offline
    assert told["JSON"] * 1e9 == pytest.approx(whole.attrs["iotnb"]["bytes"], rel=0.2)
    assert whole.attrs["iotnb"]["pages"] <= 2 * told["requests"] + 8  # an idle worker cuts windows once more


def test_a_rate_may_be_what_binds():
    told = amounts(100, since="30d", every="1h", rate=2.0)
    assert told["time, by rate"] == pytest.approx(100 / 2 / 3600)


def test_nonsense_is_told():
    with pytest.raises(ConfigError, match="above zero"):
        cluster.plan(0)
    with pytest.raises(ConfigError, match="every="):
        cluster.plan(1, every="hourly")
    with pytest.raises(ConfigError, match="fixed length"):
        cluster.plan(1, every="1M")
