"""curl lines as documents print them: what is understood, what is refused, and that nothing is made up."""

import json
import shlex
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iotnb import curl
from iotnb.errors import ConfigError
from iotnb.exchange import Exchange

LOGIN = """
$ curl --location --request POST 'https://iam.vendor.example/realms/hub/openid-connect/token' \\
--header 'Content-Type: application/x-www-form-urlencoded' \\
//Put <your_client_id> here; it's shown in the portal.
--data-urlencode 'client_id=<your_client_id>' \\
# and the secret
--data-urlencode 'client_secret=<your_client_secret>' \\
--data-urlencode 'scope=openid email'
"""
REGISTER = """curl --location 'https://vendor.example/api/v3/<your_tenant>' \\
--header 'Content-Type: application/json;ty=2' \\
--header 'X-Origin: C<your_application>' \\
--header 'Authorization: Bearer <your_token>' \\
--data '{
    "m2m:ae": {
        //Its type begins with N.
        "api": "N<your_type>",
        "site": "http://a//b"
    }
}'"""
WINDOWS = """curl -X POST ^
  -H "Accept: application/json" ^
  -d "{\\"name\\":\\"Relay 1\\"}" ^
  "https://t1.example/devices?a=1&b=2"
"""
LOST_BACKSLASH = """curl -X GET "[ENDPOINTS]/api/v1.1/Device"
-H "accept: text/plain"
H "Authorization: Bearer"""
ONE_LINE = (
    "curl -k -X POST https://<HOST>:8243/register -H 'authorization: Basic <USER:PASSWORD IN BASE 64>' "
    '-H \'content-type: application/json\' -d \'{ "applicationName":"a", "tags":["device_management"]}\''
)
CERTIFICATE = """curl -v -cert domain-cert.pem -key domain-key.pem \\
   -H 'X-Ssl-Cert-Chain:<chain of the device>' -X POST \\
   https://<the tenant domain>/devicecontrol/deviceAccessToken

You get an answer like that: it's {"accessToken": "..."}
"""


def test_a_login_with_comments_and_placeholders() -> None:
    request = curl.parse(LOGIN)
    assert (request.method, request.url) == (
        "POST",
        "https://iam.vendor.example/realms/hub/openid-connect/token",
    )
    assert request.data == "client_id=<your_client_id>&client_secret=<your_client_secret>&scope=openid+email"
    assert request.placeholders == ["<your_client_id>", "<your_client_secret>"]
    assert request.literals == []


def test_comments_in_a_json_body_go_and_addresses_in_it_stay() -> None:
    request = curl.parse(REGISTER)
    assert request.method == "POST"
    assert request.json == {"m2m:ae": {"api": "N<your_type>", "site": "http://a//b"}}
    assert request.headers == {"Content-Type": "application/json;ty=2", "X-Origin": "C<your_application>"}
    assert list(request.credentials) == ["Authorization"]
    assert "comment lines in the body were left out" in request.notes
    assert request.placeholders == ["<your_tenant>", "C<your_application>"[1:], "<your_type>"]


def test_the_windows_command_line() -> None:
    request = curl.parse(WINDOWS)
    assert request.json == {"name": "Relay 1"}
    assert request.url == "https://t1.example/devices?a=1&b=2"
    assert request.headers["Accept"] == "application/json"


def test_a_line_that_lost_its_backslashes_a_dash_and_a_quote() -> None:
    request = curl.parse(LOST_BACKSLASH)
    assert (request.method, request.headers) == ("GET", {"accept": "text/plain"})
    assert request.url == "https://[ENDPOINTS]/api/v1.1/Device"
    assert list(request.credentials) == ["Authorization"]
    assert request.literals == []
    assert "H was read as -H: its dash is missing" in request.notes


def test_everything_in_one_line_with_an_insecure_switch() -> None:
    request = curl.parse(ONE_LINE)
    assert request.insecure
    assert request.url == "https://<HOST>:8243/register"
    assert request.json == {"applicationName": "a", "tags": ["device_management"]}
    assert request.literals == []


def test_the_text_of_the_document_behind_the_line_is_no_part_of_it() -> None:
    request = curl.parse(CERTIFICATE)
    assert request.url == "https://<the tenant domain>/devicecontrol/deviceAccessToken"
    assert request.method == "POST"
    assert any("left to the login" in note for note in request.notes)
    assert not any("answer" in note for note in request.notes)


