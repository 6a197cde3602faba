"""Named connections, the keyring, and the order in which a login's values are looked for."""

import itertools
import json
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import keyring.backends.null
import pytest

from iotnb import profiles
from iotnb.auth import CA_FILE, Field, Method
from iotnb.errors import ConfigError
from iotnb.secret import Secret

FIELDS = (
    Field(name="base_url", label="URL", env=("ACME_URL",)),
    Field(name="username", label="User", env=("ACME_USER",)),
    Field(name="password", label="Password", secret=True, env=("ACME_PASSWORD",)),
    Field(name="token", label="Token", secret=True, env=("ACME_TOKEN",)),
    Field(name="certificate", label="Certificate", path=True),
    Field(name="realm", label="Realm", default="public"),
    Field(name="method", label="Method", choices=("auto", "token", "basic", "certificate"), default="auto"),
    CA_FILE,
)
METHODS = (
    Method(name="token", label="Bearer token", needs=("base_url", "token")),
    Method(name="certificate", label="Certificate", needs=("base_url", "certificate")),
    Method(name="basic", label="Password", needs=("base_url", "username", "password")),
)
SENTINEL = "s3ntinel-Ω-0042"


class Chest(keyring.backend.KeyringBackend):
    """A working backend in memory."""

    priority = 5

    def __init__(self):
        super().__init__()
        self.entries = {}

    def get_password(self, service, username):
        return self.entries.get((service, username))

    def set_password(self, service, username, password):
        self.entries[service, username] = password

    def delete_password(self, service, username):
        del self.entries[service, username]


class PlaintextChest(Chest):
    """Stands for the backends that write clear text into a file."""


class LockedChest(Chest):
    """A keyring whose owner did not unlock it."""

    def get_password(self, service, username):
        raise keyring.backend.errors.KeyringLocked("locked")

    def set_password(self, service, username, password):
        raise keyring.backend.errors.KeyringLocked("locked")


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("IOTNB_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture(autouse=True)
def backend():
    """Puts a keyring backend in place: none, until a test asks for one."""
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield keyring.set_keyring
    keyring.set_keyring(before)


def save(name="plant-a", **values):
    return profiles.save(name, platform="acme", fields=FIELDS, values=values)


def resolve(arguments=None, *, environ=None, **more):
    return profiles.resolve("acme", FIELDS, arguments, environ=environ or {}, **more)


# --- files


def test_a_saved_profile_comes_back():
    save(base_url="https://acme.example", username="ann", realm="")
    loaded = profiles.load("plant-a", fields=FIELDS)
    assert loaded == profiles.Profile(
        "plant-a", "acme", {"base_url": "https://acme.example", "username": "ann"}
    )
    assert profiles.names() == ["plant-a"]


def test_a_file_written_by_hand_is_read(config):
    (config / "profiles").mkdir(parents=True)
    (config / "profiles" / "hand.toml").write_text(
        'platform = "acme"\nbase_url = "https://h"\nusername = 7\n'
    )
    assert profiles.load("hand", fields=FIELDS).values == {"base_url": "https://h", "username": "7"}


def test_delete_and_overwrite():
    save(base_url="https://one", username="ann")
    save(base_url="https://two")
    assert profiles.load("plant-a").values == {"base_url": "https://two"}
    profiles.delete("plant-a")
    assert profiles.names() == []
    with pytest.raises(ConfigError, match="no profile 'plant-a'"):
        profiles.delete("plant-a")


def test_only_the_owner_can_read_even_with_an_open_umask(config):
    config.mkdir()
    (config / "profiles").mkdir(mode=0o777)
    before = os.umask(0)
    try:
        path = save(base_url="https://acme.example")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["plant-a.toml"], "no temporary file is left"


def test_the_file_is_created_private_not_made_private_later():
    """At every moment from its creation the file has mode 0600: watched from an audit hook."""
    script = textwrap.dedent("""
        import os, stat, sys
        os.umask(0)
        seen = []
        def watch(event, args):
            if event in ("os.rename", "os.chmod") and str(args[0]).endswith(".tmp"):
                seen.append((event, stat.S_IMODE(os.stat(args[0]).st_mode)))
        sys.addaudithook(watch)
        from iotnb import profiles
        from iotnb.auth import Field
        fields = [Field(name="base_url", label="URL")]
        profiles.save("p", platform="acme", fields=fields, values={"base_url": "x"})
        print(seen)
    """)
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[('os.rename', 384)]"  # 0o600, renamed into place, never chmod-ed


@pytest.mark.parametrize("value", [SENTINEL, Secret(SENTINEL)])
def test_a_secret_is_refused_with_the_reason(config, value):
    with pytest.raises(ConfigError, match=r"password is a secret.*environment.*keyring") as caught:
        save(base_url="https://acme.example", password=value)
    assert SENTINEL not in str(caught.value)
    assert not list(config.rglob("*.toml"))


def test_a_secret_written_by_hand_is_refused(config):
    (config / "profiles").mkdir(parents=True)
    (config / "profiles" / "hand.toml").write_text(f'platform = "acme"\npassword = "{SENTINEL}"\n')
    for fields in (FIELDS, ()):
        with pytest.raises(ConfigError, match=r"password is a secret.*delete that line") as caught:
            profiles.load("hand", fields=fields)
        assert SENTINEL not in str(caught.value)


def test_a_password_inside_a_url_is_refused():
    with pytest.raises(ConfigError, match="password inside the URL") as caught:
        save(base_url=f"https://ann:{SENTINEL}@acme.example")
    assert SENTINEL not in str(caught.value)


def test_tls_off_is_never_remembered():
    with pytest.raises(ConfigError, match="never remembered"):
        save(base_url="https://acme.example", verify="false")


def test_an_unknown_field_is_named_with_the_one_meant():
    with pytest.raises(ConfigError, match="did you mean base_url"):
        save(baseurl="https://acme.example")


@pytest.mark.parametrize("name", ["", "..", "../evil", "a/b", ".hidden", "a" * 65, "a b"])
def test_names_that_are_no_file_names_are_refused(name):
    with pytest.raises(ConfigError, match="no name for a profile"):
        save(name, base_url="https://acme.example")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("platform = ", "cannot be read"),
        ('base_url = "x"', "names no platform"),
        ('platform = "acme"\nbase_url = ["x"]', "base_url must be a text"),
    ],
)
def test_a_broken_file_is_named(config, text, words):
    (config / "profiles").mkdir(parents=True)
    (config / "profiles" / "hand.toml").write_text(text)
    with pytest.raises(ConfigError, match=words):
        profiles.load("hand")


