"""Every platform has the same shape: the same files, verbs, rows, fields and sandbox."""

import inspect
import re
from pathlib import Path

import pytest

import iotnb
from iotnb import errors, frames, platforms, sandbox
from iotnb.auth import Auth
from iotnb.client import VERBS, Client
from iotnb.hooks import Hooks
from iotnb.loading import Load
from iotnb.session import Session

ROOT = Path(iotnb.__file__).parent
HOOKS = {verb: f"_{verb}" for verb in VERBS} | {"measurements": "_reader"}
ROWS = {"devices": "device", "operations": "operation", "events": "event", "alarms": "alarm"}
SECRET = re.compile(r"password|passphrase|secret|token$|_code$|bearer|solution_key")


@pytest.fixture(params=platforms.PLATFORMS)
def name(request):
    return request.param


@pytest.fixture
def cls(name):
    return platforms.load(name)


def test_a_platform_is_a_folder_of_the_same_files(name, cls):
    folder = ROOT / "platforms" / name
    for part in ("__init__", "auth", "api", "rows", "client"):
        assert (folder / f"{part}.py").is_file() or (folder / part / "__init__.py").is_file(), part
    assert inspect.getmodule(cls).__name__ == f"iotnb.platforms.{name}.client"
    assert cls.__name__ in __import__(f"iotnb.platforms.{name}", fromlist=["*"]).__all__


def test_it_has_its_name_and_title(name, cls):
    assert issubclass(cls, Client)
    assert cls.platform == name
    assert re.fullmatch(r"[a-z][a-z0-9]*", name)
    assert iotnb.platform_names()[name] == cls.title
    assert cls.title.strip()
    assert not inspect.isabstract(cls)


# -- the login


def test_its_fields_can_become_a_form_variables_and_options(name, cls):
    names = [field.name for field in cls.FIELDS]
    assert len(names) == len(set(names))
    for field in cls.FIELDS:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", field.name)
        assert field.label
        assert not field.label.endswith(":")
        assert field.secret == bool(SECRET.search(field.name)), field.name
        assert not (field.secret and (field.default or field.path))
        assert not field.choices or field.default in field.choices
        assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", variable) for variable in field.variables(name))
        # these are arguments of connect() itself
        assert field.name not in inspect.signature(iotnb.connect).parameters


def test_its_methods_use_its_fields_and_all_of_them(cls):
    names = {field.name for field in cls.FIELDS}
    used = {"method"}
    for method in cls.METHODS:
        assert method.label
        assert method.needs
        assert set(method.needs) | set(method.uses) <= names, method.name
        used |= set(method.needs) | set(method.uses)
    assert used >= names, "a field that no method uses"
    chooser = next((field for field in cls.FIELDS if field.name == "method"), None)
    if chooser is not None:
        assert set(chooser.choices) == {"auto", *(method.name for method in cls.METHODS)}


def test_the_sandbox_says_how_to_log_in_with_its_fields(name, cls, running):
    assert name in sandbox.PLATFORMS
    info = running.info()[name]
    names = {field.name for field in cls.FIELDS} | {"ca_file"}
    assert set(info["connect"]) <= names
    with iotnb.connect(name, **info["connect"]) as client:
        assert isinstance(client.session, Session)
        assert isinstance(client.session.auth, Auth)
        assert client.user
        assert client.host == client.session.host


# -- the verbs


def test_it_supports_verbs_that_there_are(cls):
    assert cls.supports
    assert cls.supports <= set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_is_the_one_of_all_platforms(cls, verb):
    assert inspect.signature(getattr(cls, verb)) == inspect.signature(getattr(Client, verb))
    assert getattr(cls, verb).__qualname__ == f"Client.{verb}", "a verb is not overridden, its hook is"


@pytest.mark.parametrize("verb", VERBS)
def test_a_supported_verb_has_its_hook_and_another_says_what_there_is(name, cls, verb, running):
    overridden = getattr(cls, HOOKS[verb]) is not getattr(Client, HOOKS[verb])
    assert overridden == (verb in cls.supports)
    if verb not in cls.supports:
        with iotnb.connect(name, **running[name].connect) as client:
            sent = client.session.counters.requests
            with pytest.raises(errors.Unsupported, match=cls.title):
                getattr(client, verb)()
            assert client.session.counters.requests == sent


def test_its_hooks_take_what_those_of_all_platforms_take(cls):
    for hook in HOOKS.values():
        own, common = (list(inspect.signature(getattr(each, hook)).parameters) for each in (cls, Client))
        assert own == common


def test_public_names_beyond_the_shape_are_documented(name, cls, running):
    with iotnb.connect(name, **running[name].connect) as client:
        common = {each for each in dir(Client) if each[0] != "_"} | set(Hooks.__annotations__)
        common |= {"session", "api", "user", "sources", "last_job", "lendable", "on_progress"}
        for extra in {each for each in dir(client) if each[0] != "_"} - common:
            thing = getattr(cls, extra, None)
            documented = (
                inspect.getdoc(thing)
                if inspect.isfunction(thing)
                else re.search(rf"\b{extra}\b", cls.__doc__)
            )
            assert documented, f"{extra} is public and not described in the docstring of {cls.__name__}"


def test_its_api_is_documented_method_by_method(name, cls, running):
    with iotnb.connect(name, **running[name].connect) as client:
        chapters = {each: getattr(client.api, each) for each in dir(client.api) if each[0] != "_"}
        assert chapters
        for chapter, thing in chapters.items():
            for method in [each for each in dir(thing) if each[0] != "_"]:
                found = getattr(type(thing), method, None)
                if inspect.isfunction(found):
                    assert inspect.getdoc(found), f"{chapter}.{method} has no docstring"


# -- the rows


@pytest.mark.parametrize("table", ROWS)
def test_its_rows_have_the_columns_of_the_table_whatever_the_document_holds(cls, table):
    if table not in cls.supports:
        return
    make = getattr(cls.rows, ROWS[table])
    columns = set(frames.empty(table).columns)
    for document in ({}, {"id": "1"}, {"id": "1", "type": None, "name": 5}):
        row = make(document)
        assert set(row) <= columns
        assert set(row) >= {column for column in columns if column in {"device", "type", "status"}}
        assert len(frames.table(table, [row])) == 1


def test_rows_do_not_change_their_document(cls):
    document = {"id": "1", "name": "a"}
    cls.rows.device(document)
    assert document == {"id": "1", "name": "a"}


# -- what belongs to it


def test_it_has_documents_of_the_vendor_to_be_tested_with(name):
    folder = Path(__file__).parent / "documents" / name
    assert any(path.is_file() for path in folder.rglob("*"))


def test_load_and_client_are_the_same_everywhere(cls):
    for attribute in ("job", "logout", "close", "facts", "exchanges", "expires", "host"):
        own = inspect.getattr_static(cls, attribute)
        assert own is inspect.getattr_static(Client, attribute) or attribute == "facts"
    assert "load" in inspect.signature(cls._devices).parameters
    assert Load.__module__.startswith("iotnb.loading")
