"""Lists are read to their end, or it is said that they were not: counts are not to be trusted."""

import pytest
from badserver import reply

from iotnb import errors
from iotnb.platforms.iotconnect.api import Api, Modules, Tally
from iotnb.session import Session


@pytest.fixture
def api(session: Session) -> Api:
    return Api(Modules({"device": session, "user": session}, edition="aws"))


def page(first, count, *, told=None, params=None):
    document = {
        "data": [{"guid": f"G{n}", "uniqueId": f"d{n}"} for n in range(first, first + count)],
        "status": 200,
    }
    if told is not None:
        document["count"] = told
    if params is not None:
        document["params"] = {"count": params}
    return reply(document)


EMPTY = reply(b"", 204)


def ids(listed):
    return [int(each["guid"][1:]) for each in listed]


@pytest.mark.parametrize("told", [-1, None])
def test_without_a_count_a_list_ends_with_an_empty_page(api, bad, told):
    bad.on("/Device", page(0, 100, told=told), page(100, 30, told=told), EMPTY)
    tally = Tally()
    assert [n for each in api.devices.pages(tally=tally) for n in ids(each.items)] == list(range(130))
    assert (tally.rows, tally.reported, tally.short) == (130, None, False)
    assert [each.query["pageNumber"] for each in bad.seen] == ["1", "2", "3"]


def test_a_server_that_gives_smaller_pages_than_asked_for_is_read_on(api, bad):
    bad.on("/Device", page(0, 50, told=-1), page(50, 50, told=-1), page(100, 7, told=-1), EMPTY)
    assert ids(api.devices.list()) == list(range(107))


def test_a_count_that_has_been_reached_ends_the_list(api, bad):
    bad.on("/Device", page(0, 100, told=103), page(100, 3, told=103), reply({}, 500))
    assert len(api.devices.list()) == 103
    assert len(bad.seen) == 2


def test_the_count_may_stand_in_params(api, bad):
    bad.on("/Device", page(0, 3, params=3), reply({}, 500))
    assert len(api.devices.list()) == 3


def test_a_count_of_the_page_alone_does_not_end_the_list(api, bad):
    bad.on("/Device", page(0, 100, told=100), page(100, 30, told=30), EMPTY)
    assert len(api.devices.list()) == 130


def test_fewer_rows_than_were_counted_are_told(api, bad):
    bad.on("/Device", page(0, 100, told=140), page(100, 30, told=140), EMPTY)
    with pytest.raises(errors.BadAnswer, match="140 were reported, 130 came"):
        api.devices.list()


def test_a_last_page_that_comes_again_and_again_ends_the_list(api, bad):
    bad.on("/Device", page(0, 100, told=-1), page(100, 30, told=-1))
    assert len(api.devices.list()) == 130


def test_a_server_that_does_not_count_pages_is_no_endless_list(api, bad):
    bad.on("/Device", page(0, 100, told=-1))
    with pytest.raises(errors.BadAnswer, match="cannot be read to its end"):
        api.devices.list()


def test_rows_that_move_while_pages_are_read_come_once(api, bad):
    bad.on("/Device", page(0, 100, told=130), page(95, 35, told=130))
    assert ids(api.devices.list()) == list(range(130))


def test_nothing_is_an_empty_list(api, bad):
    bad.on("/Device", EMPTY)
    assert api.devices.list() == []
    bad.on("/Entity", reply({"statusCode": 204}))
    assert api.entities.list() == []


def test_lists_are_sorted_with_a_direction(api, bad):
    bad.on("/Device", EMPTY)
    api.devices.list()
    assert bad.seen[-1].query == {"pageNumber": "1", "pageSize": "100", "sortBy": "uniqueId asc"}


def test_attributes_take_no_order_and_come_on_large_pages(api, bad):
    bad.on("/template-attribute/T", EMPTY)
    api.attributes.list("T")
    assert bad.seen[-1].query == {"pageNumber": "1", "pageSize": "1000"}


