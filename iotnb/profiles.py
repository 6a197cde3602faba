"""Named connections, and where each value of a login comes from.

A value is looked for in this order: argument, environment, keyring, profile, the field's default. A profile
is one TOML file that only its owner can read, and it holds no secret: those come from the environment or from
a keyring.
"""

import difflib
import os
import re
import tempfile
import tomllib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs
import tomli_w

from iotnb.auth import Field, Method
from iotnb.errors import ConfigError
from iotnb.secret import Secret

Value = str | Secret
SERVICE = "iotnb"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SECRET_NAME = re.compile(r"password|passphrase|secret|token|tfa_code|api_?key|credential", re.IGNORECASE)


@dataclass(frozen=True)
class Profile:
    """A named connection: the platform and its login fields, none of them secret."""

    name: str
    platform: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Resolved:
    """The values of a login and, field by field, where each came from."""

    values: dict[str, Value] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Keyring:
    """Whether a keyring can keep secrets here; `reason` says why not."""

    available: bool
    name: str
    reason: str = ""
    plaintext: bool = False


# --- files


def folder() -> Path:
    """The folder of the profiles: `IOTNB_CONFIG_DIR`, or `iotnb` in the user's configuration folder."""
    chosen = os.environ.get("IOTNB_CONFIG_DIR")
    base = Path(chosen).expanduser() if chosen else platformdirs.user_config_path("iotnb")
    return base / "profiles"


def names() -> list[str]:
    """The names of all profiles, sorted."""
    return sorted(path.stem for path in folder().glob("*.toml") if _NAME.fullmatch(path.stem))


def load(name: str, *, fields: Sequence[Field] = ()) -> Profile:
    """Reads a profile; ConfigError when there is none, when it is no TOML, or when it holds a secret."""
    path = _path(name)
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        known = names()
        listing = f"there are: {', '.join(known)}" if known else "there is none yet"
        raise ConfigError(
            f"no profile {name!r}: {listing}. Make one with 'iotnb profiles save {name}'"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"profile {name!r} cannot be read ({error}): correct or delete {path}") from None
    except OSError as error:
        raise ConfigError(f"profile {name!r} cannot be read: {error.strerror}: {path}") from None
    platform = document.pop("platform", None)
    if not isinstance(platform, str) or not platform:
        raise ConfigError(f'profile {name!r} names no platform: write platform = "..." in {path}')
    values = {key: _scalar(name, key, value) for key, value in document.items()}
    _check(name, values, fields, advice=f"delete that line from {path}")
    return Profile(name, platform, values)


def save(name: str, *, platform: str, fields: Sequence[Field], values: Mapping[str, Value | None]) -> Path:
    """Writes a profile, replacing it whole; returns its path. Secrets and unknown fields are refused."""
    path = _path(name)
    kept: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Secret):
            raise ConfigError(_refusal(name, key, "leave it out"))
        if value:
            kept[key] = str(value)
    _check(name, kept, fields, advice="leave it out")
    _write(path, tomli_w.dumps({"platform": platform, **kept}))
    return path


def delete(name: str) -> None:
    """Removes a profile; ConfigError when there is none. Its keyring entries stay: see `forget`."""
    try:
        _path(name).unlink()
    except FileNotFoundError:
        raise ConfigError(f"no profile {name!r}: there are: {', '.join(names()) or 'none'}") from None


def _path(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no name for a profile: use up to 64 letters, digits, '.', '_' and '-', "
            "a letter or digit first"
        )
    return folder() / f"{name}.toml"


