"""What all tests share: none sees the developer's own settings, and none leaves this machine."""

import ipaddress
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

sys.path.insert(0, str(Path(__file__).parent))

from badserver import BadServer

from iotnb import sandbox
from iotnb.session import Session, Settings

OWN = ("IOTNB_", "C8Y_")
FOREIGN = {"CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "NETRC"}
PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
FOLDERS = (
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "JUPYTER_CONFIG_DIR",
    "IPYTHONDIR",
)

# a busy machine is no failure, and no folder is left in the checkout
hypothesis_settings.register_profile("iotnb", deadline=None, database=None)
hypothesis_settings.load_profile("iotnb")

_connect, _resolve = socket.socket.connect, socket.getaddrinfo


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with nothing in it."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def isolated(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """No credentials, proxies, authorities or folders of the developer; packaging asks the package index."""
    for name in list(os.environ):
        if name.startswith(OWN):
            monkeypatch.delenv(name)
    if request.node.get_closest_marker("packaging"):
        return
    for name in list(os.environ):
        if name.upper() in FOREIGN | PROXIES or name in FOLDERS:
            monkeypatch.delenv(name)
    # matplotlib's list of fonts takes seconds to make: it outlives the home folder
    fonts = request.config.cache.mkdir("matplotlib") if request.config.cache else home / "matplotlib"
    monkeypatch.setenv("MPLCONFIGDIR", str(fonts))
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections to other machines fail at once, and other names are not asked for."""

    def connect(self: socket.socket, address: object) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _local(str(address[0])):  # type: ignore[index]
            raise AssertionError(f"a test wanted to connect to {address}")
        return _connect(self, address)  # type: ignore[arg-type]

    def resolve(host: str | bytes | None, *args: object, **options: object) -> object:
        name = host.decode() if isinstance(host, bytes) else host
        if name and not _local(name) and name != socket.gethostname():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return _resolve(host, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def _local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback or host in {"0.0.0.0", "::"}
    except ValueError:
        return False


@pytest.fixture
def bad() -> Iterator[BadServer]:
    """A server that misbehaves as a test tells it to."""
    with BadServer() as server:
        yield server


@pytest.fixture
def other() -> Iterator[BadServer]:
    """A second one: a foreign host."""
    with BadServer() as server:
        yield server


@pytest.fixture
def quick() -> Settings:
    """Settings of a session that does not wait long."""
    return Settings(timeout=(2.0, 2.0), backoff=0.01, retries=3)


@pytest.fixture
def session(bad: BadServer, quick: Settings) -> Iterator[Session]:
    """A session with the misbehaving server, without credentials."""
    made = Session(bad.base_url, settings=quick)
    yield made
    made.close()


@pytest.fixture(scope="session")
def running() -> Iterator[sandbox.Sandbox]:
    """The sandbox with all platforms, for tests that only read or make things of their own."""
    with sandbox.start(seed=1, devices=12, days=3) as started:
        yield started