@pytest.mark.parametrize(
    ("line", "method", "url", "data"),
    [
        ("curl example.com/a", "GET", "https://example.com/a", None),
        ("curl -XDELETE https://a.example/b", "DELETE", "https://a.example/b", None),
        ("curl -sSLX PUT --url https://a.example/b -d x=1", "PUT", "https://a.example/b", "x=1"),
        ("curl -d a=1 -d b=2 https://a.example", "POST", "https://a.example", "a=1&b=2"),
        ("curl -G -d a=1 --data-urlencode 'b=x y&z' https://a.example?c=3", "GET",
         "https://a.example?c=3&a=1&b=x+y%26z", None),
        ("curl --get --url-query 'q=a b' https://a.example", "GET", "https://a.example?q=a+b", None),
        ("curl -I https://a.example", "HEAD", "https://a.example", None),
        ("curl -i -v https://a.example/x?a=1&b=2", "GET", "https://a.example/x?a=1&b=2", None),
        ("curl https://a.example/x | jq '.a'", "GET", "https://a.example/x", None),
        ("curl https://a.example/x > out.json 2>&1", "GET", "https://a.example/x", None),
        ("curl --request=PATCH --data-raw='[1]' https://a.example", "PATCH", "https://a.example", "[1]"),
        ("curl --json '{\"a\":1}' https://a.example", "POST", "https://a.example", '{"a":1}'),
        ("curl $'https://a.example/\\x41\\'s' -d $'l1\\nl2'", "POST", "https://a.example/A's", "l1\nl2"),
        ("curl “https://a.example/b” \u2013H “Accept: text/plain”", "GET", "https://a.example/b", None),
        ("curl `\n  https://a.example/b `\n  -X POST", "POST", "https://a.example/b", None),
        ("curl -X GET \\ \n  https://a.example/b", "GET", "https://a.example/b", None),
        ('curl ^"https://a.example/b?c=^%^7B^" ^\n -H ^"A: b^"', "GET", "https://a.example/b?c=%7B", None),
    ],
)  # fmt: skip
def test_forms(line: str, method: str, url: str, data: str | None) -> None:
    request = curl.parse(line)
    assert (request.method, request.url, request.data) == (method, url, data)


def test_forms_in_parts() -> None:
    request = curl.parse(
        'curl -F \'object={"name":"a"}\' -F file=@pump.txt;type=text/plain https://a.example/binaries'
    )
    assert request.method == "POST"
    assert request.forms == [
        curl.Part("object", '{"name":"a"}'),
        curl.Part("file", "pump.txt", file=True, type="text/plain"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "curl -H 'Authorization: Bearer abc123def456ghi' https://a.example",
        "curl -u admin:s3cret-word https://a.example",
        "curl https://admin:s3cret-word@a.example/x",
        "curl -d 'grant_type=password&password=s3cret-word' https://a.example",
        "curl -b 'session=s3cret-word' https://a.example",
        "curl -H 'X-XSRF-TOKEN: s3cret-word' https://a.example",
        "curl 'https://a.example/x?access_token=s3cret-word'",
        'curl -d \'{"clientSecret": "s3cret-word"}\' https://a.example',
    ],
)
def test_a_secret_in_clear_is_named_and_never_shown(line: str) -> None:
    request = curl.parse(line)
    assert request.literals
    assert "s3cret-word" not in " ".join(request.literals) + repr(request.credentials) + str(request.notes)


@pytest.mark.parametrize(
    "value",
    [
        "Bearer <your_token>",
        "Bearer {token}",
        "Basic ${AUTH}",
        "Bearer $TOKEN",
        "Bearer",
        "Bearer ••••••",
        "Bearer YOUR_TOKEN",
    ],
)
def test_a_placeholder_is_no_secret(value: str) -> None:
    assert curl.parse(f"curl -H 'Authorization: {value}' https://a.example").literals == []


def test_several_lines_in_one_text() -> None:
    text = f"First:\n{LOGIN}\nThen:\n{REGISTER}\n\ncurl https://a.example/last"
    assert [curl.parse(each).url.rsplit("/", 1)[-1] for each in curl.split(text)] == [
        "token",
        "<your_tenant>",
        "last",
    ]
    with pytest.raises(ConfigError, match="3 curl lines"):
        curl.parse(text)


