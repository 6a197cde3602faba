"""Page walkers: every page, no filtering, and an error where a collection cannot be read to its end."""

import pytest
from badserver import reply
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iotnb import errors, paging


def walk(session, first="/things?pageSize=2", **options):
    return paging.follow(session.get, first, items="things", **options)


def serve(bad, pages):
    """Pages by number: `pages[n]` is (items, number of the next page or None)."""

    def step(seen, sock):
        number = int(seen.query.get("currentPage", "1"))
        items, following = pages.get(number, ([], None))
        document = {"things": [{"id": str(each)} for each in items]}
        if following:
            document["next"] = f"{bad.base_url}/things?pageSize=2&currentPage={following}"
        return reply(document)(seen, sock)

    bad.on("/things", step)


def ids(pages):
    return [item["id"] for page in pages for item in page.items]


def test_a_walk_ends_where_no_link_follows(session, bad):
    serve(bad, {1: ([1, 2], 2), 2: ([3, 4], 3), 3: ([5], None)})
    assert ids(walk(session)) == ["1", "2", "3", "4", "5"]


def test_a_link_behind_the_last_page_leads_to_an_empty_one(session, bad):
    serve(bad, {1: ([1, 2], 2), 2: ([3], 3), 3: ([], None)})
    pages = list(walk(session, number="currentPage"))
    assert [len(page.items) for page in pages] == [2, 1, 0]
    assert pages[0].document["next"].endswith("currentPage=2")
    assert pages[0].answer.status == 200


def test_a_server_that_always_links_on_ends_with_its_empty_page(session, bad):
    serve(bad, {1: ([1, 2], 2), 2: ([], 3), 3: ([], 4)})
    assert ids(walk(session, number="currentPage")) == ["1", "2"]
    assert bad.count("/things") == 2


def test_a_restricted_user_is_led_over_gaps(session, bad):
    serve(bad, {1: ([1, 2], 2), 2: ([], 7), 7: ([3], 8), 8: ([], 9)})
    assert ids(walk(session, number="currentPage")) == ["1", "2", "3"]


def test_without_a_number_only_the_missing_link_ends_a_walk(session, bad):
    serve(bad, {1: ([], 2), 2: ([1], 3), 3: ([], None)})
    assert ids(walk(session)) == ["1"]


@pytest.mark.parametrize("back", [1, 2, 3])
def test_a_link_that_leads_back_is_an_error(session, bad, back):
    serve(bad, {1: ([1, 2], 2), 2: ([3, 4], 3), 3: ([5], back)})
    pages = walk(session, first="/things?pageSize=2&currentPage=1")
    with pytest.raises(errors.BadAnswer, match="cannot be read to its end"):
        list(pages)
    assert bad.count("/things") == 3


def test_the_order_of_parameters_makes_no_new_page(session, bad):
    bad.on("/things", reply({"things": [{}], "next": f"{bad.base_url}/things?b=2&a=1"}))
    with pytest.raises(errors.BadAnswer):
        list(walk(session, first="/things?a=1&b=2"))
    assert bad.count("/things") == 1


@pytest.mark.parametrize(
    "document", [{}, {"things": None}, {"things": {"id": "1"}}, [], "things", {"others": []}]
)
def test_a_page_without_its_list_is_an_error(session, bad, document):
    bad.on("/things", reply(document))
    with pytest.raises(errors.BadAnswer, match="200 GET /things: the answer holds no list 'things'"):
        list(walk(session))


def test_a_link_that_is_no_text_is_an_error(session, bad):
    bad.on("/things", reply({"things": [{}], "next": 2}))
    with pytest.raises(errors.BadAnswer, match="next"):
        list(walk(session))


def test_a_link_to_a_foreign_host_is_not_followed(session, bad, other):
    bad.on("/things", reply({"things": [{"id": "1"}], "next": f"{other.base_url}/things"}))
    pages = walk(session)
    assert ids([next(pages)]) == ["1"]
    with pytest.raises(errors.ForeignHost):
        next(pages)
    assert other.connections == 0


def test_an_error_on_a_later_page_is_raised(session, bad):
    bad.on("/things", reply({"things": [{"id": "1"}], "next": f"{bad.base_url}/gone"}))
    pages = walk(session)
    next(pages)
    with pytest.raises(errors.NotFound):
        next(pages)


def test_nothing_is_asked_before_it_is_wanted(session, bad):
    serve(bad, {1: ([1], 2), 2: ([2], None)})
    pages = walk(session)
    assert bad.count("/things") == 0
    next(pages)
    assert bad.count("/things") == 1


def test_a_link_may_be_relative(session, bad):
    bad.on("/things", reply({"things": [{"id": "1"}], "next": "/more"}))
    bad.on("/more", reply({"things": [{"id": "2"}]}))
    assert ids(walk(session)) == ["1", "2"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(), max_size=3), min_size=1, max_size=8))
def test_whatever_the_pages_hold_all_of_it_comes_in_order(session, bad, contents):
    serve(bad, {n: (items, n + 1 if n < len(contents) else None) for n, items in enumerate(contents, 1)})
    assert ids(walk(session)) == [str(each) for items in contents for each in items]


@pytest.mark.parametrize(
    ("url", "number"), [("/x?p=7", 7), ("/x?p=7&q=1", 7), ("/x", 1), ("/x?p=", 1), ("/x?p=seven", 1)]
)
def test_the_number_of_a_page_is_read_from_its_link(url, number):
    assert paging.page_number(url, "p") == number
