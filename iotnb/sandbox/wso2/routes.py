"""What a chapter declares: one endpoint with the scope that a token needs for it."""

from collections.abc import Callable
from typing import NamedTuple

from iotnb.sandbox.wso2.wire import Answer

Handler = Callable[..., Answer]
MGT = "/api/device-mgt/v1.0"
ANDROID_MGT = "/api/device-mgt/android/v1.0"
CERTIFICATE_MGT = "/api/certificate-mgt/v1.0"


class Route(NamedTuple):
    """One endpoint; without a scope any good token will do."""

    method: str
    path: str
    handler: Handler
    scope: str = ""


def routes(prefix: str, *listed: tuple[str, str, Handler, str]) -> list[Route]:
    """Routes below a prefix; scopes are written without `perm:`."""
    return [
        Route(method, prefix + path, handler, f"perm:{scope}" if scope else "")
        for method, path, handler, scope in listed
    ]
