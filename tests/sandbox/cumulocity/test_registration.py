"""New device requests, credentials, and tokens for certificates over mutual TLS."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from callers import Api, World

REQUESTS, CREDENTIALS = "/devicecontrol/newDeviceRequests", "/devicecontrol/deviceCredentials"
CERTIFICATES, TOKEN = "/tenant/tenants/test/trusted-certificates", "/devicecontrol/deviceAccessToken"


@pytest.mark.parametrize("status", [201, 200])
def test_the_way_of_a_new_device(world: World, admin: Api, status: int) -> None:
    world.switch(credentials_status=status)
    boot, name = world.user("bootstrap"), f"0000000017b769d5-{status}"
    group = admin.post("/inventory/managedObjects", {"type": "c8y_DeviceGroup", "c8y_IsDeviceGroup": {}})[
        "id"
    ]
    boot.post(CREDENTIALS, {"id": name}, 404)
    made = admin.post(REQUESTS, {"id": name, "groupId": group})
    assert (made["id"], made["status"]) == (name, "WAITING_FOR_CONNECTION")
    assert made["self"] == f"{admin.base}{REQUESTS}/{name}"
    admin.put(f"{REQUESTS}/{name}", {"status": "ACCEPTED"}, 422)
    assert boot.post(CREDENTIALS, {"id": name}, 404)["error"] == "devicecontrol/Not Found"
    assert admin.get(f"{REQUESTS}/{name}")["status"] == "PENDING_ACCEPTANCE"
    assert name in [r["id"] for r in admin.get(REQUESTS, pageSize=100)["newDeviceRequests"]]
    assert admin.put(f"{REQUESTS}/{name}", {"status": "ACCEPTED"})["status"] == "ACCEPTED"
    given = boot.post(CREDENTIALS, {"id": name}, status)
    assert (given["tenantId"], given["username"]) == ("test", f"device_{name}")
    assert given["self"] == f"{admin.base}{CREDENTIALS}/{name}"
    assert 6 <= len(given["password"]) <= 32
    assert given["password"] in world.sandbox.issued()
    admin.get(f"{REQUESTS}/{name}", 404)
    boot.post(CREDENTIALS, {"id": name}, 404)
    device = world.login(f"test/{given['username']}", given["password"])
    own = device.post(
        "/inventory/managedObjects", {"name": "new", "c8y_IsDevice": {}, "com_cumulocity_model_Agent": {}}
    )
    assert own["owner"] == f"device_{name}"
    members = admin.get(f"/inventory/managedObjects/{group}/childAssets")["references"]
    assert [m["managedObject"]["id"] for m in members] == [own["id"]]


def test_a_device_user_reads_and_writes_its_own_and_nothing_else(world: World, admin: Api) -> None:
    admin.post("/user/test/users", {"userName": "device_own", "password": "secret-123"})
    admin.post("/user/test/groups/3/users", {"user": {"self": "/user/test/users/device_own"}})
    device = world.login("test/device_own", "secret-123")
    own = device.post("/inventory/managedObjects", {"name": "own", "c8y_IsDevice": {}})["id"]
    child = device.post("/inventory/managedObjects", {"name": "child", "c8y_IsDevice": {}})["id"]
    device.post(f"/inventory/managedObjects/{own}/childDevices", {"managedObject": {"id": child}})
    device.post(f"/identity/globalIds/{own}/externalIds", {"type": "c8y_Serial", "externalId": f"own-{own}"})
    device.get("/identity/externalIds/c8y_Serial/nobody", 404)
    source = {"source": {"id": own}, "type": "t", "time": "2026-01-01T00:00:00Z"}
    device.post("/measurement/measurements", {**source, "a": {"b": {"value": 1}}})
    device.post("/event/events", {**source, "text": "x"})
    device.post("/alarm/alarms", {**source, "text": "x", "severity": "MINOR"})
    operation = admin.post("/devicecontrol/operations", {"deviceId": child, "c8y_Restart": {}})["id"]
    found = device.get("/devicecontrol/operations", agentId=own)["operations"]
    assert [o["id"] for o in found] == [operation]
    assert (
        device.put(f"/devicecontrol/operations/{operation}", {"status": "EXECUTING"})["status"] == "EXECUTING"
    )
    device.put("/inventory/managedObjects/100001", {"a": 1}, 403)
    device.get("/inventory/managedObjects/100001", 403)
    device.post("/measurement/measurements", {**source, "source": {"id": "100001"}}, 403)
    listed = device.get("/inventory/managedObjects", pageSize=2000)["managedObjects"]
    assert {o["id"] for o in listed} == {own, child}
    device.post(REQUESTS, {"id": "x"}, 403)


def test_only_the_bootstrap_user_gets_credentials(world: World, admin: Api) -> None:
    assert admin.post(CREDENTIALS, {"id": "x"}, 403)["error"] == "security/Forbidden"
    held = world.info["bootstrap"]
    world.login(f"management/{held['username']}", "wrong").post(CREDENTIALS, {"id": "x"}, 401)
    world.user("bootstrap").get("/inventory/managedObjects", 403)


def test_security_tokens_must_agree(world: World, admin: Api) -> None:
    boot = world.user("bootstrap")
    admin.post(REQUESTS, {"id": "tokened"})
    boot.post(CREDENTIALS, {"id": "tokened", "securityToken": "s3"}, 404)
    admin.put(f"{REQUESTS}/tokened", {"status": "ACCEPTED", "securityToken": "other"}, 422)
    admin.put(f"{REQUESTS}/tokened", {"status": "ACCEPTED"}, 422)
    admin.put(f"{REQUESTS}/tokened", {"status": "ACCEPTED", "securityToken": "s3"})
    boot.post(CREDENTIALS, {"id": "tokened", "securityToken": "s3"}, 201)


def test_requests_are_unique_deletable_and_acceptable_all_at_once(world: World, admin: Api) -> None:
    boot = world.user("bootstrap")
    for name in ("all-1", "all-2", "all-3"):
        admin.post(REQUESTS, {"id": name})
    admin.post(REQUESTS, {"id": "all-1"}, 422)
    for name in ("all-1", "all-2"):
        boot.post(CREDENTIALS, {"id": name}, 404)
    outcome = admin("POST", f"{REQUESTS}/acceptAll", json={}).json()
    assert {o["id"]: o["successful"] for o in outcome} == {"all-1": True, "all-2": True}
    boot.post(CREDENTIALS, {"id": "all-1"}, 201)
    for name in ("all-2", "all-3"):
        admin.delete(f"{REQUESTS}/{name}")
    gone = admin.get(f"{REQUESTS}/all-3", 404)
    assert gone["message"] == "Could not find newDeviceRequest by ID all-3"
    assert admin.get(f"{REQUESTS}/limit")["isReached"] is False


@pytest.mark.parametrize("mark", ["\t", ";", ","])
def test_bulk_registration_from_a_table(world: World, admin: Api, mark: str) -> None:
    name = {"\t": "tab", ";": "semi", ",": "comma"}[mark]
    rows = (
        ("ID", "CREDENTIALS", "TYPE", "NAME"),
        (f"b-{name}", "secret-123", "c8y_X", "made"),
        (f"c-{name}", "no", "", ""),
    )
    text = "\n".join(mark.join(row) for row in rows)
    answer = admin(
        "POST", "/devicecontrol/bulkNewDeviceRequests", 201, files={"file": ("d.csv", text, "text/csv")}
    ).json()
    counts = [answer[f"numberOf{what}"] for what in ("All", "Created", "Failed", "Successful")]
    assert counts == [2, 1, 1, 1]
    assert world.login(f"test/device_b-{name}", "secret-123").get("/tenant/currentTenant")
    found = admin.get(f"/identity/externalIds/c8y_Serial/b-{name}")
    assert admin.get(f"/inventory/managedObjects/{found['managedObject']['id']}")["name"] == "made"


# certificates


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA(organization_name="devices of a test")


def fetch(world: World, folder: Path, authority: trustme.CA, name: str, **headers: str) -> requests.Response:
    """Ask for a token with a certificate of an authority."""
    leaf = authority.issue_cert(identities := f"{name}.example.com", common_name=name)
    assert identities
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())
    with requests.Session() as http:
        http.trust_env = False
        return http.post(
            world.info["certificate_url"] + TOKEN,
            cert=(str(certificate), str(key)),
            verify=world.info["ca_file"],
            headers={"Accept": "application/json", **headers},
            timeout=10,
        )


def trusted(authority: trustme.CA, **more: Any) -> dict[str, Any]:
    pem = authority.cert_pem.bytes().decode()
    return {
        "name": "mine",
        "status": "ENABLED",
        "autoRegistrationEnabled": True,
        "certInPemFormat": pem,
        **more,
    }


def test_a_device_gets_a_token_for_its_certificate(
    world: World, admin: Api, authority: trustme.CA, tmp_path: Path
) -> None:
    with pytest.raises((requests.exceptions.SSLError, requests.exceptions.ConnectionError)):
        fetch(world, tmp_path, authority, "cert-1")
    made = admin.post(CERTIFICATES, trusted(authority))
    assert made["fingerprint"]
    admin.post(CERTIFICATES, trusted(authority), 409)
    admin.post(CERTIFICATES, trusted(authority, certInPemFormat="nonsense"), 422)
    admin.put("/tenant/options/oauth.internal/device-token.lifespan.seconds", {"value": "100"})
    answer = fetch(world, tmp_path, authority, "cert-1")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    assert {name: value for name, value in body.items() if name != "accessToken"} == dict.fromkeys(
        ("idToken", "expiresIn", "refreshToken", "info")
    )
    device = world.anybody()
    device.http.headers["Authorization"] = f"Bearer {body['accessToken']}"
    assert device.get("/user/currentUser")["userName"] == "cert-1"
    assert device.post("/inventory/managedObjects", {"name": "x"})["owner"] == "cert-1"
    device("POST", "/user/logout")
    device.get("/user/currentUser", 401)
    listed = admin.get(CERTIFICATES, pageSize=100)["certificates"]
    assert made["fingerprint"] in [c["fingerprint"] for c in listed]
    admin.delete(f"{CERTIFICATES}/{made['fingerprint']}")
    with pytest.raises((requests.exceptions.SSLError, requests.exceptions.ConnectionError)):
        fetch(world, tmp_path, authority, "cert-1")


def test_a_chain_is_needed_when_the_direct_issuer_is_not_trusted(
    world: World, admin: Api, authority: trustme.CA, tmp_path: Path
) -> None:
    between = authority.create_child_ca()
    made = admin.post(CERTIFICATES, trusted(authority))
    refused = fetch(world, tmp_path, between, "deep-1")
    assert (refused.status_code, refused.json()["message"]) == (401, "Invalid certificate chain!")
    chain = between.cert_pem.bytes().decode().replace("\n", " ").strip()
    given = fetch(world, tmp_path, between, "deep-1", **{"X-Ssl-Cert-Chain": chain})
    assert given.status_code == 200
    broken = fetch(world, tmp_path, between, "deep-1", **{"X-Ssl-Cert-Chain": "-----BEGIN CERT"})
    assert broken.status_code == 400
    assert broken.json()["error"] == "Device Certificates/Bad Request"
    admin.delete(f"{CERTIFICATES}/{made['fingerprint']}")


def test_registration_can_be_left_to_the_admin(
    world: World, admin: Api, authority: trustme.CA, tmp_path: Path
) -> None:
    made = admin.post(CERTIFICATES, trusted(authority, autoRegistrationEnabled=False))
    refused = fetch(world, tmp_path, authority, "manual-1")
    assert refused.status_code == 422
    assert refused.json()["error"].startswith("Auto registeration")
    admin.post("/user/test/users", {"userName": "manual-1"})
    admin.post("/user/test/groups/3/users", {"user": {"self": "/user/test/users/manual-1"}})
    assert fetch(world, tmp_path, authority, "manual-1").status_code == 200
    changed = admin.put(f"{CERTIFICATES}/{made['fingerprint']}", {"status": "DISABLED"})
    assert changed["status"] == "DISABLED"
    admin.delete(f"{CERTIFICATES}/{made['fingerprint']}")


def test_there_is_no_token_on_the_ordinary_port_nor_in_old_editions(world: World, admin: Api) -> None:
    answer = admin("POST", TOKEN, 404).json()
    assert answer["message"] == "This feature is disabled, please contact system administrator."
    world.switch(edition="2024")
    admin("POST", TOKEN, 404)


def test_the_certificate_port_serves_nothing_else(
    world: World, admin: Api, authority: trustme.CA, tmp_path: Path
) -> None:
    context = ssl.create_default_context(cafile=world.info["ca_file"])
    assert context.verify_mode == ssl.CERT_REQUIRED
    made = admin.post(CERTIFICATES, trusted(authority))
    fetch(world, tmp_path, authority, "curious")
    with requests.Session() as http:
        http.trust_env = False
        files = (str(tmp_path / "curious.pem"), str(tmp_path / "curious.key"))
        url = world.info["certificate_url"] + "/inventory/managedObjects"
        assert http.get(url, cert=files, verify=world.info["ca_file"], timeout=10).status_code == 404
    admin.delete(f"{CERTIFICATES}/{made['fingerprint']}")


def test_credentials_survive_in_a_data_file(fresh: Callable[..., World], tmp_path: Path) -> None:
    path = tmp_path / "data.sqlite"
    first = fresh(devices=2, days=1, data=path)
    admin = first.user("admin")
    device = admin.device("lasting")
    admin.put("/inventory/managedObjects/100000", {"name": "renamed"})
    admin.post("/user/test/users", {"userName": "device_l", "password": "secret-123"})
    operation = admin.post("/devicecontrol/operations", {"deviceId": device, "c8y_Restart": {}})["id"]
    old = first.info["users"]["admin"]["password"]
    first.sandbox.stop()
    second = fresh(devices=2, days=1, data=path)
    assert second.info["users"]["admin"]["password"] != old
    admin = second.user("admin")
    assert admin.get(f"/inventory/managedObjects/{device}")["name"] == "lasting"
    assert admin.get("/inventory/managedObjects/100000")["name"] == "renamed"
    assert admin.get(f"/devicecontrol/operations/{operation}")["status"] == "PENDING"
    second.login("test/device_l", "secret-123").get("/tenant/currentTenant")
    assert int(admin.device()) > int(device)
    assert "secret-123" not in path.read_bytes().decode("latin-1")
