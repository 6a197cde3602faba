"""`iotnb profiles list | show | save | delete`: named connections without their secrets."""

import sys

import click

import iotnb
from iotnb import profiles as store
from iotnb.auth import CA_FILE
from iotnb.cli.base import Group
from iotnb.cli.connection import choose_platform, parse_fields
from iotnb.secret import Secret


@click.group(
    cls=Group,
    short_help="Keep named connections.",
    epilog="""\b
Examples:
  iotnb profiles save plant-a --platform cumulocity --field base_url=https://plant-a.example
  iotnb profiles save plant-b --platform cumulocity --field base_url=https://plant-b.example --keyring token
  iotnb profiles show plant-a
  iotnb devices --profile plant-a
""",
)
def profiles() -> None:
    """Keep named connections; secrets stay in the environment or in a keyring."""


@profiles.command("list")
def names() -> None:
    """Show the saved connections."""
    found = store.names()
    for name in found:
        loaded = store.load(name)
        address = next((value for value in map(str, loaded.values.values()) if "://" in value), "")
        click.echo(f"{name}  {loaded.platform}  {address}".rstrip())
    if not found:
        click.echo(f"no profiles yet in {store.folder()}; make one with 'iotnb profiles save'", err=True)


@profiles.command()
@click.argument("name")
def show(name: str) -> None:
    """Show a connection, and where each value of its login comes from; never a secret."""
    loaded = store.load(name)
    cls = iotnb.platform_class(loaded.platform)
    fields = (*cls.FIELDS, CA_FILE)
    resolved = store.resolve(loaded.platform, fields, methods=cls.METHODS, profile=name)
    click.echo(f"platform  {loaded.platform}")
    for field in fields:
        if field.name in resolved.values:
            shown = "set" if field.secret else resolved.values[field.name]
            click.echo(f"{field.name}  {shown}  (from {resolved.sources[field.name]})")
        elif field.secret:
            click.echo(f"{field.name}  not set: give {' or '.join(field.variables(loaded.platform))}")


@profiles.command()
@click.argument("name")
@click.option("--platform", metavar="NAME", help="The platform, e.g. cumulocity.")
@click.option(
    "--field", "fields", multiple=True, metavar="NAME=VALUE", help="A login field that is no secret."
)
@click.option("--ca-file", type=click.Path(dir_okay=False), help="The server's authority, a PEM file.")
@click.option(
    "--keyring",
    "secrets",
    multiple=True,
    metavar="FIELD",
    help="Ask for this secret and keep it in the keyring.",
)
@click.option("--allow-plaintext", is_flag=True, help="Accept a keyring that keeps secrets as plain text.")
def save(
    name: str,
    platform: str | None,
    fields: tuple[str, ...],
    ca_file: str | None,
    secrets: tuple[str, ...],
    allow_plaintext: bool,
) -> None:
    """Save the connection NAME, replacing one of that name."""
    platform = choose_platform(platform, None)
    cls = iotnb.platform_class(platform)
    values = {**parse_fields(platform, fields), "ca_file": ca_file}
    known = {each.name for each in cls.FIELDS if each.secret}
    for each in secrets:
        if each not in known:
            raise click.UsageError(f"--keyring {each}: {platform}'s secrets are {', '.join(sorted(known))}")
    path = store.save(name, platform=platform, fields=(*cls.FIELDS, CA_FILE), values=values)
    click.echo(f"saved {path}")
    for each in secrets:
        secret = _ask(each)
        store.keep(platform, name=each, secret=secret, profile=name, allow_plaintext=allow_plaintext)
        click.echo(f"{each} is in the keyring")


def _ask(field: str) -> Secret:
    """Reads a secret without showing it; without a terminal, one line of standard input."""
    if sys.stdin.isatty():
        return Secret(click.prompt(field, hide_input=True, err=True))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise click.UsageError(f"--keyring {field}: nothing came on standard input")
    return Secret(line)


@profiles.command()
@click.argument("name")
def delete(name: str) -> None:
    """Delete the connection NAME, and its secrets in the keyring."""
    loaded = store.load(name)
    gone = store.forget(loaded.platform, fields=iotnb.platform_class(loaded.platform).FIELDS, profile=name)
    store.delete(name)
    also = f", and from the keyring {', '.join(gone)}" if gone else ""
    click.echo(f"deleted {name}{also}")
