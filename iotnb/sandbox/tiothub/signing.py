"""RS256 with a key of the process, and its public half as a JSON Web Key Set."""

import base64
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_BITS = 2048


@lru_cache(maxsize=1)
def _key() -> rsa.RSAPrivateKey:
    """The key; made when the first token is, because that takes a moment."""
    return rsa.generate_private_key(public_exponent=65537, key_size=_BITS)


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class RS256:
    """A Signer for `Tokens`; verification needs only what `jwks()` publishes."""

    @property
    def kid(self) -> str:
        """The key's id: a digest of its public half."""
        numbers = _key().public_key().public_numbers()
        return encode(hashlib.sha256(f"{numbers.n}.{numbers.e}".encode()).digest())

    @property
    def header(self) -> Mapping[str, Any]:
        """The JOSE header without `typ`."""
        return {"alg": "RS256", "kid": self.kid}

    def sign(self, data: bytes) -> bytes:
        """The signature of some bytes."""
        return _key().sign(data, padding.PKCS1v15(), hashes.SHA256())

    def verify(self, data: bytes, signature: bytes) -> bool:
        """True if the signature belongs to the bytes."""
        try:
            _key().public_key().verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def jwks(self) -> dict[str, Any]:
        """The published key."""
        numbers = _key().public_key().public_numbers()
        key = {
            "kid": self.kid,
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "n": _number(numbers.n),
            "e": _number(numbers.e),
        }
        return {"keys": [key]}


def at_hash(token: str) -> str:
    """The claim of an ID token that ties it to an access token (OpenID Connect Core 3.1.3.6)."""
    return encode(hashlib.sha256(token.encode()).digest()[:16])
