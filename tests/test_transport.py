"""Addresses as people write them."""

import pytest

from iotnb import transport
from iotnb.errors import ConfigError
from iotnb.transport import Server


def server(text: str, *, verify: bool | str = True) -> Server:
    return transport.server(
        text, name="app_url", example="https://app.example.com", credentials="token=...", verify=verify
    )


@pytest.mark.parametrize(
    ("given", "url", "path"),
    [
        ("app.example.com", "https://app.example.com", ""),
        (" HTTPS://App.example.com/ ", "https://app.example.com", "/"),
        ("https://edge.example.com:8443/x//y/?z=1#w", "https://edge.example.com:8443", "/x//y/"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080", "/"),
        ("localhost:8080/x", "http://localhost:8080", "/x"),
        ("plant.localhost", "http://plant.localhost", ""),
        ("http://[::1]:8080", "http://[::1]:8080", ""),
        ("[::1]:8080", "http://[::1]:8080", ""),
        ("https://[2001:db8::7]", "https://[2001:db8::7]", ""),
    ],
)
def test_an_address_is_taken_apart(given: str, url: str, path: str) -> None:
    assert server(given) == Server(url, path)


@pytest.mark.parametrize(
    "given",
    ["", "ftp://x.com", "https://", "my app", "https://a:b:c", "https://x.com:99999", "[::1", "https://[::1"],
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match=r"app_url=.* write it as https://app\.example\.com"):
        server(given)


@pytest.mark.parametrize("host", ["app.example.com", "10.0.0.7", "[2001:db8::7]", "localhost.example.com"])
def test_credentials_do_not_travel_in_clear(host: str) -> None:
    with pytest.raises(ConfigError) as caught:
        server(f"http://{host}/x")
    assert f"write https://{host}." in str(caught.value)
    with pytest.raises(ConfigError, match="in clear"):
        server(f"http://{host}/x", verify="authority.pem")
    assert server(f"http://{host}/x", verify=False) == Server(f"http://{host}", "/x")


@pytest.mark.parametrize(
    "given",
    [
        "https://admin:verysecret@x.com",
        "admin:verysecret@x.com",
        "https://verysecret@x.com",
        "https://@x.com",
        "https://admin:verysecret@",
        "https://admin:verysecret@x.com:99999",
        "https://admin:verysecret/more@x.com",
        "https://admin:verysecret@[::1",
    ],
)
def test_a_password_in_the_address_is_refused_without_being_shown(given: str) -> None:
    with pytest.raises(ConfigError, match=r"app_url must not hold .* give token=\.\.\.") as caught:
        server(given)
    assert "verysecret" not in str(caught.value)
