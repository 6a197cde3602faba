"""The addresses of the three hosts, in every form in which documents print them."""

import pytest

from iotnb.errors import ConfigError
from iotnb.platforms.tiothub import address
from iotnb.platforms.tiothub.address import CMO, DMO, Api

OLD = "https://myiot-t.com/api-gw"


@pytest.mark.parametrize(
    ("given", "tenant", "root", "found"),
    [
        (
            f"{OLD}/device-management-orchestrator/v3/eos",
            "",
            f"{OLD}/device-management-orchestrator/v3",
            "eos",
        ),
        (
            f"{OLD}/device-management-orchestrator/v3",
            "eos",
            f"{OLD}/device-management-orchestrator/v3",
            "eos",
        ),
        (f"{OLD}/device-management-orchestrator/eos", "", f"{OLD}/device-management-orchestrator", "eos"),
        ("https://myiot-t.com", "eos", f"{OLD}/device-management-orchestrator/v3", "eos"),
        (
            "https://hub.example.com/x",
            "eos",
            "https://hub.example.com/x/device-management-orchestrator/v3",
            "eos",
        ),
        (
            "https://qa.example.com/bond/t-iot-hub/device-management-orchestrator/v3/acme",
            "acme",
            "https://qa.example.com/bond/t-iot-hub/device-management-orchestrator/v3",
            "acme",
        ),
    ],
)
def test_dmo_is_found(given: str, tenant: str, root: str, found: str) -> None:
    checked = address.checked(given, name="dmo_url")
    assert address.api(checked, tenant, part=DMO, name="dmo_url") == Api(root, found)


def test_cmo_is_found_without_its_version() -> None:
    link = f"{OLD}/connection-management-orchestrator/eos"
    assert address.api(link, "", part=CMO, name="cmo_url") == Api(
        f"{OLD}/connection-management-orchestrator", "eos"
    )
    made = address.api(OLD, "eos", part=CMO, name="cmo_url")
    assert made is not None
    assert made.url == f"{OLD}/connection-management-orchestrator/v5/eos"


def test_a_standard_server_ends_in_the_name_of_its_base() -> None:
    found = address.api("http://localhost:8080/cse-in", "", part=DMO, name="dmo_url", whole=True)
    assert found == Api("http://localhost:8080", "cse-in")


def test_nothing_says_which_tenant() -> None:
    assert address.api(f"{OLD}/device-management-orchestrator/v3", "", part=DMO, name="dmo_url") is None


def test_two_tenants_contradict_each_other() -> None:
    with pytest.raises(ConfigError, match=r"'eos'.*'other'"):
        address.api(f"{OLD}/device-management-orchestrator/v3/eos", "other", part=DMO, name="dmo_url")
    with pytest.raises(ConfigError, match="one word"):
        address.api(OLD, "a/b", part=DMO, name="dmo_url")


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("hub.example.com/", "https://hub.example.com"),
        ("https://hub.example.com/a/b/?x=1", "https://hub.example.com/a/b"),
        ("localhost:80/a//b", "http://localhost:80/a/b"),
    ],
)
def test_the_path_of_an_address_is_kept(given: str, made: str) -> None:
    assert address.checked(given, name="dmo_url") == made


def test_a_wrong_address_is_named_with_its_field() -> None:
    with pytest.raises(ConfigError, match=r"^dmo_url=.*https://host/path"):
        address.checked("my hub", name="dmo_url")
    with pytest.raises(ConfigError, match=r"^token_url .*client_id=\.\.\. and client_secret="):
        address.checked("https://admin:verysecret@x.com", name="token_url")
    with pytest.raises(ConfigError, match=r"write https://hub\.example\.com"):
        address.checked("http://hub.example.com/x", name="token_url")
    assert address.checked("http://10.0.0.7/x/", name="token_url", verify=False) == "http://10.0.0.7/x"
