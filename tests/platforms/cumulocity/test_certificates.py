"""Login by certificate: real handshakes on the sandbox's own port for it."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from iotnb import sandbox
from iotnb.errors import ConfigError, IotnbError
from iotnb.platforms.cumulocity import Cumulocity, auth, certificates
from iotnb.platforms.cumulocity.device import Device
from iotnb.secret import Secret
from iotnb.session import Settings


@pytest.fixture
def settings(service: sandbox.Service) -> Settings:
    return Settings(verify=str(service.ca_file), timeout=(5, 10))


def fields(
    service: sandbox.Service, made: certificates.Certificates, *, chain: bool = False
) -> dict[str, str]:
    return {
        "base_url": service.base_url,
        "certificate_url": str(service.certificate_url),
        "certificate": str(made.certificate),
        "private_key": str(made.private_key),
        **({"certificate_chain": str(made.certificate_chain)} if chain else {}),
    }


def test_files_are_made_once_and_keys_are_private(tmp_path: Path) -> None:
    made = certificates.make(tmp_path / "pki", "my-device")
    before = made.certificate.read_bytes()
    assert certificates.make(tmp_path / "pki", "my-device") == made
    assert made.certificate.read_bytes() == before
    assert "ENCRYPTED" not in made.private_key.read_text()
    if os.name == "posix":
        assert stat.S_IMODE(made.private_key.stat().st_mode) == 0o600
    certificates.make(tmp_path / "pki", "another")
    assert made.certificate.read_bytes() != before
    with pytest.raises(ConfigError, match="64 characters"):
        certificates.make(tmp_path, " ")


def test_a_key_beside_the_certificates_stays_at_home(tmp_path: Path) -> None:
    made = certificates.make(tmp_path, "d", intermediate=True)
    mixed = tmp_path / "mixed.pem"
    mixed.write_text(made.certificate_chain.read_text() + made.private_key.read_text())
    blocks = auth.certificate_blocks(str(mixed))
    assert len(blocks) == 2
    assert blocks[0] == made.certificate.read_text().strip()
    assert not any("PRIVATE" in block for block in blocks)
    with pytest.raises(ConfigError, match="no certificate"):
        auth.certificate_blocks(str(made.private_key))


@pytest.mark.parametrize("passphrase", ["", "open sesame"])
def test_a_device_logs_in_with_its_certificate(
    client: Cumulocity,
    service: sandbox.Service,
    settings: Settings,
    tmp_path: Path,
    fresh: str,
    passphrase: str,
) -> None:
    lock = Secret(passphrase) if passphrase else None
    made = certificates.make(tmp_path, fresh, passphrase=lock)
    uploaded = client.portal.upload_certificate(made.authority)
    assert client.portal.upload_certificate(made.authority)["fingerprint"] == uploaded["fingerprint"]
    values = fields(service, made) | ({"passphrase": passphrase} if passphrase else {})
    device = Cumulocity.login(values, settings=settings)
    assert device.method == "certificate"
    assert fresh in device.user
    assert device.expires is not None
    assert device.exchanges[1].url.startswith(str(service.certificate_url))
    device.logout()
    device.close()


def test_a_locked_key_without_its_passphrase(
    service: sandbox.Service, settings: Settings, tmp_path: Path
) -> None:
    made = certificates.make(tmp_path, "d", passphrase=Secret("open sesame"))
    with pytest.raises(ConfigError, match="give passphrase"):
        Cumulocity.login(fields(service, made), settings=settings)
    with pytest.raises(ConfigError, match="passphrase must fit"):
        Cumulocity.login({**fields(service, made), "passphrase": "wrong"}, settings=settings)


def test_a_chain_with_an_authority_between(
    client: Cumulocity, service: sandbox.Service, settings: Settings, tmp_path: Path, fresh: str
) -> None:
    made = certificates.make(tmp_path, fresh, intermediate=True)
    client.portal.upload_certificate(made.authority)
    device = Cumulocity.login(fields(service, made, chain=True), settings=settings)
    assert fresh in device.user
    (asked,) = [each for each in device.exchanges if each.url.endswith("deviceAccessToken")]
    header = asked.request_headers["X-Ssl-Cert-Chain"]
    assert header.count("-----BEGIN CERTIFICATE-----") == 2
    assert "\n" not in header
    device.close()


def test_an_authority_that_nobody_trusts(
    service: sandbox.Service, settings: Settings, tmp_path: Path, fresh: str
) -> None:
    made = certificates.make(tmp_path, fresh)
    with pytest.raises(IotnbError, match="upload_certificate") as caught:
        Cumulocity.login(fields(service, made), settings=settings)
    assert "BEGIN" not in str(caught.value)


def test_a_file_that_is_not_there(service: sandbox.Service, tmp_path: Path) -> None:
    made = certificates.make(tmp_path, "d")
    with pytest.raises(ConfigError, match="private_key="):
        Cumulocity.login({**fields(service, made), "private_key": str(tmp_path / "none.key")})


def test_a_private_key_is_not_uploaded(client: Cumulocity, tmp_path: Path) -> None:
    made = certificates.make(tmp_path, "d")
    with pytest.raises(ConfigError, match="private key"):
        client.portal.upload_certificate(made.private_key.read_text())


def test_a_device_lives_by_its_certificate(
    client: Cumulocity,
    service: sandbox.Service,
    settings: Settings,
    tmp_path: Path,
    fresh: str,
    enter: Callable[..., Cumulocity],
) -> None:
    made = certificates.make(tmp_path, fresh)
    client.portal.upload_certificate(made.authority)
    device = Device(fresh, base_url=service.base_url, login=fields(service, made), settings=settings)
    device.startup()
    assert client.api.identity.get("c8y_Serial", fresh)["managedObject"]["id"] == device.id
    device.stop()
