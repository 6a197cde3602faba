"""connect(): where each value comes from, and what it says when a login cannot be."""

import base64
import json
import os
import subprocess
import sys
import textwrap
from urllib.parse import urlsplit

import pytest
from badserver import reply
from IPython.core.ultratb import VerboseTB
from views import VIEWS

import iotnb
from iotnb import errors, profiles, sandbox
from iotnb.secret import Secret


@pytest.fixture(params=iotnb.platform_names())
def platform(request):
    return request.param


@pytest.fixture(autouse=True)
def own_profiles(tmp_path, monkeypatch):
    monkeypatch.setenv("IOTNB_CONFIG_DIR", str(tmp_path / "config"))


@pytest.fixture
def fields(running, platform):
    """What the sandbox says to log in with."""
    return dict(running[platform].connect)


@pytest.fixture
def enter(platform):
    """Connects, and closes what it connected."""
    clients = []

    def enter(**fields):
        clients.append(iotnb.connect(platform, **fields))
        return clients[-1]

    yield enter
    for client in clients:
        client.close()


def secret_names(platform):
    return {field.name for field in iotnb.platform_class(platform).FIELDS if field.secret}


def addresses(fields):
    """The fields that say where the platform is."""
    found = {name: value for name, value in fields.items() if value.startswith(("http://", "https://"))}
    assert found
    return found


def moved(fields, base):
    """The same login at another host."""
    return fields | {name: base + urlsplit(value).path for name, value in addresses(fields).items()}


def hosts(fields):
    return {urlsplit(value).netloc for value in addresses(fields).values()}


# -- where values come from


def test_arguments_are_enough(enter, fields, running, platform):
    client = enter(**fields)
    assert len(client.devices()) >= len(running.fleet)
    assert {client.sources[name] for name in fields} == {"argument"}
    assert isinstance(client, iotnb.platform_class(platform))
    assert isinstance(client, iotnb.Client)


def test_secrets_may_be_given_as_such(enter, fields, platform):
    hidden = {name: Secret(value) for name, value in fields.items() if name in secret_names(platform)}
    assert hidden
    assert enter(**fields | hidden).logged_in


def test_the_environment_gives_what_no_argument_does(enter, fields, platform, monkeypatch):
    for name, value in fields.items():
        monkeypatch.setenv(f"IOTNB_{platform.upper()}_{name.upper()}", value)
    client = enter()
    assert client.logged_in
    for name in fields:
        assert client.sources[name] == f"environment IOTNB_{platform.upper()}_{name.upper()}"


def test_the_vendors_own_variables_count_too(enter, fields, platform, monkeypatch):
    named = {field.name: field.env[0] for field in iotnb.platform_class(platform).FIELDS if field.env}
    for name, value in fields.items():
        if name in named:
            monkeypatch.setenv(named[name], value)
    client = enter(**{name: value for name, value in fields.items() if name not in named})
    for name in set(fields) & set(named):
        assert client.sources[name] == f"environment {named[name]}"


def test_an_argument_beats_the_environment(enter, fields, platform, monkeypatch):
    for name in fields:
        monkeypatch.setenv(f"IOTNB_{platform.upper()}_{name.upper()}", "https://wrong.invalid")
    assert enter(**fields).logged_in


def test_a_profile_gives_the_rest(enter, fields, platform, monkeypatch):
    secrets = secret_names(platform)
    profiles.save(
        "plant-a",
        platform=platform,
        fields=iotnb.platform_class(platform).FIELDS,
        values={name: value for name, value in fields.items() if name not in secrets},
    )
    for name in secrets & set(fields):
        monkeypatch.setenv(f"IOTNB_{platform.upper()}_{name.upper()}", fields[name])
    client = enter(profile="plant-a")
    for name in fields:
        assert client.sources[name].startswith("environment" if name in secrets else "profile plant-a")


def test_a_profile_that_is_not_there_is_told(enter):
    with pytest.raises(errors.ConfigError, match="no profile 'plant-z'"):
        enter(profile="plant-z")


def test_the_sandbox_that_runs_is_used(enter, running, fields):
    client = enter(sandbox=True)
    assert client.host in hosts(fields)
    assert set(client.sources.values()) <= {"sandbox", "default"}
    assert len(client.devices()) >= len(running.fleet)


def test_the_sandbox_does_not_mix_with_a_real_tenant(enter, fields, platform, monkeypatch):
    for field in iotnb.platform_class(platform).FIELDS:
        if field.secret or field.name in addresses(fields):
            monkeypatch.setenv(f"IOTNB_{platform.upper()}_{field.name.upper()}", "https://wrong.invalid")
    assert enter(sandbox=True).host.startswith("127.0.0.1:")