def test_a_missing_profile_lists_those_there_are():
    save("plant-a", base_url="https://x")
    with pytest.raises(ConfigError, match="plant-a") as caught:
        profiles.load("plant-b")
    assert "iotnb profiles save plant-b" in str(caught.value)


# --- the order


def test_every_pair_of_sources_is_ordered(backend):
    """Argument > environment > keyring > profile > default, whichever two of them have a value."""
    chest = Chest()
    backend(chest)
    save(realm="profile", username="profile")
    ranked = ["argument", "environment", "profile", "default"]
    for first, second in itertools.combinations(ranked, 2):
        used = {first, second}
        found = resolve(
            {"realm": "argument"} if "argument" in used else None,
            environ={"IOTNB_ACME_REALM": "environment"} if "environment" in used else {},
            profile="plant-a" if "profile" in used else None,
        )
        expected = "public" if first == "default" else first
        assert found.values["realm"] == expected, (first, second)
        assert found.sources["realm"].startswith(first)
    chest.entries["iotnb", "acme/password"] = "from the keyring"
    for first, second in itertools.combinations(["argument", "environment", "keyring"], 2):
        used = {first, second}
        found = resolve(
            {"password": "from the argument"} if "argument" in used else None,
            environ={"ACME_PASSWORD": "from the environment"} if "environment" in used else {},
        )
        assert found.values["password"] == Secret(f"from the {first}")
        assert found.sources["password"].startswith(first)


def test_our_variable_beats_the_vendors_and_both_are_named():
    both = {"IOTNB_ACME_USERNAME": "ours", "ACME_USER": "theirs"}
    assert resolve(environ=both).values["username"] == "ours"
    assert resolve(environ=both).sources["username"] == "environment IOTNB_ACME_USERNAME"
    assert resolve(environ={"ACME_USER": "theirs"}).sources["username"] == "environment ACME_USER"
    assert "username" not in resolve(environ={"ACME_USER": ""}).values


def test_secrets_come_back_masked():
    found = resolve({"password": SENTINEL}, environ={"ACME_TOKEN": SENTINEL})
    assert SENTINEL not in repr(found)
    assert found.values["password"].reveal() == SENTINEL


def test_a_password_given_is_not_overruled_by_a_token_lying_in_the_environment():
    environ = {"ACME_TOKEN": SENTINEL, "ACME_URL": "https://acme.example"}
    found = resolve({"username": "ann", "password": "x"}, environ=environ, methods=METHODS)
    assert "token" not in found.values
    assert found.values["base_url"] == "https://acme.example"
    assert "token" in resolve(environ=environ, methods=METHODS).values


