"""Webhooks: subscriptions, routing by device groups, failure and retry, what the fleet reports."""

import pytest

from iotnb.sandbox.webhook import on_this_machine

LINE = "/device-communication"


@pytest.fixture
def fresh(start):
    hub = start(switches={"webhook_pause": 0.02})
    hub.running.reset()
    return hub


def subscribe(hub, path, hook, rn="s1", **attributes):
    body = {"m2m:sub": {"rn": rn, "nu": [hook.url], "nct": 1, "enc": {"net": [3]}, **attributes}}
    return hub.dmo("POST", path, body, ty=23)


def post(hub, path, content):
    return hub.dmo("POST", path, {"m2m:cin": {"con": content, "cnf": "text/plain:0"}}, ty=4)


def deliveries(hub):
    return hub.send("GET", hub.info["deliveries_url"]).json()["deliveries"]


def test_a_message_is_notified_as_standard_sign(fresh, hook):
    path = f"{LINE}/{fresh.running.fleet[9].key}/received-msg"
    made = subscribe(fresh, path, hook)
    assert made.status == 201
    message = post(fresh, path, "hello").json()["m2m:cin"]
    fresh.until(lambda: hook.got)
    sign = hook.got[0]["m2m:sgn"]
    assert sign["nev"] == {"net": 3, "rep": {"m2m:cin": message}}
    assert sign["sur"] == "/id-eos/" + made.json()["m2m:sub"]["ri"]
    assert hook.headers[0]["x-m2m-ri"]
    assert hook.headers[0]["content-type"] == "application/json"


def test_order_is_kept(fresh, hook):
    path = f"{LINE}/{fresh.running.fleet[9].key}/received-msg"
    subscribe(fresh, path, hook)
    for n in range(20):
        post(fresh, path, f"m{n}")
    fresh.until(lambda: len(hook.got) == 20)
    assert hook.contents() == [f"m{n}" for n in range(20)]


def test_updates_deletions_and_content_types(fresh, hook):
    name = fresh.running.fleet[9].key
    subscribe(fresh, f"/{name}", hook, enc={"net": [1, 2, 3, 4]}, su=hook.url)
    subscribe(fresh, f"/{name}", hook, rn="ids", nct=3, enc={"net": [1]})
    subscribe(fresh, f"/{name}", hook, rn="changes", nct=2, enc={"net": [1]})
    fresh.until(lambda: len(hook.got) == 2)  # the two younger subscriptions are children too
    hook.got.clear()
    fresh.dmo("PUT", f"/{name}", {"m2m:nod": {"lbl": ["a:b"]}})
    fresh.until(lambda: len(hook.got) == 3)
    found = [one["m2m:sgn"]["nev"] for one in hook.got]
    assert [one["net"] for one in found] == [1, 1, 1]
    assert found[0]["rep"]["m2m:nod"]["rn"] == name
    assert found[1]["rep"].keys() == {"m2m:uri"}
    assert found[2]["rep"]["m2m:nod"].keys() == {"lbl", "lt"}
    hook.got.clear()
    fresh.dmo("DELETE", f"/{name}/device-info")
    fresh.until(lambda: hook.got)
    assert hook.got[0]["m2m:sgn"]["nev"]["net"] == 4
    hook.got.clear()
    fresh.dmo("DELETE", f"/{name}/s1")
    fresh.until(lambda: hook.got)
    assert any(one["m2m:sgn"].get("sud") for one in hook.got)


def application(hub, hook, **more):
    body = {"api": "NHook", "rn": "HookApp", "lbl": ["EndpointType:WebHook"], "poa": [hook.url], **more}
    return hub.dmo("POST", "", {"m2m:ae": body}, ty=2, origin="CHook")


def test_routing_by_a_device_group(fresh, hook):
    name = fresh.running.fleet[9].key
    assert application(fresh, hook, poah=["X-Key:abc", "bad line", "Y: z"]).status == 201
    path = f"{LINE}/{name}/received-msg"
    group = {"rn": "g1", "nds": [name], "aes": ["HookApp"]}
    fresh.dmo("POST", "/device-group", {"dtiot:devGr": group}, ty=28)
    found = fresh.dmo("GET", f"{path}?rcn=4&ty=23").json()["m2m:cnt"]["m2m:sub"]
    assert [one["rn"] for one in found] == [f"g1-HookApp-{name}"]
    post(fresh, path, "routed")
    fresh.until(lambda: hook.got)
    assert hook.contents() == ["routed"]
    assert hook.headers[0]["x-key"] == "abc"
    assert hook.headers[0]["y"] == "z"
    copies = fresh.until(
        lambda: fresh.dmo("GET", f"{LINE}/{name}/sent-received-msg?rcn=4").json()["m2m:cnt"].get("m2m:cin")
    )
    assert [one["con"] for one in copies] == ["routed"]
    fresh.dmo("PUT", "/device-group/g1", {"dtiot:devGr": {"nds": []}})
    assert "m2m:sub" not in fresh.dmo("GET", f"{path}?rcn=4&ty=23").json()["m2m:cnt"]
    post(fresh, path, "not routed")
    assert len(deliveries(fresh)) == 1