def _scalar(profile: str, key: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ConfigError(f"profile {profile!r}: {key} must be a text in quotes, not {value!r}")
    return str(value)


def _check(name: str, values: Mapping[str, str], fields: Sequence[Field], *, advice: str) -> None:
    known = {each.name: each for each in fields}
    for key, value in values.items():
        if known[key].secret if key in known else _SECRET_NAME.search(key):
            raise ConfigError(_refusal(name, key, advice))
        if key in {"verify", "insecure"}:
            raise ConfigError(
                f"profile {name!r}: {key} is never remembered, so that nobody forgets it is off; {advice}"
            )
        if fields and key not in known:
            raise ConfigError(f"profile {name!r}: {_unknown(key, fields)}")
        if "://" in value and urlsplit(value).password:
            raise ConfigError(f"profile {name!r}: {key} holds a password inside the URL; {advice}")


def _refusal(profile: str, key: str, advice: str) -> str:
    return (
        f"profile {profile!r}: {key} is a secret and a profile is a plain file, so it is not kept there; "
        f"{advice}, and give it in the environment or keep it in a keyring ('iotnb profiles save --keyring')"
    )


def _unknown(key: str, fields: Sequence[Field]) -> str:
    known = [each.name for each in fields]
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"there is no field {key!r}: {hint}The fields are {', '.join(known)}"


def _write(path: Path, text: str) -> None:
    """Writes so that no moment shows the file half written or readable by others."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)  # it may have been made by hand
    handle, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)  # created with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


# --- keyring


def keyring_status(*, allow_plaintext: bool = False) -> Keyring:
    """Says whether secrets can be kept in a keyring here, by which backend, or why not.

    A backend that writes plain text counts only with `allow_plaintext`, and each use of it is warned of.
    """
    found = _backend()
    if found.plaintext and not allow_plaintext:
        return replace(found, available=False, reason=f"the backend {found.name} keeps secrets as plain text")
    if found.plaintext:
        warnings.warn(f"the keyring backend {found.name} keeps secrets as plain text", stacklevel=3)
    return found


def _backend() -> Keyring:
    try:
        import keyring  # optional, and slow to import
    except ImportError:
        return Keyring(False, "none", "the keyring package is not installed (pip install 'iotnb[keyring]')")
    try:
        backend = keyring.get_keyring()
    except Exception as error:  # noqa: BLE001  # third-party backends raise what they like
        return Keyring(False, "none", f"the keyring cannot be opened ({type(error).__name__}: {error})")
    several = getattr(backend, "backends", [backend])
    chain = [f"{type(each).__module__}.{type(each).__name__}" for each in several]
    name = chain[0] if chain else "none"
    if not chain or name.startswith("keyring.backends.fail"):
        return Keyring(False, name, "this machine offers no keyring backend")
    if name.startswith("keyring.backends.null"):
        return Keyring(False, name, "the keyring is switched off")
    return Keyring(True, name, plaintext=any("plaintext" in each.lower() for each in chain))


def keep(
    platform: str, *, name: str, secret: Value, profile: str | None = None, allow_plaintext: bool = False
) -> None:
    """Puts one secret into the keyring; ConfigError says why when there is none that is fit."""
    status = keyring_status(allow_plaintext=allow_plaintext)
    if not status.available:
        raise ConfigError(f"{name} was not stored: the keyring is not available: {status.reason}")
    import keyring  # optional, and slow to import

    try:
        keyring.set_password(SERVICE, _entry(platform, profile, name), Secret(secret).reveal())
    except Exception as error:  # noqa: BLE001  # third-party backends raise what they like
        raise ConfigError(f"{name} was not stored: the keyring refused it ({type(error).__name__})") from None


def forget(platform: str, *, fields: Sequence[Field], profile: str | None = None) -> list[str]:
    """Removes the secrets of a platform or profile from the keyring; returns the fields that were there."""
    if not _backend().available:
        return []
    import keyring  # optional, and slow to import

    gone = []
    for each in fields:
        entry = _entry(platform, profile, each.name)
        if each.secret and keyring.get_password(SERVICE, entry) is not None:
            keyring.delete_password(SERVICE, entry)
            gone.append(each.name)
    return gone


def _entry(platform: str, profile: str | None, name: str) -> str:
    # a profile's secrets are its own: they must not reach the host of another one
    return f"{platform}@{profile}/{name}" if profile else f"{platform}/{name}"


class _FromKeyring:
    """Looks secrets up; opens the keyring when first asked, and stays silent when there is none."""

    def __init__(self, platform: str, profile: str | None, allow_plaintext: bool) -> None:
        self._platform, self._profile, self._allow = platform, profile, allow_plaintext
        self._status: Keyring | None = None

    def __call__(self, wanted: Field) -> tuple[str, str] | None:
        if not wanted.secret:
            return None
        if self._status is None:
            self._status = keyring_status(allow_plaintext=self._allow)
        if not self._status.available:
            return None
        import keyring  # optional, and slow to import

        try:
            text = keyring.get_password(SERVICE, _entry(self._platform, self._profile, wanted.name))
        except Exception as error:  # noqa: BLE001  # a locked keyring is not fatal: the value may come from elsewhere
            warnings.warn(f"the keyring did not give {wanted.name} ({type(error).__name__})", stacklevel=2)
            return None
        return (text, "keyring") if text else None


# --- resolving


def resolve(
    platform: str,
    fields: Sequence[Field],
    arguments: Mapping[str, object] | None = None,
    *,
    methods: Sequence[Method] = (),
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
    keyring: bool = True,
    allow_plaintext: bool = False,
) -> Resolved:
    """Collects a login's values: argument > environment > keyring > profile > default; never prompts.

    Secret fields come back as `Secret`. With `methods`, what is given decides the way to log in: credentials
    of another way that only a later source holds are left out, so that a password given as an argument is not
    overruled by a token in the environment. `environ={}` and `keyring=False` shut these sources out. Raises
    ConfigError for unknown fields and for values outside a field's choices.
    """
    stored = load(profile, fields=fields) if profile else None
    if stored and stored.platform != platform:
        raise ConfigError(f"profile {profile!r} is for {stored.platform}, not {platform}")
    environment = os.environ if environ is None else environ
    given = _given(platform, fields, arguments or {})

    def from_environment(wanted: Field) -> tuple[str, str] | None:
        for variable in wanted.variables(platform):
            if environment.get(variable):
                return environment[variable], f"environment {variable}"
        return None

    def from_arguments(wanted: Field) -> tuple[Value, str] | None:
        return (given[wanted.name], "argument") if wanted.name in given else None

    def from_profile(wanted: Field) -> tuple[str, str] | None:
        value = stored.values.get(wanted.name) if stored else None
        return (value, f"profile {profile}") if value else None

    lookups: list[_Lookup] = [
        from_arguments,
        from_environment,
        _FromKeyring(platform, profile, allow_plaintext) if keyring else lambda _: None,
        from_profile,
        lambda wanted: (wanted.default, "default") if wanted.default else None,
    ]
    return _collect(fields, methods, lookups)


_Lookup = Callable[[Field], tuple[Value, str] | None]


def _given(platform: str, fields: Sequence[Field], arguments: Mapping[str, object]) -> dict[str, Value]:
    """The arguments that are there, as text or Secret; unknown names are refused."""
    known = {each.name: each for each in fields}
    given: dict[str, Value] = {}
    for name, value in arguments.items():
        if name not in known:
            raise ConfigError(f"{platform}: {_unknown(name, fields)}")
        if isinstance(value, Secret) and not known[name].secret:
            raise ConfigError(f"{platform}: {name} is no secret: give it as a plain text")
        if value is not None and value != "":
            given[name] = value if isinstance(value, Secret) else str(value)
    return given


def _collect(fields: Sequence[Field], methods: Sequence[Method], lookups: Sequence[_Lookup]) -> Resolved:
    resolved = Resolved()
    owners = {name for method in methods for name in (*method.needs, *method.uses)}
    candidates = list(methods)

    def take(wanted: Field, found: tuple[Value, str]) -> None:
        resolved.values[wanted.name] = _typed(wanted, *found)
        resolved.sources[wanted.name] = found[1]

    chooser = next((each for each in fields if each.name == "method"), None)
    if chooser:
        found = next((found for lookup in lookups if (found := lookup(chooser))), None)
        if found:
            take(chooser, found)
            candidates = [each for each in methods if each.name == found[0]] or candidates
    for lookup in lookups:
        fresh: set[str] = set()
        usable = {name for method in candidates for name in (*method.needs, *method.uses)}
        for wanted in fields:
            if wanted.name in resolved.values or (wanted.name in owners and wanted.name not in usable):
                continue
            hit = lookup(wanted)
            if hit:
                take(wanted, hit)
                fresh.add(wanted.name)
        fresh &= owners
        candidates = [each for each in candidates if fresh <= {*each.needs, *each.uses}] or candidates
    return resolved


def _typed(wanted: Field, value: Value, source: str) -> Value:
    if wanted.secret:
        return Secret(value)
    text = str(value).strip()
    if wanted.choices and text not in wanted.choices:
        raise ConfigError(
            f"{wanted.name} from {source} is {text!r}: choose one of {', '.join(wanted.choices)}"
        )
    return str(Path(text).expanduser()) if wanted.path else text
