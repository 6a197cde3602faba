"""Device keys and the signatures that devices make with them."""

import base64
import binascii
import hashlib
import hmac
from urllib.parse import parse_qsl, unquote


def group_key(secret: bytes, application: str, group: str, entry: str) -> str:
    """The key of an enrollment group: 64 bytes in base64."""
    text = f"group/{application}/{group}/{entry}"
    return base64.b64encode(hmac.new(secret, text.encode(), hashlib.sha512).digest()).decode()


def own_key(secret: bytes, application: str, device: str, entry: str) -> str:
    """The key of a device that has its own: 32 bytes in base64."""
    text = f"device/{application}/{device}/{entry}"
    return base64.b64encode(hmac.new(secret, text.encode(), hashlib.sha256).digest()).decode()


def derive(group: str, device: str) -> str:
    """A device's key from its enrollment group's key."""
    found = hmac.new(base64.b64decode(group), device.encode(), hashlib.sha256).digest()
    return base64.b64encode(found).decode()


class Signed:
    """A device's `SharedAccessSignature` header, taken apart."""

    def __init__(self, header: str) -> None:
        scheme, _, rest = header.strip().partition(" ")
        raw = dict(part.partition("=")[::2] for part in rest.split("&"))
        self.ok = scheme.lower() == "sharedaccesssignature" and {"sr", "sig", "se"} <= set(raw)
        self.resource = raw.get("sr", "")
        fields = dict(parse_qsl(rest, keep_blank_values=True))
        self.signature = unquote(raw.get("sig", ""))
        self.policy = fields.get("skn", "")
        text = raw.get("se", "")
        self.expires = int(text) if text.isdigit() else 0

    def names(self, *resources: str) -> bool:
        """Whether it is for one of these resources, escaped or not."""
        return unquote(self.resource).lower() in {one.lower() for one in resources}

    def made_with(self, key: str) -> bool:
        """Whether the signature is over `sr` exactly as it stands in the header, with this key."""
        try:
            secret = base64.b64decode(key)
        except (binascii.Error, ValueError):
            return False
        text = f"{self.resource}\n{self.expires}"
        made = base64.b64encode(hmac.new(secret, text.encode(), hashlib.sha256).digest()).decode()
        return hmac.compare_digest(made.encode(), self.signature.encode())