def test_a_sandbox_of_another_process_is_found(running, platform, fields, tmp_path):
    file = tmp_path / "sandbox.json"
    file.write_text(json.dumps(running.info()))
    code = f"""
        import iotnb
        with iotnb.connect({platform!r}, sandbox=True) as client:
            print(client.host, len(client.devices()))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "IOTNB_SANDBOX": str(file)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout, done.stderr
    assert done.stdout.split()[0] in hosts(fields)


def test_over_tls_the_authority_comes_with_the_sandbox(platform):
    with sandbox.start(platform, tls=True, devices=3, days=1) as secure:
        fields = secure[platform].connect
        with iotnb.connect(platform, **fields) as client:
            assert client.session.base_url.startswith("https://")
            assert len(client.devices()) >= 3
        with pytest.raises(errors.ConnectionFailed, match="ca_file=") as caught:
            iotnb.connect(platform, **{name: value for name, value in fields.items() if name != "ca_file"})
        assert caught.value.kind == "tls"


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_tls_that_is_not_checked_is_visible(platform):
    with sandbox.start(platform, tls=True, devices=3, days=1) as secure:
        fields = {name: value for name, value in secure[platform].connect.items() if name != "ca_file"}
        with iotnb.connect(platform, verify=False, **fields) as client:
            assert "certificate is not checked" in client.facts()["warning"]
            assert "certificate is not checked" in repr(client)
            assert "certificate is not checked" in client._repr_html_()


def test_an_authority_may_come_from_the_environment(platform, monkeypatch):
    with sandbox.start(platform, tls=True, devices=3, days=1) as secure:
        fields = secure[platform].connect
        monkeypatch.setenv(f"IOTNB_{platform.upper()}_CA_FILE", fields.pop("ca_file"))
        with iotnb.connect(platform, **fields) as client:
            assert client.logged_in


# -- what cannot be


@pytest.mark.parametrize("name", ["cumulocty", "cumulo city", "Cumulocityy"])
def test_an_unknown_platform_is_answered_with_the_nearest(name):
    with pytest.raises(errors.ConfigError, match=r"use one of .*cumulocity.*Did you mean 'cumulocity'"):
        iotnb.connect(name)


def test_a_name_may_be_written_in_capitals(running):
    with iotnb.connect(" Cumulocity", **running["cumulocity"].connect) as client:
        assert client.platform == "cumulocity"


def test_a_login_without_anything_names_what_it_needs(platform):
    with pytest.raises(errors.MissingFields) as caught:
        iotnb.connect(platform)
    assert caught.value.fields
    for name in caught.value.fields:
        assert f"{name}=..." in str(caught.value)
        assert f"IOTNB_{platform.upper()}_{name.upper()}" in str(caught.value)


def test_each_missing_secret_is_named(platform, fields):
    secrets = secret_names(platform) & set(fields)
    methods = iotnb.platform_class(platform).METHODS
    for name in secrets:
        rest = {key: value for key, value in fields.items() if key != name}
        if not any(set(method.needs) <= set(rest) for method in methods):  # no other way to log in is left
            with pytest.raises(errors.MissingFields) as caught:
                iotnb.connect(platform, **rest)
            assert caught.value.fields == (name,)


def test_a_mistyped_field_is_answered_with_the_nearest(platform, fields):
    for name in secret_names(platform) & set(fields):
        with pytest.raises(errors.ConfigError, match=rf"{mistyped(name)}.*did you mean {name}"):
            iotnb.connect(platform, **fields, **{mistyped(name): "x"})


def mistyped(name):
    """A name with a letter missing."""
    return name[:2] + name[3:]


def test_a_wrong_password_is_unauthorized_and_not_shown(platform, fields):
    secrets = dict.fromkeys(secret_names(platform) & set(fields), "sentinel-wrong-77")
    with pytest.raises(errors.Unauthorized) as caught:
        iotnb.connect(platform, **fields | secrets)
    assert "sentinel" not in str(caught.value)
    words = {name.split("_")[-1] for name in secrets}  # password, secret, token
    assert any(word in str(caught.value).lower() for word in words)


def test_a_host_that_does_not_exist_is_dns(platform, fields):
    with pytest.raises(errors.ConnectionFailed, match="cannot be resolved") as caught:
        iotnb.connect(platform, **moved(fields, "https://no-such-tenant.invalid"))
    assert caught.value.kind == "dns"


def test_a_host_where_nothing_runs_is_refused(platform, fields):
    with pytest.raises(errors.ConnectionFailed) as caught:
        iotnb.connect(platform, **moved(fields, "http://127.0.0.1:9"))
    assert caught.value.kind == "refused"


@pytest.mark.parametrize(
    "answer",
    [
        reply(b"<html><title>Welcome</title></html>", kind="text/html"),
        reply({"hello": "world"}),
        reply([1, 2]),
        reply({"message": "nothing here"}, 404),
        reply(b"<html><title>Not Found</title></html>", 404, kind="text/html"),
    ],
)
def test_another_server_is_told_apart(platform, fields, bad, answer):
    there = moved(fields, bad.base_url)
    bad.otherwise(answer)
    with pytest.raises(errors.IotnbError) as caught:
        iotnb.connect(platform, **there)
    assert not isinstance(caught.value, errors.Unauthorized)
    assert f"127.0.0.1:{bad.port}" in str(caught.value)
    secrets = [fields[name] for name in secret_names(platform) & set(fields)]
    told = {seen.path for seen in bad.seen if any(shows(seen, secret) for secret in secrets)}
    assert told <= {urlsplit(there[name]).path for name in VIEWS[platform].told_first}


def shows(seen, secret):
    """Whether a request holds a secret, plain or in a Basic header."""
    text = seen.body.decode() + str(seen.headers)
    coded = seen.headers.get("authorization", "").partition(" ")[2]
    return secret in text or secret.encode() in base64.b64decode(coded + "=" * (-len(coded) % 4))


@pytest.mark.parametrize(
    "url", ["not a url", "ftp://host", "https://", "https://me:pw@host", "http://example.org"]
)
def test_an_address_that_cannot_be_is_refused_by_its_name(platform, fields, url):
    for name in addresses(fields):
        with pytest.raises(errors.ConfigError, match=name):
            iotnb.connect(platform, **fields | {name: url})


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"workers": 0}, "workers"),
        ({"rate": 0}, "rate"),
        ({"rate": -2.0}, "rate"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": (5, -1)}, "timeout"),
        ({"retries": -1}, "retries"),
        ({"ca_file": "absent.pem"}, r"absent\.pem"),
    ],
)
def test_options_that_cannot_be_are_refused(platform, fields, options, advice):
    with pytest.raises(errors.ConfigError, match=advice):
        iotnb.connect(platform, **fields, **options)


def test_a_timeout_may_be_one_number(enter, fields):
    assert enter(timeout=60, **fields).session.settings.timeout == (5.0, 60.0)
    assert enter(timeout=2, **fields).session.settings.timeout == (2.0, 2.0)


def test_the_rate_and_the_workers_reach_the_session(enter, fields):
    settings = enter(rate=50, workers=3, retries=1, **fields).session.settings
    assert (settings.rate, settings.workers, settings.retries) == (50, 3, 1)


@pytest.mark.parametrize("wrong", ["platform", "secret", "host", "field", "missing", "option", "interrupt"])
def test_verbose_tracebacks_of_a_login_show_no_secret(platform, fields, bad, wrong, monkeypatch):
    hidden = secret_names(platform) & set(fields)
    fields = fields | dict.fromkeys(hidden, "sentinel-wrong-77")
    options = {}
    if wrong == "host":
        fields = moved(fields, bad.base_url)
    if wrong == "field":
        fields[mistyped(min(hidden))] = "sentinel-wrong-77"
    if wrong == "missing":
        del fields[min(addresses(fields).keys() & needed(platform, fields))]
    if wrong == "option":
        options["ca_file"] = "absent.pem"
    if wrong == "interrupt":
        monkeypatch.setattr("http.client.HTTPConnection.getresponse", interrupt)
    with pytest.raises((errors.IotnbError, KeyboardInterrupt)) as caught:
        iotnb.connect("cumulocty" if wrong == "platform" else platform, **fields, **options)
    trace = caught.value.__traceback__
    while trace is not None and "/tests/" in trace.tb_frame.f_code.co_filename:
        trace = trace.tb_next
    text = VerboseTB(theme_name="nocolor").text(caught.type, caught.value, trace)
    assert "connect(" in text
    assert "sentinel" not in text
    coded = base64.b64encode(b"sentinel-wrong-77").decode()
    assert coded[:8] not in text


def needed(platform, fields):
    """The fields without which there is no login: those of the methods that these values could choose."""
    methods = [each for each in iotnb.platform_class(platform).METHODS if set(each.needs) <= set(fields)]
    return set.intersection(*(set(method.needs) for method in methods))


def interrupt(*_args, **_options):
    raise KeyboardInterrupt
