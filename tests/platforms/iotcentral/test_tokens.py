"""Credentials, read before anything is sent: API tokens, pasted bearers, device keys and signatures."""

import base64
import json
import time
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from iotnb.errors import ConfigError, MissingFields
from iotnb.platforms.iotcentral import IotCentral, derive_key
from iotnb.platforms.iotcentral.device import DeviceAuth, Phone, signed
from iotnb.platforms.iotcentral.tokens import APPLICATION, MANAGEMENT, ApiTokenAuth, Pasted
from iotnb.secret import Secret

SIG = "aB3%2Bd%2Fe%3D"
APP = "6ebd8fd3-6e34-419e-908f-9be61ec6f6d6"
TOKEN = f"SharedAccessSignature sr={APP}&sig={SIG}&skn=operator-token&se=1826668800000"
GROUP_KEY = base64.b64encode(b"0" * 32).decode()
PHONE_KEY = "DU49uFn8KWFfZrZrJClY7WDKamKG5Bc/jNRomG2ewew="


def jwt(**claims: object) -> str:
    parts = [{"alg": "RS256"}, claims]
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*coded, "c2lnbmF0dXJl"])


def test_an_api_token_tells_its_name_and_its_end_in_milliseconds():
    auth = ApiTokenAuth(Secret(TOKEN))
    assert auth.id == "operator-token"
    assert auth.application == APP
    assert auth.expires == datetime(2027, 11, 20, tzinfo=UTC)
    assert dict(auth.headers()) == {"Authorization": TOKEN}


@pytest.mark.parametrize(
    "form", [TOKEN, f"  {TOKEN}\n", TOKEN.removeprefix("SharedAccessSignature "), f'"{TOKEN}"']
)
def test_an_api_token_is_taken_as_people_paste_it(form):
    assert dict(ApiTokenAuth(Secret(form)).headers()) == {"Authorization": TOKEN}


def test_an_api_token_is_taken_from_the_answer_that_created_it():
    answer = json.dumps({"id": "operator-token", "token": TOKEN})
    assert ApiTokenAuth(Secret(answer)).id == "operator-token"


def test_the_signature_is_never_shown():
    auth = ApiTokenAuth(Secret(TOKEN))
    shown = f"{auth!r} {auth.describe()} {auth.headers()!r}"
    assert SIG not in shown
    assert "aB3+d/e=" not in shown
    assert "operator-token" in shown
    assert {secret.reveal() for secret in auth.secrets()} == {TOKEN, SIG, "aB3+d/e="}


@pytest.mark.parametrize(
    "text", ["", "abc", "SharedAccessSignature", "sr=a&sig=b&skn=c&se=soon", "sr=a&skn=c&se=1", "{nothing"]
)
def test_what_is_no_api_token_is_told_before_anything_is_sent(text):
    with pytest.raises(ConfigError) as caught:
        ApiTokenAuth(Secret(text))
    assert "api_token" in str(caught.value) or "JSON" in str(caught.value)


def test_a_bearer_is_taken_bare_or_with_the_json_around_it():
    token = jwt(aud=APPLICATION, upn="ann@contoso.com", exp=4102444800)
    whole = json.dumps({"accessToken": token, "subscription": "sub-1", "tenant": "dir-1"})
    for text in (token, f"Bearer {token}", whole):
        pasted = Pasted(Secret(text), audience=APPLICATION)
        assert dict(pasted.auth.headers()) == {"Authorization": f"Bearer {token}"}
        assert pasted.user == "ann@contoso.com"
    assert (pasted.subscription, pasted.directory) == ("sub-1", "dir-1")


@pytest.mark.parametrize(
    ("given", "wanted", "field"),
    [
        (MANAGEMENT, APPLICATION, "management_bearer"),
        (MANAGEMENT + "/", APPLICATION, "management_bearer"),
        ("https://management.core.windows.net/", APPLICATION, "management_bearer"),
        (APPLICATION, MANAGEMENT, "bearer"),
        ("9edfcdd9-0bc5-4bd4-b287-c3afc716aac7", MANAGEMENT, "bearer"),
    ],
)
def test_a_token_for_the_other_audience_is_told_apart(given, wanted, field):
    with pytest.raises(ConfigError) as caught:
        Pasted(Secret(jwt(aud=given)), audience=wanted)
    assert f"Give this token as {field}=" in str(caught.value)
    assert f"az account get-access-token --resource {wanted}" in str(caught.value)


@pytest.mark.parametrize("text", ["{}", '{"accessToken": ""}', "{broken", '{"subscription": "s"}'])
def test_json_without_a_token_is_told(text):
    with pytest.raises(ConfigError):
        Pasted(Secret(text), audience=APPLICATION)


def test_a_login_says_what_it_lacks():
    with pytest.raises(MissingFields) as caught:
        IotCentral.login({"app_url": "my-app"})
    assert caught.value.fields
    with pytest.raises(MissingFields) as caught:
        IotCentral.login({"app_url": "my-app", "method": "client_credentials", "directory": "d"})
    assert caught.value.fields == ("client_id", "client_secret")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a",
        "https://user:word@a.azureiotcentral.com",
        "https://",
        "http://my-app.azureiotcentral.com",
        "a b",
    ],
)
def test_an_address_that_cannot_be_right_is_told_before_anything_is_sent(url):
    with pytest.raises(ConfigError):
        IotCentral.login({"app_url": url, "api_token": TOKEN})


# -- the device's side


def test_a_device_key_follows_from_the_groups():
    assert derive_key(GROUP_KEY, "phone-001").reveal() == PHONE_KEY
    assert derive_key(Secret(GROUP_KEY), "phone-002") != Secret(PHONE_KEY)


@pytest.mark.parametrize(
    ("resource", "signature"),
    [
        ("0ne00ABCDEF/registrations/phone-001", "ANXX+HSCm+NkfmxbNV+APwgXYzrdkHoZ+dRIVeS7dLM="),
        ("iotc-1.azure-devices.net/devices/phone-001", "0KKLUwRfUkSJpxKyhCwe5YXxw5YeUkwYaWlhJ0PSrZE="),
    ],
)
def test_signatures_are_those_of_the_document(resource, signature):
    made = signed(resource, Secret(PHONE_KEY), 1893456000)
    assert parse_qs(made.partition(" ")[2].replace("+", "%2B"))["sig"] == [signature]
    assert made.endswith("&se=1893456000")


def test_a_signature_is_for_seconds_and_hides_the_key():
    auth = DeviceAuth("0ne00ABCDEF/registrations/phone-001", Secret(PHONE_KEY), policy="registration")
    header = auth.headers()["Authorization"]
    end = int(parse_qs(header.partition(" ")[2])["se"][0])
    assert time.time() < end < time.time() + 86_400
    assert header.endswith("&skn=registration")
    assert PHONE_KEY not in f"{auth!r}{auth.describe()}"


@pytest.mark.parametrize("key", ["", "not base64!", "====", "äöü"])
def test_a_key_that_is_none_is_told(key):
    with pytest.raises(ConfigError, match="key="):
        derive_key(key, "phone-001")
    with pytest.raises(ConfigError, match="key="):
        Phone("phone-001", id_scope="0ne0", key=key)


def test_a_phone_needs_its_identity():
    with pytest.raises(ConfigError, match="id_scope"):
        Phone("phone-001", id_scope=" ", key=PHONE_KEY)
    with pytest.raises(ConfigError, match="register"):
        Phone("phone-001", id_scope="0ne0", key=PHONE_KEY).send({"battery": 5})
