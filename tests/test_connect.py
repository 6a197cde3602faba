"""connect(): where each value comes from, and what it says when a login cannot be."""

import base64
import json
import os
import subprocess
import sys
import textwrap

import pytest
from badserver import reply
from IPython.core.ultratb import VerboseTB

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


def test_the_sandbox_that_runs_is_used(enter, running, platform):
    client = enter(sandbox=True)
    assert client.session.base_url == running[platform].base_url
    assert set(client.sources.values()) <= {"sandbox", "default"}
    assert len(client.devices()) >= len(running.fleet)


def test_the_sandbox_does_not_mix_with_a_real_tenant(enter, platform, monkeypatch):
    for field in iotnb.platform_class(platform).FIELDS:
        if field.secret or field.name == "base_url":
            monkeypatch.setenv(f"IOTNB_{platform.upper()}_{field.name.upper()}", "https://wrong.invalid")
    assert enter(sandbox=True).host.startswith("127.0.0.1:")


def test_a_sandbox_of_another_process_is_found(running, platform, tmp_path):
    file = tmp_path / "sandbox.json"
    file.write_text(json.dumps(running.info()))
    code = f"""
        import iotnb
        with iotnb.connect({platform!r}, sandbox=True) as client:
            print(client.session.base_url, len(client.devices()))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "IOTNB_SANDBOX": str(file)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.split()[0] == running[platform].base_url, done.stderr


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
    for name in secret_names(platform) & set(fields):
        with pytest.raises(errors.MissingFields) as caught:
            iotnb.connect(platform, **{key: value for key, value in fields.items() if key != name})
        assert caught.value.fields == (name,)


def test_a_mistyped_field_is_answered_with_the_nearest(platform, fields):
    with pytest.raises(errors.ConfigError, match=r"pasword.*did you mean password"):
        iotnb.connect(platform, pasword="x", **fields)


def test_a_wrong_password_is_unauthorized_and_not_shown(platform, fields):
    secrets = dict.fromkeys(secret_names(platform) & set(fields), "sentinel-wrong-77")
    with pytest.raises(errors.Unauthorized) as caught:
        iotnb.connect(platform, **fields | secrets)
    assert "sentinel" not in str(caught.value)
    assert "password" in str(caught.value).lower()


def test_a_host_that_does_not_exist_is_dns(platform, fields):
    with pytest.raises(errors.ConnectionFailed, match="cannot be resolved") as caught:
        iotnb.connect(platform, **fields | {"base_url": "https://no-such-tenant.invalid"})
    assert caught.value.kind == "dns"


def test_a_host_where_nothing_runs_is_refused(platform, fields):
    with pytest.raises(errors.ConnectionFailed) as caught:
        iotnb.connect(platform, **fields | {"base_url": "http://127.0.0.1:9"})
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
    for path in ("", "/", "/tenant/loginOptions"):
        bad.on(path, answer)
    with pytest.raises(errors.IotnbError) as caught:
        iotnb.connect(platform, **fields | {"base_url": bad.base_url})
    assert not isinstance(caught.value, errors.Unauthorized)
    assert f"127.0.0.1:{bad.port}" in str(caught.value)
    assert not any(fields["password"] in seen.body.decode() + str(seen.headers) for seen in bad.seen)


@pytest.mark.parametrize(
    "url", ["not a url", "ftp://host", "https://", "https://me:pw@host", "http://example.org"]
)
def test_a_base_url_that_cannot_be_is_refused(platform, fields, url):
    with pytest.raises(errors.ConfigError, match="base_url"):
        iotnb.connect(platform, **fields | {"base_url": url})


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
        fields["base_url"] = f"http://127.0.0.1:{bad.port}"
    if wrong == "field":
        fields["pasword"] = "sentinel-wrong-77"
    if wrong == "missing":
        del fields["base_url"]
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


def interrupt(*_args, **_options):
    raise KeyboardInterrupt