def test_a_quote_that_is_never_closed_does_not_swallow_the_next_line() -> None:
    text = "curl -H \"Authorization: Bearer\n\ncurl -X GET 'https://a.example/next'"
    with pytest.raises(ConfigError, match="no address"):
        curl.parse(curl.split(text)[0])
    assert curl.parse(curl.split(text)[1]).url == "https://a.example/next"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("wget https://a.example", "no curl line"),
        ("curl --version", "asks no server"),
        ("curl -X GET", "no address"),
        ("curl --bogus https://a.example", "--bogus is no option"),
        ("curl -y https://a.example", "-y is no option"),
        ("curl -x proxy:80 https://a.example", "--proxy is not done"),
        ("curl -F a=1 -d b=2 https://a.example", "exclude each other"),
    ],
)
def test_what_cannot_be_done_is_said(line: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        curl.parse(line)


def test_no_message_repeats_what_was_typed_as_a_secret() -> None:
    with pytest.raises(ConfigError) as caught:
        curl.parse("curl -u me:s3cret-word --bogus https://a.example")
    assert "s3cret-word" not in str(caught.value)


# -- properties

words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
names = st.from_regex(r"\A[A-Za-z][A-Za-z0-9-]{0,12}\Z").filter(
    lambda name: name.lower() not in {"authorization", "cookie", "host", "connection", "proxy-authorization"}
)
values = words.map(str.strip).filter(bool)
bodies = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
).map(lambda value: {"value": value})
gaps = st.sampled_from([" ", "  ", " \\\n  ", " \\\n", "\t"])


@given(
    st.sampled_from(["GET", "PUT", "PATCH", "DELETE"]),
    st.lists(st.from_regex(r"\A[a-zA-Z0-9._~-]{1,12}\Z"), min_size=1, max_size=4),
    st.dictionaries(st.from_regex(r"\A[a-z]{1,8}\Z"), words, max_size=3),
    st.dictionaries(names, values, max_size=3),
    st.none() | bodies,
    gaps,
)
def test_what_a_shell_would_send_is_what_is_read(
    method: str,
    path: list[str],
    query: dict[str, str],
    headers: dict[str, str],
    body: dict[str, object] | None,
    gap: str,
) -> None:
    address = "https://a.example/" + "/".join(path)
    if query:
        address += "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    parts = ["curl", f"-X{gap}{method}", shlex.quote(address)]
    parts += [f"-H{gap}{shlex.quote(f'{name}: {value}')}" for name, value in headers.items()]
    if body is not None:
        parts.append(f"--data-raw{gap}{shlex.quote(json.dumps(body))}")
    request = curl.parse(gap.join(parts))
    assert request.method == method
    assert urlsplit(request.url).path == "/" + "/".join(path)
    assert dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True)) == query
    sent = {
        name: value for name, value in request.headers.items() if name != "Content-Type" or name in headers
    }
    unsent = {"content-length", "accept-encoding", "transfer-encoding", "x-xsrf-token"}
    assert sent == {name: value for name, value in headers.items() if name.lower() not in unsent}
    assert request.json == body


@given(st.text(max_size=200))
@example("curl '")
@example("curl \\")
@example('curl ^"')
@example("curl $'\\")
@example("curl https://[")
@example("curl {x")
def test_any_text_is_read_or_refused(text: str) -> None:
    for line in (text, f"curl {text}"):
        try:
            request = curl.parse(line)
        except ConfigError:
            continue
        assert request.url
        assert request.method == request.method.upper()


@given(
    st.sampled_from(["GET", "POST", "PUT", "HEAD"]),
    st.dictionaries(names, values, max_size=3),
    st.none() | bodies,
)
def test_the_curl_of_an_exchange_comes_back(
    method: str, headers: dict[str, str], body: dict[str, object] | None
) -> None:
    content = None if body is None or method == "HEAD" else json.dumps(body).encode()
    made = Exchange.begin(
        method, "https://a.example/x?a=1%202", headers, content, datetime(2026, 1, 1, tzinfo=UTC), []
    )
    request = curl.parse(made.curl())
    assert (request.method, request.url) == (method, "https://a.example/x?a=1%202")
    assert request.json == (json.loads(made.request_body) if content else None)
