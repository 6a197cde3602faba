"""A tiny platform, served by the real server, for the tests of the sandbox's core."""

import asyncio
import http.client
import json
import ssl
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from iotnb import sandbox
from iotnb.sandbox.world import Service, World, client_certificates

PASSWORD = "tiny-password-8472"


class Tiny:
    """A platform with one handler for each thing that the core must get right."""

    MUTUAL_TLS = True

    def create(self, world: World, service: Service) -> Starlette:
        self.password = world.issue(PASSWORD, "password of the tiny platform")
        self.resets = 0
        world.on_reset.append(self.count)

        async def hello(request: Request) -> JSONResponse:
            return JSONResponse(
                {"platform": world.platform, "seed": world.fleet.seed, "n": world.store.count("n")}
            )

        async def rows(request: Request) -> JSONResponse:
            number = int(request.query_params.get("n", "50"))
            return JSONResponse([{"row": n, "text": "x" * 20} for n in range(number)])

        async def stream(request: Request) -> StreamingResponse:
            async def parts() -> Any:
                for n in range(20):
                    yield f"line {n} {'y' * 100}\n"

            return StreamingResponse(parts(), media_type="text/plain")

        async def hang(request: Request) -> PlainTextResponse:
            await asyncio.sleep(60)
            return PlainTextResponse("late")

        async def broken(request: Request) -> PlainTextResponse:
            raise ZeroDivisionError("broken handler")

        async def echo(request: Request) -> PlainTextResponse:
            return PlainTextResponse(await request.body())

        async def login(request: Request) -> JSONResponse:
            return JSONResponse({"token": world.tokens.issue({"sub": "tiny"}, seconds=3600)})

        async def me(request: Request) -> JSONResponse:
            try:
                claims = world.tokens.verify(request.headers.get("authorization", "")[7:])
            except ValueError as error:
                return JSONResponse({"error": str(error)}, status_code=401)
            return JSONResponse({"sub": claims["sub"]})

        async def who(request: Request) -> JSONResponse:
            return JSONResponse({"chain": client_certificates(request.scope)})

        async def trust(request: Request) -> JSONResponse:
            assert service.trust is not None
            if request.method == "DELETE":
                service.trust.clear()
            else:
                service.trust.add((await request.body()).decode())
            return JSONResponse({})

        async def later(request: Request) -> PlainTextResponse:
            async def fail() -> None:
                raise LookupError("background task")

            asyncio.get_running_loop().call_soon(asyncio.ensure_future, fail())
            return PlainTextResponse("soon")

        handlers = [later, hello, rows, stream, hang, broken, echo, login, me, who, trust]
        methods = ["GET", "POST", "DELETE"]
        return Starlette(routes=[Route(f"/{h.__name__}", h, methods=methods) for h in handlers])

    def describe(self, world: World, service: Service) -> dict[str, Any]:
        return {"connect": {"username": "tiny", "password": self.password}, "bootstrap": {"username": "boot"}}

    def count(self) -> None:
        self.resets += 1


class Answer(SimpleNamespace):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Caller:
    """One keep-alive connection to a base URL, with nothing between the test and the socket."""

    def __init__(self, url: str, *, context: ssl.SSLContext | None = None, timeout: float = 10) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        if parts.scheme == "https":
            self.connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=timeout, context=context
            )
        else:
            self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)

    def __call__(
        self, method: str, path: str, *, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        text = json.dumps(body) if isinstance(body, dict | list) else body
        self.connection.request(method, path, text, headers or {})
        answer = self.connection.getresponse()
        return Answer(status=answer.status, headers=answer.headers, body=answer.read())

    def close(self) -> None:
        self.connection.close()


@pytest.fixture
def tiny() -> Tiny:
    return Tiny()


@pytest.fixture
def caller() -> Iterator[Any]:
    """Makes callers and closes them after the test."""
    made: list[Caller] = []

    def make(url: str, **options: Any) -> Caller:
        made.append(Caller(url, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def running(tiny: Tiny) -> Iterator[sandbox.Sandbox]:
    with sandbox.start({"tiny": tiny}, devices=12, days=2) as found:
        yield found
        assert not found.running or not found.errors


@pytest.fixture
def call(running: sandbox.Sandbox) -> Iterator[Caller]:
    caller = Caller(running["tiny"].base_url)
    yield caller
    caller.close()
