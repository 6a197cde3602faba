"""Bearer tokens of the sandbox: signed with a key of the run, checked against the sandbox's clock.

The default signature is HS256. A platform that publishes its keys brings another `Signer`.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from iotnb.sandbox.fleet import Clock

Reason = Literal["malformed", "signature", "expired", "revoked"]


class TokenError(ValueError):
    """A token that is not accepted; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"token not accepted: {reason}")
        self.reason: Reason = reason


class Signer(Protocol):
    """A JWS algorithm with its key."""

    @property
    def header(self) -> Mapping[str, Any]:
        """The JOSE header without `typ`: `alg`, and `kid` where keys are published."""

    def sign(self, data: bytes) -> bytes:
        """The signature of some bytes."""

    def verify(self, data: bytes, signature: bytes) -> bool:
        """True if the signature belongs to the bytes."""


class HS256:
    """HMAC with SHA-256 and a key that lives as long as the run."""

    header: Mapping[str, Any] = {"alg": "HS256"}

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key if key is not None else secrets.token_bytes(32)

    def sign(self, data: bytes) -> bytes:
        """The signature of some bytes."""
        return hmac.new(self._key, data, hashlib.sha256).digest()

    def verify(self, data: bytes, signature: bytes) -> bool:
        """True if the signature belongs to the bytes."""
        return hmac.compare_digest(self.sign(data), signature)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _object(text: str) -> dict[str, Any]:
    found = json.loads(_decode(text))
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


class Tokens:
    """The tokens of one platform.

    Args:
        clock: decides what has expired.
        signer: HS256 with a fresh key by default.
        life: seconds that override the life asked for (the fault `token_seconds`), or None.
        issued: called with every token handed out.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        signer: Signer | None = None,
        life: Callable[[], float | None] = lambda: None,
        issued: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._clock = clock
        self.signer: Signer = signer if signer is not None else HS256()
        self._life = life
        self._issued = issued
        self._lock = threading.Lock()
        self._revoked: set[bytes] = set()
        self._expires: dict[bytes, int] = {}  # to the millisecond, which the claim in seconds cannot hold

    def seconds(self, asked: float) -> float:
        """The life of a new token: what was asked for, unless a fault shortens it."""
        life = self._life()
        return asked if life is None else life

    def issue(self, claims: Mapping[str, Any], *, seconds: float, plain: bool = True) -> str:
        """A signed token with `jti`, `iat` and `exp` (seconds since 1970) added to the claims.

        The payload has no `-` or `_` where the claims allow it (they are plain ASCII with few of
        `>`, `?`, `~`), because some clients decode it with the plain base64 alphabet. With `plain=False`
        it is UTF-8 and has one of the two if the claims hold such a letter: for clients that must not.
        """
        now = self._clock.now()
        expires = now + int(self.seconds(seconds) * 1000)
        jti = secrets.token_hex(12)
        times = {"iat": now // 1000, "exp": -(-expires // 1000)}
        payload = ""
        for padding in ("", "0", "00"):  # moves every later byte through the three places of a base64 group
            held = {"jti": jti + padding, **claims, **times}
            payload = _encode(json.dumps(held, separators=(",", ":"), ensure_ascii=plain).encode())
            if ("-" not in payload and "_" not in payload) is plain:
                break
        header = _encode(json.dumps({"typ": "JWT", **self.signer.header}, separators=(",", ":")).encode())
        signature = _encode(self.signer.sign(f"{header}.{payload}".encode()))
        token = f"{header}.{payload}.{signature}"
        with self._lock:
            self._expires[_digest(token)] = expires
        self._issued(token)
        return token

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token that was issued here and is still good; raises TokenError."""
        try:
            header, payload, signature = token.split(".")
            _object(header)
            claims = _object(payload)
            proof = _decode(signature)
        except ValueError:
            raise TokenError("malformed") from None
        if not self.signer.verify(f"{header}.{payload}".encode(), proof):
            raise TokenError("signature")
        self.check(token)
        return claims

    def keep(self, token: str, *, expires: int) -> None:
        """Know an opaque token of a platform's own making until a moment (ms)."""
        with self._lock:
            self._expires[_digest(token)] = expires
        self._issued(token)

    def check(self, token: str) -> None:
        """TokenError for an opaque token that was revoked or has expired; one never kept has expired too."""
        with self._lock:
            revoked, expires = _digest(token) in self._revoked, self._expires.get(_digest(token), 0)
        if revoked:
            raise TokenError("revoked")
        if self._clock.now() >= expires:
            raise TokenError("expired")

    def revoke(self, token: str) -> None:
        """Refuse a token from now on; any text will do, opaque tokens too."""
        with self._lock:
            self._revoked.add(_digest(token))

    def revoked(self, token: str) -> bool:
        """True if a token was revoked: for tokens that are not checked with verify()."""
        with self._lock:
            return _digest(token) in self._revoked

    def expire_all(self) -> None:
        """Let every token issued so far count as expired."""
        with self._lock:
            self._expires.clear()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
