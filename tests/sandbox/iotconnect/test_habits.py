"""What holds for every module: prefixes, names without case, pages, empty lists, errors, faults."""

import socket
import time

import pytest
import requests

EDITIONS = ("v1.1", "az", "aws")


# paths and names


@pytest.mark.parametrize("path", ["/Device", "/device", "/DEVICE/", "//Device", "///device//"])
def test_paths_are_matched_without_case_and_double_slashes(site, admin, path):
    sock = socket.create_connection((site.service.base_url.split("/")[2].split(":")[0], site.service.port))
    request = f"GET /API/V2{path}?pagesize=3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    sock.sendall(f"{request}Authorization: Bearer {admin.token}\r\n\r\n".encode())
    text = b""
    while part := sock.recv(65536):
        text += part
    sock.close()
    assert text.startswith(b"HTTP/1.1 200")
    assert text.count(b'"uniqueId"') == 3


def test_query_names_are_matched_without_case_and_foreign_ones_are_ignored(admin):
    for name in ("pageSize", "PageSize", "PAGESIZE"):
        assert len(admin.data("/Device", **{name: 4}, companyGuid="x", InvokingUser="y")) == 4
    assert len(admin.data("/Device", pageSize="")) == 10


def test_the_same_devices_under_three_prefixes(admin):
    pages = {edition: admin.data("/Device", pageSize=5, edition=edition) for edition in EDITIONS}
    assert pages["v1.1"] == pages["az"] == pages["aws"]


def test_headers(site, admin):
    answer = admin("GET", "/Device")
    assert answer.headers["access-control-allow-origin"] == "*"
    url = f"{site.base}/api/v2/Device"
    before = site.http.options(url, headers={"Origin": "https://app.example.com"})
    assert before.status_code == 204
    assert "PUT" in before.headers["access-control-allow-methods"]
    headers = {"Authorization": f"Bearer {admin.token}", "Accept": "text/plain"}
    assert site.http.get(url, headers=headers).headers["content-type"] == "application/json"
    head = site.http.head(url, headers=headers)
    assert (head.status_code, head.content) == (200, b"")


def test_the_vendors_host_names_have_one_module_each(site, admin):
    def get(host, path):
        headers = {"Host": host, "Authorization": f"Bearer {admin.token}"}
        return site.http.get(f"{site.base}/api/v2.1{path}", headers=headers).status_code

    assert get("authpoc.iotconnect.io", "/Auth/basic-token") == 200
    assert get("authpoc.iotconnect.io", "/Device") == 404
    assert get("awspocdevice.iotconnect.io", "/Device") == 200
    assert get("awspocdevice.iotconnect.io", "/device-template") == 200
    assert get("userconsole.iotconnect.io", "/Entity") == 200
    assert get("telemetry.iotconnect.io", "/Entity") == 404
    found = site.http.get(
        f"{site.base}/api/uisdk/solutionkey/{site.key}/env/poc?pf=az",
        headers={"Host": "discovery.iotconnect.io"},
    )
    assert found.json()["data"]["deviceBaseUrl"] == "http://discovery.iotconnect.io/api/v2"


# errors


@pytest.mark.parametrize("path", ["/api/v2/Nothing", "/api/v3/Device", "/api/v2", "/", "/api", "/Device"])
def test_what_is_not_there(site, admin, path):
    answer = site.http.get(site.base + path, headers={"Authorization": f"Bearer {admin.token}"})
    assert answer.status_code == answer.json()["status"] == 404
    assert answer.json()["error"] == []


def test_a_wrong_method(admin):
    answer = admin("PATCH", "/Device")
    assert answer.status_code == answer.json()["status"] == 405
    assert answer.headers["allow"] == "GET, POST"


@pytest.mark.parametrize("text", ["[1]", '"x"', "null", "{", "\xff", ""])
def test_a_body_that_is_no_object(site, admin, text):
    headers = {"Authorization": f"Bearer {admin.token}", "Content-Type": "application/json"}
    answer = site.http.post(f"{site.base}/api/v2/Device", data=text.encode("latin-1"), headers=headers)
    assert answer.status_code == 412
    assert answer.json()["error"][0]["param"] == "body"


def test_every_missing_member_is_named(admin):
    status, params = admin.refused("POST", "/Device", {"uniqueId": "a", "displayName": None})
    assert (status, params) == (412, {"deviceTemplateGuid", "displayName", "entityGuid"})


