"""Throw-away certificates for trying the login by certificate: an authority and a device, in a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from iotnb import times
from iotnb.errors import ConfigError
from iotnb.secret import Secret

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Certificates:
    """The files of a device: `authority` is what the tenant has to trust, the others are the device's own.

    `certificate`, `private_key` and `certificate_chain` are the login fields of these names.
    """

    authority: Path
    certificate: Path
    private_key: Path
    certificate_chain: Path


def make(
    folder: str | Path,
    device: str,
    *,
    days: int = 30,
    intermediate: bool = False,
    passphrase: Secret | None = None,
) -> Certificates:
    """Makes an authority and a certificate for the device id `device`, unless the folder holds them.

    With `intermediate` another authority stands between, so that the chain is needed; `passphrase` locks the
    device's key. Private keys are readable by their owner only; the authority's own key is not kept.
    """
    if not device.strip() or len(device) > 64:
        raise ConfigError(f"{device!r} cannot be the name in a certificate: give 1 to 64 characters")
    place = Path(folder).expanduser()
    place.mkdir(parents=True, exist_ok=True)
    made = Certificates(
        place / "authority.pem", place / "device.pem", place / "device.key", place / "device-chain.pem"
    )
    if _complete(made, device):
        return made
    root, root_key = _authority("iotnb throw-away authority", None, days)
    issuers = [(root, root_key)]
    if intermediate:
        issuers.append(_authority("iotnb throw-away intermediate", issuers[-1], days))
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = _device(device, key, issuers[-1], days)
    lock: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        lock = serialization.BestAvailableEncryption(passphrase.reveal().encode())
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    _private(made.private_key, text)
    made.authority.write_bytes(_pem(root))
    made.certificate.write_bytes(_pem(leaf))
    made.certificate_chain.write_bytes(b"".join(map(_pem, [leaf, *(each for each, _ in issuers[:0:-1])])))
    return made


def _complete(made: Certificates, device: str) -> bool:
    """Whether the files are there, for this device, and valid for another day at least."""
    if not all(path.is_file() for path in (made.authority, made.certificate, made.private_key)):
        return False
    found = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    names = [each.value for each in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return names == [device] and found.not_valid_after_utc > times.now() + timedelta(days=1)


def _authority(
    name: str, issuer: tuple[x509.Certificate, Key] | None, days: int
) -> tuple[x509.Certificate, Key]:
    key = ec.generate_private_key(ec.SECP256R1())
    usage = _usage(digital_signature=False, sign=True)
    made = _builder(name, key, issuer, days).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    made = made.add_extension(usage, critical=True)
    return made.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def _device(name: str, key: Key, issuer: tuple[x509.Certificate, Key], days: int) -> x509.Certificate:
    made = _builder(name, key, issuer, days)
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(_usage(digital_signature=True, sign=False), critical=True)
    made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    return made.sign(issuer[1], hashes.SHA256())


def _builder(
    name: str, key: Key, issuer: tuple[x509.Certificate, Key] | None, days: int
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer[1] if issuer else key
    now = times.now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks differ
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )


def _usage(*, digital_signature: bool, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(path: Path, text: bytes) -> None:
    """Writes a file that only its owner may read, from its first moment on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text)