def test_a_filter_that_there_is_not_is_answered_with_those_that_there_are(api, bad):
    with pytest.raises(errors.ConfigError, match=r"no filter 'Colour': it has UniqueId, Name"):
        api.devices.list(Colour="red")
    bad.on("/Device", EMPTY)
    api.devices.list(templatename="Pump")
    assert bad.seen[-1].query["TemplateName"] == "Pump"


def test_pages_below_one_are_not_asked_for(api, bad):
    with pytest.raises(errors.ConfigError, match="page_size=0"):
        next(api.devices.pages(page_size=0))
    assert bad.seen == []


# -- refusals


def refusal(status, *entries, message="Refused"):
    return reply({"status": status, "message": message, "error": [dict(each) for each in entries]}, status)


def test_409_where_something_is_read_means_that_it_is_not_there(api, bad):
    bad.on("/Device/uniqueId/d%201", refusal(409, {"param": "uniqueId", "message": "Device unknown"}))
    with pytest.raises(errors.NotFound, match="uniqueId: Device unknown") as caught:
        api.devices.get("d 1")
    assert caught.value.status == 409


def test_409_where_something_is_changed_is_a_conflict_unless_its_words_say_otherwise(api, bad):
    bad.on("/Device", refusal(409, {"param": "uniqueId", "message": "already exists"}))
    with pytest.raises(errors.Conflict, match="uniqueId: already exists"):
        api.devices.create({"uniqueId": "d"})
    bad.on("/Device/G1", refusal(409, {"param": "guid", "message": "Device does not exist"}))
    with pytest.raises(errors.NotFound, match="does not exist"):
        api.devices.delete("G1")


def test_412_says_which_parameter_is_wrong(api, bad):
    entries = (
        {"param": "uniqueId", "message": "is required"},
        {"param": "displayName", "message": "is required"},
    )
    bad.on("/Device", refusal(412, *entries))
    with pytest.raises(errors.Invalid, match="uniqueId: is required; displayName: is required") as caught:
        api.devices.create({})
    assert caught.value.status == 412


def test_403_names_the_section_and_the_role(session, bad):
    modules = Modules({"device": session, "user": session}, edition="aws")
    modules.role = "Prüfer?"
    bad.on("/User", refusal(403, {"param": "user", "message": "no access"}))
    with pytest.raises(errors.Forbidden, match=r"The role 'Prüfer\?' is not allowed the section"):
        Api(modules).users.list()


@pytest.mark.parametrize(
    "answer", [reply(b"<html><title>Login</title></html>", 401, kind="text/html"), reply(b"", 401)]
)
def test_401_in_any_costume_is_a_login_that_has_ended(api, bad, answer):
    bad.on("/Device", answer)
    with pytest.raises(errors.Unauthorized, match="log in again"):
        api.devices.list()


def test_a_refusal_that_hides_in_an_answer_with_200_is_raised(api, bad):
    bad.on("/Device", reply({"status": 409, "message": "Company unknown", "error": []}))
    with pytest.raises(errors.NotFound, match="Company unknown"):
        api.devices.list()


def test_error_may_be_an_object_or_null(api, bad):
    bad.on("/Device", reply({"status": 412, "message": "no", "error": {"param": "x", "message": "bad"}}, 412))
    with pytest.raises(errors.Invalid, match="bad"):
        api.devices.list()
    bad.on("/Device", reply({"status": 412, "message": "no", "error": None}, 412))
    with pytest.raises(errors.Invalid, match="no"):
        api.devices.list()


@pytest.mark.parametrize("answer", [{"data": "text"}, {"data": [1]}, [1, 2]])
def test_what_is_no_list_is_told(api, bad, answer):
    bad.on("/Device", reply(answer))
    with pytest.raises(errors.BadAnswer):
        api.devices.list()


def test_sending_a_command_is_not_repeated_blindly(api, bad):
    bad.on("/template-command/device/G/send", reply(b"", 503), reply({"data": [], "status": 200}))
    with pytest.raises(errors.ServerError):
        api.commands.send("G", "C")
    assert bad.count("/template-command/device/G/send") == 1


def test_a_module_without_an_address_is_named(session):
    with pytest.raises(errors.ConfigError, match="telemetry_url="):
        Api(Modules({"device": session}, edition="az")).telemetry.latest("G")