def test_without_a_token_nothing_is_told(site):
    for path in ("/Device", "/Entity", "/Telemetry/device/x"):
        answer = site.http.get(f"{site.base}/api/v2{path}")
        assert answer.status_code == 401
        assert set(answer.json()) == {"status", "message", "error", "data", "ie"}


# pages


@pytest.mark.parametrize("edition", EDITIONS)
def test_pages_add_up(admin, edition):
    everything = admin.data("/Device", pageSize=-1, pageNumber=-1, edition=edition)
    found, page = [], 1
    while rows := admin.data("/Device", pageSize=7, pageNumber=page, edition=edition):
        assert len(rows) <= 7
        found += rows
        page += 1
    assert found == everything
    assert len(everything) == 39
    assert page == 7


def test_the_count_of_devices_is_told_by_two_editions_of_three(admin):
    bodies = {edition: admin("GET", "/Device", edition=edition).json() for edition in EDITIONS}
    assert bodies["aws"]["count"] == -1
    assert bodies["az"]["count"] == bodies["v1.1"]["count"] == 39
    assert bodies["v1.1"]["params"] == {"count": 39}
    assert "params" not in bodies["az"]
    assert admin("GET", "/device-template", edition="aws").json()["count"] == 5


def test_an_empty_list_is_204_without_a_body(admin):
    for query in ({"pageNumber": 9}, {"UniqueId": "no such device"}):
        answer = admin("GET", "/Device", **query)
        assert (answer.status_code, answer.content) == (204, b"")


def test_page_numbers_begin_at_one(site, admin):
    for query in ({"pageNumber": 0}, {"pageNumber": -1}, {"pageSize": 0}, {"pageNumber": 1, "pageSize": -2}):
        assert admin.refused("GET", "/Device", **query)[0] == 500
    assert admin.refused("GET", "/Device", pageSize="many") == (412, {"pagesize"})
    assert len(admin.data("/Device", pageSize=5000)) == 39
    site.switches["strict"] = True
    assert admin.refused("GET", "/Device", pageSize=5000) == (412, {"pageSize"})
    site.switches["page_default"] = 3
    assert len(admin.data("/Device")) == 3


@pytest.mark.parametrize("field", ["uniqueId", "lastConnection", "lastCommunication"])
def test_sorting(admin, field):
    for edition in ("az", "aws"):
        up = [
            row[field] or ""
            for row in admin.data("/Device", pageSize=50, sortBy=f"{field} asc", edition=edition)
        ]
        down = [
            row[field] or ""
            for row in admin.data("/Device", pageSize=50, sortBy=f"{field} DESC", edition=edition)
        ]
        assert up == sorted(up, key=str.lower)
        assert down == sorted(up, key=str.lower, reverse=True)
        assert len(set(up)) > 20


def test_sorting_differs_by_edition(admin):
    plain = [row["uniqueId"] for row in admin.data("/Device", pageSize=50)]
    assert [row["uniqueId"] for row in admin.data("/Device", pageSize=50, sortBy="uniqueId")] == sorted(
        plain, key=str.lower
    )
    assert admin.refused("GET", "/Device", sortBy="uniqueId", edition="aws") == (412, {"sortBy"})
    assert admin.refused("GET", "/Device", sortBy="entityName asc", edition="aws") == (412, {"sortBy"})
    assert admin.refused("GET", "/Device", sortBy="uniqueId up") == (412, {"sortBy"})
    by_name = admin.data("/Device", pageSize=50, sortBy="displayName asc", edition="aws")
    assert [row["uniqueId"] for row in by_name] == plain
    names = [row["displayName"] for row in admin.data("/Device", pageSize=50, sortBy="displayName asc")]
    assert names == sorted(names, key=str.lower)


def test_counts_can_be_unknown_everywhere(site, admin):
    site.switches["count_unknown"] = True
    for path in ("/Device", "/device-template", "/Entity"):
        assert admin("GET", path).json()["count"] == -1


# faults


def test_500_for_a_while(site, admin):
    site.switches["fail_next"] = 2
    assert [admin("GET", "/Device").status_code for _ in range(3)] == [500, 500, 200]


