"""Templates to change: making them whole or part by part, removing them."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from iotnb.sandbox.iotconnect.ids import new_guid
from iotnb.sandbox.iotconnect.models import DATA_TYPES, Attribute, Command, Setting, Template, type_guid
from iotnb.sandbox.iotconnect.registry import registry
from iotnb.sandbox.iotconnect.routes import Route
from iotnb.sandbox.iotconnect.schemas import drop, keep, template, templates
from iotnb.sandbox.iotconnect.state import Platform
from iotnb.sandbox.iotconnect.templateparts import known
from iotnb.sandbox.iotconnect.wire import (
    Answer,
    Call,
    Json,
    conflict,
    digits,
    done,
    folded,
    invalid,
    ok,
    required,
    text_of,
    truth,
)
from iotnb.sandbox.wire import multipart

Part = Attribute | Setting | Command
_LONGEST_CODE = 10
_TYPES = {type_guid(name).lower(): name for name in DATA_TYPES}


def _code(platform: Platform, code: str) -> str:
    """A code that is free; 412 and 409."""
    if not (code.isascii() and code.isalnum() and len(code) <= _LONGEST_CODE):
        raise invalid(("code", f"1 to {_LONGEST_CODE} letters and digits"))
    if any(one.code.lower() == code.lower() for one in templates(platform).values()):
        raise conflict("code", f"There is already a template {code}.")
    return code


def _type(document: Json, default: str = "") -> str:
    """The data type of a body by name or GUID; 412 for one that there is not."""
    guid = text_of(document, "dataTypeGuid").lower()
    name = _TYPES.get(guid, "") if guid else text_of(document, "dataTypeName") or text_of(document, "type")
    name = (name or default).upper()
    if name not in DATA_TYPES:
        raise invalid(("dataTypeGuid", f"there is no such data type: {guid or name}"))
    return name


def _attribute(document: Json) -> Attribute:
    name = text_of(document, "localName") or text_of(document, "name")
    if not name:
        raise invalid(("localName", "localName is required"))
    children = tuple(_attribute(one) for one in _list(document, "attributes"))
    return Attribute(
        guid=new_guid(),
        name=name,
        type=_type(document, "OBJECT" if children else ""),
        unit=text_of(document, "unit"),
        description=text_of(document, "description"),
        tag=text_of(document, "tag") or None,
        validation=text_of(document, "dataValidation") or None,
        children=children,
    )


def _list(document: Json, name: str) -> Iterable[Json]:
    """The objects of a list in a body."""
    held: Any = document.get(name) or []
    if not isinstance(held, list) or not all(isinstance(one, dict) for one in held):
        raise invalid((name, "a list of objects is needed"))
    return map(folded, held)


def _command(document: Json) -> Command:
    name, word = required(document, "name", "command")
    return Command(
        guid=new_guid(),
        name=name,
        command=word,
        parameter=bool(truth(document.get("requiredparam"))),
        acknowledged=bool(truth(document.get("requiredack"))),
        ota=bool(truth(document.get("isotacommand"))),
        tag=text_of(document, "tag") or None,
    )


def _setting(document: Json) -> Setting:
    name, local = required(document, "name", "localName")
    return Setting(
        guid=new_guid(),
        name=name,
        local=local,
        type=_type(document),
        default=text_of(document, "defaultValue"),
        read_only=bool(truth(document.get("isreadonly"))),
        validation=text_of(document, "dataValidation") or None,
    )


def _template(platform: Platform, document: Json) -> Template:
    code, name = required(document, "code", "name")
    auth = digits(text_of(document, "authType", "3"))
    if auth is None:
        raise invalid(("authType", "a number is needed"))
    return Template(
        guid=new_guid(),
        code=_code(platform, code),
        name=name,
        description=text_of(document, "description"),
        version=text_of(document, "messageVersion", "2.1"),
        auth_type=auth,
        tag=text_of(document, "tag") or None,
        edge=bool(truth(document.get("isedgesupport"))),
        created=platform.now(),
        attributes=tuple(_attribute(one) for one in _list(document, "attributes")),
        settings=tuple(_setting(one) for one in _list(document, "settings")),
        commands=tuple(_command(one) for one in _list(document, "commands")),
    )


def create(platform: Platform, call: Call) -> Answer:
    """POST /device-template: a template without attributes."""
    document = call.document()
    required(document, "code", "isEdgeSupport", "authType", "name")
    bare = {
        name: value for name, value in document.items() if name not in ("attributes", "settings", "commands")
    }
    made = _template(platform, bare)
    keep(platform, made)
    return ok([{"deviceTemplateGuid": made.guid}], count=1)


def quick(platform: Platform, call: Call) -> Answer:
    """POST /device-template/quick: a whole template as JSON in the multipart field `file`."""
    parts = multipart(call.headers.get("content-type", ""), call.body)
    names = ("file", "templatejson") if call.edition == "az" else ("file",)
    text = next((one.data for one in parts if one.name.lower() in names and one.data.strip()), None)
    if text is None:
        raise invalid(("file", "file is required: the template as JSON"))
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise invalid(("file", f"this is not JSON: {error}")) from None
    if not isinstance(found, dict):
        raise invalid(("file", "the template must be a JSON object"))
    made = _template(platform, folded(found))
    keep(platform, made)
    return ok([{"deviceTemplateGuid": made.guid}], count=1)


def update(platform: Platform, call: Call, guid: str) -> Answer:
    """PUT /device-template/{guid}: its name."""
    of, document = template(platform, guid), call.document()
    (name,) = required(document, "name")
    keep(platform, msgspec.structs.replace(of, name=name))
    return done()


def delete(platform: Platform, _call: Call, guid: str) -> Answer:
    """DELETE /device-template/{guid}: 409 while it has devices."""
    of = template(platform, guid)
    if registry(platform).of_template(of.guid):
        raise conflict("deviceTemplateGuid", f"Devices are attached to {of.name}.")
    drop(platform, of.guid)
    return done()


# parts


def _add(platform: Platform, call: Call, member: str, param: str, make: Callable[[Json], Part]) -> Answer:
    """A new part of a template; 409 if it has one of that name."""
    document = call.document()
    (guid,) = required(document, "deviceTemplateGuid")
    of, made = known(platform, guid), make(document)
    held: tuple[Part, ...] = getattr(of, member)
    if any(one.word == made.word for one in held):
        raise conflict(param, f"{of.name} has {made.word} already.")
    keep(platform, msgspec.structs.replace(of, **{member: (*held, made)}))
    return ok([{"newid": made.guid}], count=1)


def add_attribute(platform: Platform, call: Call) -> Answer:
    """POST /template-attribute."""
    return _add(platform, call, "attributes", "localName", _attribute)


def add_setting(platform: Platform, call: Call) -> Answer:
    """POST /template-setting."""
    return _add(platform, call, "settings", "localName", _setting)


def add_command(platform: Platform, call: Call) -> Answer:
    """POST /template-command."""
    return _add(platform, call, "commands", "command", _command)


def _without(platform: Platform, member: str, guid: str) -> Answer:
    """Remove a part by its GUID; 409 if no template has it."""
    for of in templates(platform).values():
        held: tuple[Part, ...] = getattr(of, member)
        rest = tuple(one for one in held if one.guid.lower() != guid.lower())
        if len(rest) < len(held):
            keep(platform, msgspec.structs.replace(of, **{member: rest}))
            return done()
    raise conflict("guid", f"There is no such part of a template: {guid}.")


def drop_attribute(platform: Platform, _call: Call, guid: str) -> Answer:
    """DELETE /template-attribute/{guid}."""
    return _without(platform, "attributes", guid)


def drop_setting(platform: Platform, _call: Call, guid: str) -> Answer:
    """DELETE /template-setting/{guid}."""
    return _without(platform, "settings", guid)


def drop_command(platform: Platform, _call: Call, guid: str) -> Answer:
    """DELETE /template-command/{guid}."""
    return _without(platform, "commands", guid)


ROUTES = [
    Route("POST", "/device-template", create, "template", writes=True),
    Route("POST", "/device-template/quick", quick, "template", writes=True),
    Route("PUT", "/device-template/{guid}", update, "template", writes=True),
    Route("DELETE", "/device-template/{guid}", delete, "template", writes=True),
    Route("POST", "/template-attribute", add_attribute, "template", writes=True),
    Route("POST", "/template-setting", add_setting, "template", writes=True),
    Route("POST", "/template-command", add_command, "template", writes=True),
    Route("DELETE", "/template-attribute/{guid}", drop_attribute, "template", writes=True),
    Route("DELETE", "/template-setting/{guid}", drop_setting, "template", writes=True),
    Route("DELETE", "/template-command/{guid}", drop_command, "template", writes=True),
]
