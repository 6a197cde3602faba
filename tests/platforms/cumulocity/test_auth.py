"""Every way in, and every way of being refused, over real HTTP."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from iotnb import sandbox
from iotnb.errors import (
    ConfigError,
    ConnectionFailed,
    LoggedOut,
    MissingFields,
    SecondFactorRequired,
    Unauthorized,
)
from iotnb.platforms.cumulocity import Cumulocity, address, auth
from iotnb.secret import Secret
from iotnb.session import Settings

Enter = Callable[..., Cumulocity]


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("mytenant.cumulocity.com", "https://mytenant.cumulocity.com"),
        (" https://mytenant.cumulocity.com/ ", "https://mytenant.cumulocity.com"),
        ("https://MyTenant.cumulocity.com/apps/devicemanagement/#/device", "https://mytenant.cumulocity.com"),
        ("https://edge.example.com:8443/x?y=1", "https://edge.example.com:8443"),
        ("localhost:8080", "http://localhost:8080"),
    ],
)
def test_addresses_are_made_usable(given: str, made: str) -> None:
    assert address.base_url(given) == made


def test_a_wrong_address_is_named_with_its_field() -> None:
    with pytest.raises(ConfigError, match=r"^base_url=.*https://mytenant\.cumulocity\.com"):
        address.base_url("my tenant")
    with pytest.raises(ConfigError, match=r"username=\.\.\. and password="):
        address.base_url("https://admin:verysecret@x.com")
    with pytest.raises(ConfigError, match=r"^certificate_url="):
        address.base_url("http://mytenant.cumulocity.com", name="certificate_url")


def test_auto_takes_a_token_where_the_tenant_offers_one(enter: Enter, service: sandbox.Service) -> None:
    client = enter()
    assert client.method == "oai"
    assert client.tenant == "test"
    assert client.user == service.connect["username"]
    assert "ROLE_INVENTORY_READ" in client.roles
    assert client.expires is not None
    assert client.facts()["tenant"] == "test"


def test_auto_takes_basic_where_it_does_not() -> None:
    with (
        sandbox.start(
            "cumulocity", devices=1, days=1, switches={"cumulocity": {"oai_secure": False}}
        ) as started,
        Cumulocity.login(started["cumulocity"].connect) as client,
    ):
        assert client.method == "basic"
        assert client.tenant == "test"
        client.logout()
        with pytest.raises(LoggedOut):
            client.devices()


@pytest.mark.parametrize(
    ("kinds", "method"), [(["OAUTH2_INTERNAL", "BASIC"], "oai"), (["BASIC"], "basic"), ([], "basic")]
)
def test_the_better_way_is_taken(kinds: list[str], method: str) -> None:
    assert auth._offered([{"type": kind} for kind in kinds]) == method


def test_single_sign_on_only_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match="token="):
        auth._offered([{"type": "oauth2"}])


def test_basic_with_and_without_the_tenant(enter: Enter, service: sandbox.Service) -> None:
    name = service.connect["username"]
    for fields in ({"tenant": None}, {"tenant": "test"}, {"tenant": None, "username": f"test/{name}"}):
        assert enter(method="basic", **fields).user == name


def test_the_password_shows_nowhere(enter: Enter, service: sandbox.Service) -> None:
    for method in ("basic", "oai"):
        client = enter(method=method)
        shown = [repr(client), client._repr_html_(), repr(client.session), str(client.facts())]
        shown += [each.http() + each.curl() + repr(each) for each in client.exchanges]
        for secret in running_secrets(client) | {service.connect["password"]}:
            assert all(secret not in text for text in shown)


def running_secrets(client: Cumulocity) -> set[str]:
    return {secret.reveal() for secret in client.session.auth.secrets()}


@pytest.mark.parametrize("method", ["basic", "oai", "auto"])
def test_a_wrong_password(enter: Enter, method: str) -> None:
    with pytest.raises(Unauthorized, match="password is wrong") as caught:
        enter(method=method, password=Secret("wrong-password"))
    assert "Bad credentials" in str(caught.value)
    assert "wrong-password" not in str(caught.value)


def test_a_wrong_tenant(enter: Enter) -> None:
    with pytest.raises(Unauthorized, match="tenant"):
        enter(method="basic", tenant="t99")


def test_missing_fields_are_named_with_the_way_to_give_them() -> None:
    with pytest.raises(MissingFields) as caught:
        Cumulocity.login({"base_url": "https://x.cumulocity.com", "username": "me"})
    assert caught.value.fields == ("password",)
    assert "C8Y_PASSWORD" in str(caught.value)


def test_an_unknown_method(enter: Enter) -> None:
    with pytest.raises(ConfigError, match="certificate"):
        enter(method="kerberos")


class _Elsewhere(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<html><title>Welcome to nginx</title></html>"
        self.send_response(200 if "html" in self.server.answer else 404)  # type: ignore[attr-defined]
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None: ...


@pytest.fixture(params=["html", "404"])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    server.answer = request.param  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_server_that_is_no_cumulocity(elsewhere: str) -> None:
    with pytest.raises(ConfigError, match="does not answer as a Cumulocity tenant"):
        Cumulocity.login({"base_url": elsewhere, "username": "a", "password": "b"})


def test_nobody_at_the_address() -> None:
    with pytest.raises(ConnectionFailed) as caught:
        Cumulocity.login({"base_url": "http://127.0.0.1:9", "username": "a", "password": "b"})
    assert caught.value.kind == "refused"


# -- the second factor ----------------------------------------------------------------------------------


def test_a_second_factor_is_asked_for_and_taken(
    enter: Enter, users: dict[str, dict[str, str]], code: Callable[[], str]
) -> None:
    with pytest.raises(SecondFactorRequired, match="tfa_code") as caught:
        enter(**users["totp"])
    assert caught.value.strategy == "TOTP"
    with pytest.raises(SecondFactorRequired, match="not accepted"):
        enter(**users["totp"], tfa_code=Secret("000000"))
    client = enter(**users["totp"], tfa_code=Secret(code()))
    assert client.user == users["totp"]["username"]
    assert "100000" in set(client.devices()["device"])


def test_basic_cannot_carry_a_second_factor(enter: Enter, users: dict[str, dict[str, str]]) -> None:
    with pytest.raises(SecondFactorRequired, match="method='oai'"):
        enter(**users["totp"], method="basic")


def test_a_session_with_a_second_factor_ends_for_good(
    enter: Enter, users: dict[str, dict[str, str]], code: Callable[[], str], running: sandbox.Sandbox
) -> None:
    running.faults.set("cumulocity", token_seconds=2)
    client = enter(**users["totp"], tfa_code=Secret(code()))
    time.sleep(2.2)
    with pytest.raises(LoggedOut, match="fresh tfa_code"):
        client.api.tenant.current()


# -- tokens -----------------------------------------------------------------------------------------------


def test_a_given_token(enter: Enter) -> None:
    first = enter()
    held = first.session.auth.token.value  # type: ignore[attr-defined]
    client = enter(token=held, username=None, password=None)
    assert client.method == "token"
    assert client.user == first.user
    with pytest.raises(Unauthorized, match="not accepted"):
        enter(token=Secret(held.reveal() + "x"), username=None, password=None)


def test_an_expired_token_says_when_it_expired(enter: Enter, running: sandbox.Sandbox) -> None:
    running.faults.set("cumulocity", token_seconds=1)
    held = enter().session.auth.token.value  # type: ignore[attr-defined]
    time.sleep(2.2)
    with pytest.raises(Unauthorized, match="It expired at 20"):
        enter(token=held, username=None, password=None)


def test_a_short_token_is_renewed_before_its_half_life_is_over(
    enter: Enter, running: sandbox.Sandbox
) -> None:
    running.faults.set("cumulocity", token_seconds=2)
    client = enter()
    for _ in range(5):
        client.api.tenant.current()
        time.sleep(0.5)
    assert 1 <= client.session.auth.renewals <= 3  # type: ignore[attr-defined]


def test_a_revoked_token_is_renewed_once(enter: Enter, service: sandbox.Service) -> None:
    client = enter()
    other = enter(token=client.session.auth.token.value, username=None, password=None)  # type: ignore[attr-defined]
    other.logout()
    assert client.api.tenant.current()["name"] == "test"
    assert client.session.auth.renewals == 1  # type: ignore[attr-defined]


def test_logout_ends_the_token_on_the_server(enter: Enter) -> None:
    client = enter()
    held = client.session.auth.token.value  # type: ignore[attr-defined]
    client.logout()
    assert not client.logged_in
    with pytest.raises(LoggedOut):
        client.devices()
    with pytest.raises(Unauthorized):
        enter(token=held, username=None, password=None)


def test_the_bootstrap_user_is_let_in(enter: Enter, service: sandbox.Service) -> None:
    client = enter(**service.bootstrap, method="basic")
    assert client.user == service.bootstrap["username"]
    assert client.tenant == "management"


def test_the_application_key_goes_along(enter: Enter) -> None:
    client = enter(application_key="my-key")
    client.api.tenant.current()
    assert client.exchanges[-1].request_headers["X-Cumulocity-Application-Key"] == "my-key"


def test_login_is_quick_to_fail_on_tls_to_a_plain_port(service: sandbox.Service) -> None:
    address = service.base_url.replace("http://", "https://")
    with pytest.raises(ConnectionFailed) as caught:
        Cumulocity.login({**service.connect, "base_url": address}, settings=Settings(timeout=(2, 2)))
    assert caught.value.kind in {"tls", "dropped", "other"}