def test_too_many_requests_and_out_of_service(site, admin):
    site.running.faults.set("iotconnect", rate_limit=2)
    answers = [admin("GET", "/Device") for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 429, 429]
    assert answers[-1].headers["retry-after"] == "1"
    site.running.faults.clear()
    site.running.faults.set("iotconnect", fail_every=2, html=True)
    assert [admin("GET", "/Device").status_code for _ in range(4)] == [200, 503, 200, 503]
    site.running.faults.clear()
    site.running.faults.set("iotconnect", fail_page=2)
    assert [admin("GET", "/Device", pageNumber=n).status_code for n in (1, 2, 2)] == [200, 503, 200]


def test_connections_break_and_answers_are_late(site, admin):
    site.running.faults.set("iotconnect", drop_every=1)
    with pytest.raises(requests.RequestException):
        admin("GET", "/Device")
    site.running.faults.clear()
    site.running.faults.set("iotconnect", latency=0.05)
    began = time.perf_counter()
    assert admin("GET", "/Device").status_code == 200
    assert time.perf_counter() - began >= 0.05


def test_a_token_may_be_revoked_under_way(site):
    person = site.person()
    site.running.faults.set("iotconnect", revoke_every=2)
    assert [person("GET", "/Device").status_code for _ in range(2)] == [200, 401]


# the whole


def test_what_describe_says(site, helpers):
    connect = site.info["connect"]
    assert set(connect) == {"discovery_url", "solution_key", "environment", "edition", "username", "password"}
    assert (connect["environment"], connect["edition"], connect["username"]) == ("poc", "az", helpers.ADMIN)
    assert {user["role"] for user in site.info["users"].values()} == {"Admin", "Pr\u00fcfer?"}
    site.switches["edition"] = "aws"
    assert site.service.info()["connect"]["edition"] == "aws"


def test_a_wrong_switch_is_named(make):
    one = make(devices=3, days=2)
    one.switches["edition"] = "gcp"
    assert one.http.get(f"{one.base}/api/v2/Auth/basic-token").status_code == 500
    (error,) = one.running.errors
    assert "edition" in str(error)
    one.running.errors.clear()
    one.world.errors.clear()


def test_twenty_thousand_devices(make):
    one = make(devices=20_000, days=5)
    admin = one.person()
    began = time.process_time()  # of client and server: other work on the machine does not count
    rows = admin.data("/Device", pageSize=1000, pageNumber=20)
    assert len(rows) == 1000
    first = time.process_time() - began
    began = time.process_time()
    assert (
        len(admin.data("/Device", pageSize=100, pageNumber=200, sortBy="uniqueId asc", edition="aws")) == 100
    )
    assert len(admin.data("/Device", UniqueId="sensor-19")) == 10
    assert len(admin.data("/Device/lookup")) == 20_005
    assert admin.one("/Device/counters")["total"] == 20_005
    later = time.process_time() - began
    assert first < 5
    assert later < 8


def test_a_file_keeps_what_users_made(make, tmp_path, helpers):
    first = make(devices=4, days=3, data=tmp_path / "kept.sqlite")
    admin = first.person()
    template = admin.data("/device-template")[1]["guid"]
    root = admin.data("/Entity")[0]["guid"]
    made = {"uniqueId": "kept", "displayName": "Kept", "deviceTemplateGuid": template, "entityGuid": root}
    guid = admin.do("POST", "/Device", made)[0]["newid"]
    command = admin.data(f"/template-command/{template}")[0]["guid"]
    admin.do("POST", f"/template-command/device/{guid}/send", {"commandGuid": command})
    admin.do("PUT", f"/Device/{admin.devices()['gw-0001']['guid']}/status", {"isActive": False})
    first.running.stop()
    second = make(devices=4, days=3, data=tmp_path / "kept.sqlite").person()
    devices = second.devices()
    assert devices["kept"]["guid"] == guid
    assert devices["gw-0001"]["isActive"] is False
    assert [row["status"] for row in second.data("/template-command/history", deviceGuid=guid)] == [
        "In Queue"
    ]


def test_another_seed_is_another_fleet(make):
    one = make(devices=4, days=3)
    before = one.person().devices()
    one.running.seed(5, devices=6)
    after = one.person().devices()
    assert len(after) == 11
    assert before["gw-0001"]["guid"] != after["gw-0001"]["guid"]
