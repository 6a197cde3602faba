"""The vendor's own clients, azure-identity and azure-mgmt-iotcentral, as they come from the package index."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.core.rest import HttpRequest
from azure.identity import ClientSecretCredential, DeviceCodeCredential
from azure.mgmt.iotcentral import IotCentralClient
from azure.mgmt.iotcentral.models import (
    App,
    AppPatch,
    AppSkuInfo,
    OperationInputs,
    SystemAssignedServiceIdentity,
)

from iotnb import sandbox
from iotnb.sandbox import iotcentral

APPLICATION, MANAGEMENT = "https://apps.azureiotcentral.com/.default", "https://management.azure.com/.default"
GROUP = "IOTC"


@pytest.fixture(scope="module")
def served() -> Iterator[sandbox.Service]:
    """A sandbox over TLS: these clients send no token over plain HTTP."""
    switches = {"iotcentral": {"approve_after": 0.0}}
    with sandbox.start({"iotcentral": iotcentral}, tls=True, devices=5, days=2, switches=switches) as running:
        yield running["iotcentral"]
        running.raise_errors()


@pytest.fixture(scope="module")
def options(served: sandbox.Service) -> dict[str, Any]:
    """What every one of these clients takes: where it signs in, and whom it trusts."""
    return {
        "authority": served.base_url,
        "disable_instance_discovery": True,  # that asks the service's own host about the authority
        "connection_verify": str(served.ca_file),
    }


@pytest.fixture(scope="module")
def principal(served: sandbox.Service, options: dict[str, Any]) -> Iterator[ClientSecretCredential]:
    fields = served.info()["connect"]
    with ClientSecretCredential(
        fields["directory"], fields["client_id"], fields["client_secret"], **options
    ) as made:
        yield made


def client_for(served: sandbox.Service, principal: ClientSecretCredential, scope: str) -> IotCentralClient:
    return IotCentralClient(
        principal,
        served.info()["connect"]["subscription"],
        base_url=served.base_url,
        credential_scopes=[scope],
        connection_verify=str(served.ca_file),
    )


@pytest.fixture
def management(served: sandbox.Service, principal: ClientSecretCredential) -> Iterator[IotCentralClient]:
    with client_for(served, principal, MANAGEMENT) as made:
        yield made


def test_a_service_principal_signs_in_for_both_audiences(principal: ClientSecretCredential) -> None:
    tokens = {scope: principal.get_token(scope) for scope in (APPLICATION, MANAGEMENT)}
    assert tokens[APPLICATION].token != tokens[MANAGEMENT].token
    assert all(token.expires_on > 0 for token in tokens.values())
    assert principal.get_token(APPLICATION).token == tokens[APPLICATION].token  # it keeps them


def test_a_wrong_secret_is_refused(served: sandbox.Service, options: dict[str, Any]) -> None:
    fields = served.info()["connect"]
    with (
        ClientSecretCredential(fields["directory"], fields["client_id"], "wrong", **options) as made,
        pytest.raises(ClientAuthenticationError, match="7000215"),
    ):
        made.get_token(APPLICATION)


def test_a_person_signs_in_with_a_code(served: sandbox.Service, options: dict[str, Any]) -> None:
    fields = served.info()["connect"]
    shown: list[tuple[str, str]] = []
    with DeviceCodeCredential(
        fields["client_id"],
        tenant_id=fields["directory"],
        prompt_callback=lambda place, code, _until: shown.append((place, code)),
        **options,
    ) as made:
        assert made.get_token(APPLICATION).token
    [(place, code)] = shown
    assert urlsplit(place).netloc == urlsplit(served.base_url).netloc
    assert code


def test_the_life_of_an_application(management: IotCentralClient) -> None:
    name = "made-by-the-sdk"
    asked = OperationInputs(name=name)
    assert management.apps.check_name_availability(asked).name_available
    assert management.apps.check_subdomain_availability(asked).name_available
    wanted = App(
        location="eastus",
        sku=AppSkuInfo(name="ST2"),
        display_name="Made by the SDK",
        subdomain=name,
        template="iotc-pnp-preview@1.0.0",
        identity=SystemAssignedServiceIdentity(type="SystemAssigned"),
    )
    made = management.apps.begin_create_or_update(GROUP, name, wanted).result(10)
    assert (made.name, made.subdomain, made.state) == (name, name, "created")
    assert made.identity.principal_id
    assert management.apps.get(GROUP, name).application_id == made.application_id
    assert not management.apps.check_name_availability(asked).name_available
    patch = AppPatch(display_name="Another name", tags={"made": "by the SDK"})
    assert management.apps.begin_update(GROUP, name, patch).result(10).display_name == "Another name"
    for listed in (management.apps.list_by_subscription(), management.apps.list_by_resource_group(GROUP)):
        assert [each.tags for each in listed if each.name == name] == [{"made": "by the SDK"}]
    management.apps.begin_delete(GROUP, name).result(10)
    with pytest.raises(ResourceNotFoundError):
        management.apps.get(GROUP, name)


def test_what_the_service_offers(management: IotCentralClient) -> None:
    assert {each.name for each in management.operations.list()} >= {"Microsoft.IoTCentral/IoTApps/read"}
    assert any(each.manifest_id == "iotc-pnp-preview" for each in management.apps.list_templates())


def test_its_errors_are_understood(management: IotCentralClient) -> None:
    with pytest.raises(HttpResponseError) as caught:
        management.apps.begin_create_or_update(
            "no-such-group", "some-app", App(location="x", sku=AppSkuInfo(name="ST2"))
        )
    assert (caught.value.status_code, caught.value.error.code) == (404, "ResourceGroupNotFound")


def test_the_data_plane_by_its_pipeline(served: sandbox.Service, principal: ClientSecretCredential) -> None:
    """There is no package for the data plane: requests go through the pipeline of the management client."""
    with client_for(served, principal, APPLICATION) as made:
        request = HttpRequest("GET", f"{served.base_url}/api/devices", params={"api-version": "2022-07-31"})
        answer = made._client.send_request(request)
        answer.raise_for_status()
        assert len(answer.json()["value"]) == 5
