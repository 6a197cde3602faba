"""Registration, users, tenant, options, retention and the entry documents."""

from collections.abc import Callable

import pytest

from iotnb import sandbox
from iotnb.errors import ConfigError, Forbidden, Invalid, NotFound
from iotnb.platforms.cumulocity import Cumulocity
from iotnb.platforms.cumulocity.api import ROOTS

Enter = Callable[..., Cumulocity]


def test_a_device_gets_its_credentials(
    client: Cumulocity, enter: Enter, service: sandbox.Service, fresh: str
) -> None:
    registration = client.api.registration
    booting = enter(**service.bootstrap, method="basic").api.registration
    assert booting.find_credentials(fresh) is None
    with pytest.raises(NotFound):
        booting.credentials(fresh)
    assert registration.create({"id": fresh})["status"] == "WAITING_FOR_CONNECTION"
    with pytest.raises(Invalid):
        registration.accept(fresh)
    assert booting.find_credentials(fresh) is None
    assert registration.get(fresh)["status"] == "PENDING_ACCEPTANCE"
    assert fresh in {each["id"] for each in registration.list()}
    assert registration.accept(fresh)["status"] == "ACCEPTED"
    found = booting.credentials(fresh)
    assert found["username"] == f"device_{fresh}"
    assert found["tenantId"] == "test"
    mine = enter(username=found["username"], password=found["password"], method="basic")
    assert mine.user == found["username"]
    assert found["password"] not in "".join(each.http() for each in client.exchanges)


def test_credentials_are_for_the_bootstrap_user_only(client: Cumulocity, fresh: str) -> None:
    with pytest.raises(Forbidden):
        client.api.registration.credentials(fresh)


def test_a_request_can_be_withdrawn(client: Cumulocity, fresh: str) -> None:
    client.api.registration.create({"id": fresh})
    client.api.registration.delete(fresh)
    assert client.api.registration.find(fresh) is None
    with pytest.raises(NotFound, match="Could not find newDeviceRequest"):
        client.api.registration.get(fresh)


def test_accepting_all_and_the_limit(
    client: Cumulocity, enter: Enter, service: sandbox.Service, fresh: str
) -> None:
    client.api.registration.create({"id": fresh})
    enter(**service.bootstrap, method="basic").api.registration.find_credentials(fresh)
    assert fresh in {each["id"] for each in client.api.registration.accept_all() if each["successful"]}
    assert client.api.registration.limit()["isReached"] is False


def test_many_devices_from_a_table(client: Cumulocity, fresh: str) -> None:
    found = client.api.registration.bulk(f"ID;CREDENTIALS;TYPE;NAME\n{fresh};secret-{fresh};t;n\n")
    assert found["numberOfAll"] == 1
    assert found["numberOfSuccessful"] == 1


def test_who_is_logged_in(client: Cumulocity, service: sandbox.Service) -> None:
    assert client.api.users.current()["userName"] == service.connect["username"]
    assert (
        client.api.users.get("test", service.connect["username"])["userName"] == service.connect["username"]
    )
    assert client.api.users.find("test", "nobody") is None
    assert service.connect["username"] in {
        each["userName"] for each in client.api.users.list("test", pageSize=2)
    }


def test_users_come_and_go(client: Cumulocity, fresh: str) -> None:
    user = {"userName": fresh, "password": f"Secret-{fresh}", "email": f"{fresh}@example.com"}
    assert client.api.users.create("test", user)["userName"] == fresh
    assert client.api.users.update("test", fresh, {"firstName": "Ada"})["firstName"] == "Ada"
    client.api.users.delete("test", fresh)
    with pytest.raises(NotFound, match="Error retrieving user"):
        client.api.users.get("test", fresh)


def test_the_second_factor_is_set_up(enter: Enter, users: dict[str, dict[str, str]]) -> None:
    mine = enter(**users["reader"]).api.users
    with pytest.raises(NotFound, match="TOTP secret"):
        mine.totp_activity()
    made = mine.create_totp_secret()
    assert mine.totp_activity()["isActive"] is False
    assert made["rawSecret"]
    with pytest.raises(Forbidden):
        mine.verify_totp("000000")


def test_the_tenant(client: Cumulocity) -> None:
    assert client.api.tenant.current()["name"] == "test"
    kinds = {option["type"] for option in client.api.tenant.login_options()}
    assert "OAUTH2_INTERNAL" in kinds
    assert "Authorization" not in client.exchanges[-1].request_headers


def test_options(client: Cumulocity, fresh: str) -> None:
    tenant = client.api.tenant
    assert tenant.find_option("test", fresh) is None
    tenant.create_option({"category": "test", "key": fresh, "value": "1"})
    assert tenant.update_option("test", fresh, "2")["value"] == "2"
    assert fresh in {each["key"] for each in tenant.options()}
    tenant.delete_option("test", fresh)
    with pytest.raises(NotFound):
        tenant.option("test", fresh)


def test_retention_rules(client: Cumulocity) -> None:
    rules = list(client.api.retentions.list())
    assert all(rule["maximumAge"] > 0 for rule in rules)
    made = client.api.retentions.create(
        {"dataType": "EVENT", "fragmentType": "*", "type": "x", "source": "*", "maximumAge": 5}
    )
    assert client.api.retentions.update(made["id"], {**made, "maximumAge": 6})["maximumAge"] == 6
    client.api.retentions.delete(made["id"])
    assert len(list(client.api.retentions.list())) == len(rules)


@pytest.mark.parametrize("name", ROOTS)
def test_entry_documents(client: Cumulocity, name: str) -> None:
    assert client.api.root(name)["self"].startswith(client.session.base_url)


def test_an_unknown_entry_document(client: Cumulocity) -> None:
    with pytest.raises(ConfigError, match="inventory"):
        client.api.root("devices")


def test_a_reader_may_not_write(enter: Enter, users: dict[str, dict[str, str]], fresh: str) -> None:
    reader = enter(**users["reader"])
    with pytest.raises(Forbidden, match="administrator of the tenant"):
        reader.api.inventory.create({"name": fresh})
