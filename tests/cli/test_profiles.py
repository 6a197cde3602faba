"""`iotnb profiles`: connections kept without their secrets."""

import stat

SAVE = ("profiles", "save", "plant-a", "--platform", "cumulocity")
FIELDS = ("--field", "base_url=https://plant-a.example", "--field", "username=ann")


def test_saved_shown_listed_deleted(cli):
    path = cli(*SAVE, *FIELDS).stdout.removeprefix("saved ").strip()
    assert stat.S_IMODE((cli.folder / path).stat().st_mode) == 0o600
    assert cli("profiles", "list").stdout == "plant-a  cumulocity  https://plant-a.example\n"
    shown = cli("profiles", "show", "plant-a", C8Y_PASSWORD="s3ntinel-0042").stdout
    assert "username  ann  (from profile plant-a)" in shown
    assert "password  set  (from environment C8Y_PASSWORD)" in shown
    assert "s3ntinel" not in shown
    assert "deleted plant-a" in cli("profiles", "delete", "plant-a").stdout
    assert "no profiles yet" in cli("profiles", "list").stderr


def test_show_says_how_to_give_a_missing_secret(cli):
    cli(*SAVE, *FIELDS)
    shown = cli("profiles", "show", "plant-a").stdout
    assert "password  not set: give IOTNB_CUMULOCITY_PASSWORD or C8Y_PASSWORD" in shown


def test_a_secret_field_is_refused_and_nothing_is_saved(cli):
    done = cli(*SAVE, *FIELDS, "--field", "password=s3ntinel-0042", code=2)
    assert "password is a secret" in done.stderr
    assert cli("profiles", "list").stdout == ""


def test_without_a_keyring_the_secret_is_not_stored_and_it_says_why(cli):
    done = cli(*SAVE, *FIELDS, "--keyring", "password", code=2, stdin="s3ntinel-0042\n")
    assert "the keyring is not available: the keyring is switched off" in done.stderr
    assert not [path for path in cli.folder.rglob("*") if path.is_file() and "s3ntinel" in path.read_text()]


def test_only_secrets_go_to_the_keyring(cli):
    assert "secrets are" in cli(*SAVE, *FIELDS, "--keyring", "username", code=2).stderr


def test_a_profile_logs_in(cli, sandbox):
    login = sandbox["info"]["cumulocity"]["connect"]
    fields = [f"--field={name}={login[name]}" for name in ("base_url", "tenant", "username")]
    cli(*SAVE, *fields)
    done = cli("devices", "--profile", "plant-a", "--csv", "-", C8Y_PASSWORD=login["password"])
    assert len(done.stdout.splitlines()) == 7
