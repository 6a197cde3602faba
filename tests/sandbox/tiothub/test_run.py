"""The sandbox as a whole: fields for a login, faults, reset, TLS, nothing secret in the log."""

import ssl
import urllib.request


def test_the_fields_of_a_whole_login(hub):
    assert hub.connect.keys() == {
        *("token_url", "dmo_url", "cmo_url", "tenant", "origin", "application_type"),
        *("client_id", "client_secret", "client_authentication", "scope"),
    }
    assert hub.connect["dmo_url"].endswith("/v3/eos")
    assert hub.connect["client_secret"] in hub.running.issued()


def test_faults_in_the_middle_of_a_load(start):
    hub = start()
    hub.token()
    hub.running.faults.set("tiothub", revoke_every=3)
    statuses = [hub.dmo("GET", "").status for _ in range(4)]
    assert statuses == [200, 200, 401, 401]
    hub.running.faults.clear("tiothub")
    assert hub.ask_token().status == 200
    hub.running.faults.set("tiothub", fail_every=1, html=True)
    answer = hub.cmo("GET", "/product")
    assert answer.status == 503
    assert answer.headers["content-type"] == "text/html"
    hub.running.faults.clear("tiothub")
    hub.running.faults.set("tiothub", token_seconds=2)
    assert hub.ask_token().json()["expires_in"] == 2


def test_a_reset_forgets_what_was_made_and_keeps_the_accesses(start):
    hub = start()
    made = hub.dmo("POST", "", {"m2m:ae": {"api": "NX", "rn": "Gone"}}, ty=2, origin="CGone")
    assert made.status == 201
    name = hub.running.fleet[0].key
    hub.dmo("PUT", f"/{name}", {"m2m:nod": {"lbl": ["x:y"]}})
    hub.dmo("DELETE", f"/{hub.running.fleet[1].key}")
    hub.running.reset()
    assert hub.dmo("GET", "/Gone").status == 404
    assert "x:y" not in hub.dmo("GET", f"/{name}").json()["m2m:nod"]["lbl"]
    assert hub.dmo("GET", f"/{hub.running.fleet[1].key}").status == 200
    assert hub.ask_token().status == 200
    hub.running.seed(2, devices=7, days=1)
    assert len(hub.dmo("GET", "?rcn=4&ty=14").json()["m2m:cb"]["m2m:nod"]) == 7
    assert hub.cmo("GET", "/product?pageSize=100").status == 200


def test_an_unknown_switch_is_told(start):
    hub = start()
    hub.token()
    hub.switch(nonsense=1)
    assert hub.dmo("GET", "").status == 500
    assert "unknown switch nonsense" in str(hub.running.errors[0])
    hub.switch(nonsense=None)
    assert hub.dmo("GET", "").status == 200
    hub.running.reset()
    assert hub.running.errors == []


def test_the_log_holds_no_secret(start):
    hub = start()
    hub.dmo("GET", f"?rcn=4&lbl={hub.connect['client_secret']}")
    hub.cmo("GET", f"/product/{hub.token()}")
    text = repr(hub.running.requests())
    assert not [what for secret, what in hub.running.issued().items() if secret in text]


def test_tls(start):
    hub = start(tls=True)
    connect = hub.running["tiothub"].connect
    assert all(connect[name].startswith("https://127.0.0.1:") for name in ("token_url", "dmo_url", "cmo_url"))
    context = ssl.create_default_context(cafile=connect["ca_file"])
    realm = connect["token_url"].partition("/protocol/")[0]
    url = f"{realm}/protocol/openid-connect/certs"
    with urllib.request.urlopen(url, context=context) as answer:
        assert answer.status == 200
