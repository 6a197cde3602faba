import http.client
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from iotnb import sandbox
from iotnb.sandbox.certs import CertificateError, ClientTrust

REFUSED = (ssl.SSLError, ConnectionError)  # TLS 1.3 reports a refused certificate on the first read


def verifying(service: sandbox.Service, leaf: trustme.LeafCert | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(service.ca_file))
    if leaf is not None:
        leaf.configure_cert(context)
    return context


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


def test_https_verifies_against_the_ca_file(tiny: Any, caller: Any) -> None:
    with sandbox.start({"tiny": tiny}, tls=True) as running:
        service = running["tiny"]
        assert service.base_url.startswith("https://127.0.0.1:")
        assert service.connect["ca_file"] == str(service.ca_file)
        assert caller(service.base_url, context=verifying(service))("GET", "/hello").status == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            caller(service.base_url, context=ssl.create_default_context())("GET", "/hello")
        ca_file = service.ca_file
        assert ca_file is not None
        assert ca_file.exists()
    assert not ca_file.exists()


def test_plain_http_needs_no_ca_file(running: sandbox.Sandbox) -> None:
    assert "ca_file" not in running["tiny"].connect
    assert Path(running.info()["tiny"]["ca_file"]).exists()  # for the port with client certificates


def test_only_clients_with_a_trusted_certificate_get_in(running: sandbox.Sandbox, caller: Any) -> None:
    service = running["tiny"]
    good, bad = trustme.CA(), trustme.CA()
    device = good.issue_cert(common_name="device-1")

    def ask(leaf: trustme.LeafCert | None) -> Any:
        return caller(service.certificate_url, context=verifying(service, leaf))("GET", "/who")

    for leaf in (device, bad.issue_cert(common_name="device-1"), None):
        with pytest.raises(REFUSED):
            ask(leaf)  # nobody is trusted yet
    plain = caller(service.base_url)
    plain("POST", "/trust", body=pem(good))  # uploaded while it runs
    chain = ask(device).json()["chain"]
    assert ssl.PEM_cert_to_DER_cert(chain[0]) == ssl.PEM_cert_to_DER_cert(
        device.cert_chain_pems[0].bytes().decode()
    )
    for leaf in (bad.issue_cert(common_name="device-1"), None):
        with pytest.raises(REFUSED):
            ask(leaf)
    plain("DELETE", "/trust")
    with pytest.raises(REFUSED):
        ask(device)
    assert plain("GET", "/who").json() == {"chain": []}
    assert running.errors == []


def test_a_chain_over_an_intermediate_ca(running: sandbox.Sandbox, caller: Any) -> None:
    service = running["tiny"]
    root = trustme.CA()
    middle = root.create_child_ca()
    device = middle.issue_cert(common_name="device-2")
    assert service.trust is not None
    service.trust.add(pem(root))
    chain = caller(service.certificate_url, context=verifying(service, device))("GET", "/who").json()["chain"]
    assert len(chain) == 2  # the device's own and the intermediate one, as presented
    service.trust.remove(pem(root))
    service.trust.add(pem(middle))  # an intermediate is enough as a trust anchor
    assert caller(service.certificate_url, context=verifying(service, device))("GET", "/who").status == 200
    service.trust.remove(pem(middle))
    with pytest.raises(REFUSED):
        caller(service.certificate_url, context=verifying(service, device))("GET", "/who")


def test_rubbish_is_no_trusted_certificate() -> None:
    trust = ClientTrust()
    for text in ("", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"):
        with pytest.raises(CertificateError, match="PEM"):
            trust.add(text)


def test_faults_and_breaks_work_over_tls(tiny: Any, caller: Any) -> None:
    with sandbox.start({"tiny": tiny}, tls=True, faults="drop_every=2") as running:
        service = running["tiny"]
        assert caller(service.base_url, context=verifying(service))("GET", "/rows").status == 200
        with pytest.raises((OSError, http.client.HTTPException)):
            caller(service.base_url, context=verifying(service))("GET", "/rows")
        assert running.errors == []


def test_stopping_with_open_tls_connections(tiny: Any, caller: Any) -> None:
    running = sandbox.start({"tiny": tiny}, tls=True)
    mine = caller(running["tiny"].base_url, context=verifying(running["tiny"]))
    assert mine("GET", "/hello").status == 200
    running.stop()
    with pytest.raises(OSError):
        mine("GET", "/hello")