def test_a_profile_that_names_its_method_is_obeyed():
    save(base_url="https://acme.example", method="certificate", certificate="~/device.pem")
    environ = {"ACME_USER": "ann", "ACME_PASSWORD": SENTINEL}
    found = resolve(environ=environ, profile="plant-a", methods=METHODS)
    assert found.values.keys() == {"base_url", "method", "certificate", "realm"}
    assert found.values["certificate"] == str(Path.home() / "device.pem")


def test_a_profile_of_another_platform_is_refused():
    save(base_url="https://acme.example")
    with pytest.raises(ConfigError, match="for acme, not other"):
        profiles.resolve("other", fields=FIELDS, profile="plant-a", environ={})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"usrname": "ann"}, "did you mean username"),
        ({"method": "magic"}, "method from argument is 'magic'"),
        ({"username": Secret("ann")}, "username is no secret"),
    ],
)
def test_wrong_arguments_are_named(arguments, words):
    with pytest.raises(ConfigError, match=words):
        resolve(arguments)


def test_none_and_empty_count_as_not_given():
    found = resolve({"username": None, "realm": ""}, environ={"ACME_USER": "ann"})
    assert found.values["username"] == "ann"
    assert found.values["realm"] == "public"


def test_the_authority_of_a_private_server_can_be_remembered():
    save(base_url="https://acme.example", ca_file="~/ca.pem")
    assert resolve(profile="plant-a").values["ca_file"] == str(Path.home() / "ca.pem")
    environ = {"IOTNB_ACME_CA_FILE": "/other.pem"}
    assert resolve(profile="plant-a", environ=environ).values["ca_file"] == "/other.pem"


# --- the keyring


def test_a_kept_secret_is_found_and_forgotten(backend, config):
    backend(Chest())
    profiles.keep("acme", name="password", secret=Secret(SENTINEL), profile="plant-a")
    save(base_url="https://acme.example", username="ann")
    found = resolve(profile="plant-a")
    assert found.values["password"].reveal() == SENTINEL
    assert found.sources["password"] == "keyring"
    assert "password" not in resolve().values, "a profile's secret is only for that profile"
    assert "password" not in resolve(profile="plant-a", keyring=False).values
    assert all(SENTINEL not in path.read_text() for path in config.rglob("*.toml"))
    assert profiles.forget("acme", fields=FIELDS, profile="plant-a") == ["password"]
    assert "password" not in resolve(profile="plant-a").values


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (keyring.backends.fail.Keyring, "no keyring backend"),
        (keyring.backends.null.Keyring, "switched off"),
        (PlaintextChest, "plain text"),
    ],
)
def test_an_unfit_backend_stores_nothing_and_says_why(backend, chosen, words):
    chest = chosen()
    backend(chest)
    status = profiles.keyring_status()
    assert not status.available
    assert words in status.reason
    with pytest.raises(ConfigError, match=rf"password was not stored.*{words}"):
        profiles.keep("acme", name="password", secret=SENTINEL)
    assert not getattr(chest, "entries", {})
    assert "password" not in resolve().values
    assert profiles.forget("acme", fields=FIELDS) == []


def test_a_plain_text_backend_can_be_allowed_and_is_announced_each_time(backend):
    backend(PlaintextChest())
    with pytest.warns(UserWarning, match="plain text"):
        profiles.keep("acme", name="password", secret=SENTINEL, allow_plaintext=True)
    assert "password" not in resolve().values
    with pytest.warns(UserWarning, match="plain text"):
        assert resolve(allow_plaintext=True).values["password"].reveal() == SENTINEL


def test_a_locked_keyring_is_told_and_not_fatal(backend):
    backend(LockedChest())
    with pytest.warns(UserWarning, match="keyring did not give"):
        assert resolve({"username": "ann"}).values["username"] == "ann"
    with pytest.raises(ConfigError, match="refused it"):
        profiles.keep("acme", name="password", secret=SENTINEL)


def test_the_keyring_is_not_opened_when_nothing_is_wanted_from_it():
    script = textwrap.dedent("""
        import json, sys
        from iotnb import profiles
        from iotnb.auth import Field
        field = Field(name="password", label="Password", secret=True)
        profiles.resolve("acme", fields=[field], arguments={"password": "x"}, environ={})
        print(json.dumps("keyring" in sys.modules))
    """)
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(out.stdout) is False


def test_without_the_package_the_reason_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    status = profiles.keyring_status()
    assert not status.available
    assert "iotnb[keyring]" in status.reason
    assert resolve({"username": "ann"}).values["username"] == "ann"
    with pytest.raises(ConfigError, match="not installed"):
        profiles.keep("acme", name="password", secret=SENTINEL)