def test_members_of_a_group_are_names_or_ids(fresh, hook):
    name = fresh.running.fleet[9].key
    application_ri = application(fresh, hook).json()["m2m:ae"]["ri"]
    device_ri = fresh.dmo("GET", f"/{name}").json()["m2m:nod"]["ri"]
    group = {"rn": "g2", "nds": [device_ri], "aes": [application_ri]}
    fresh.dmo("POST", "/device-group", {"dtiot:devGr": group}, ty=28)
    post(fresh, f"{LINE}/{name}/received-msg", "by id")
    fresh.until(lambda: hook.contents() == ["by id"])
    fresh.dmo("DELETE", "/HookApp", origin="CHook")
    assert fresh.dmo("GET", "/device-group/g2").json()["dtiot:devGr"]["aes"] == []


def test_a_failing_webhook_is_tried_three_times(fresh, hook):
    path = f"{LINE}/{fresh.running.fleet[9].key}/received-msg"
    subscribe(fresh, path, hook)
    hook.answers = [500, 404, 200]
    post(fresh, path, "third time")
    fresh.until(lambda: len(hook.got) == 3)
    fresh.until(lambda: [one["ok"] for one in deliveries(fresh)] == [True])
    hook.answers = [503] * 3
    post(fresh, path, "lost")
    fresh.until(lambda: [(one["ok"], one["tried"]) for one in deliveries(fresh)] == [(True, 3), (False, 3)])
    assert deliveries(fresh)[1]["why"] == "answered 503"
    post(fresh, path, "next")
    fresh.until(lambda: hook.contents()[-1] == "next")


@pytest.mark.parametrize(("policy", "left"), [(1, ["b"]), (2, ["a", "b"])])
def test_notifications_wait_if_the_subscription_says_so(fresh, hook, policy, left):
    path = f"{LINE}/{fresh.running.fleet[9].key}/received-msg"
    subscribe(fresh, path, hook, pn=policy)
    fresh.switch(webhook_attempts=1)
    hook.answers = [500, 500]
    post(fresh, path, "a")
    fresh.until(lambda: len(hook.got) == 1)
    post_b = post(fresh, path, "b")
    assert post_b.status == 201
    fresh.until(lambda: set(hook.contents()[1:]) >= set(left), seconds=8)
    fresh.switch(webhook_attempts=None)


def test_a_webhook_that_is_not_there(fresh):
    path = f"{LINE}/{fresh.running.fleet[9].key}/received-msg"
    body = {"m2m:sub": {"nu": ["http://127.0.0.1:9/x"], "enc": {"net": [3]}}}
    fresh.dmo("POST", path, body, ty=23)
    post(fresh, path, "nobody")
    found = fresh.until(lambda: [one for one in deliveries(fresh) if one["why"]])
    assert "refused" in found[0]["why"].lower()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x",
        "https://192.0.2.1/",
        "ftp://127.0.0.1/",
        "http://127.0.0.1.evil.example/",
        "//x",
        "",
    ],
)
def test_nothing_leaves_this_machine(fresh, url):
    assert not on_this_machine(url)
    path = f"{LINE}/{fresh.running.fleet[9].key}/received-msg"
    fresh.dmo("POST", path, {"m2m:sub": {"nu": [url or "x://"], "enc": {"net": [3]}}}, ty=23)
    post(fresh, path, "out")
    found = fresh.until(lambda: deliveries(fresh))
    assert (found[0]["ok"], found[0]["tried"]) == (False, 0)


@pytest.mark.parametrize(
    "body", [{}, {"nu": "x"}, {"nu": []}, {"nu": ["x"], "enc": {"net": [99]}}, {"nu": ["x"], "enc": 5}]
)
def test_bad_subscriptions(hub, body):
    path = f"{LINE}/{hub.running.fleet[9].key}/received-msg"
    assert hub.dmo("POST", path, {"m2m:sub": body}, ty=23).status == 400


def test_what_the_fleet_reports_is_notified(fresh, hook):
    fleet, now = fresh.running.fleet, fresh.clock.now()
    index = next(i for i in range(1, 25) if fleet.online(i, now) and fleet.online(i, now + 300_000))
    path = f"{LINE}/{fleet[index].key}/received-msg"
    subscribe(fresh, path, hook)
    fresh.clock.advance(300_000)
    held = [one["con"] for one in fresh.dmo("GET", f"{path}?rcn=4").json()["m2m:cnt"]["m2m:cin"]]
    fresh.until(lambda: hook.got)
    fresh.until(lambda: hook.contents() == held[-len(hook.got) :])
    assert len(hook.got) >= 3
