import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotnb.sandbox.fleet import Clock
from iotnb.sandbox.tokens import HS256, TokenError, Tokens

NOW = 1_780_000_000_000


def make(**options: object) -> tuple[Tokens, Clock]:
    clock = Clock(NOW, frozen=True)
    return Tokens(clock, **options), clock  # type: ignore[arg-type]


def reason(tokens: Tokens, token: str) -> str:
    with pytest.raises(TokenError) as caught:
        tokens.verify(token)
    return caught.value.reason


def test_claims_come_back() -> None:
    tokens, _ = make()
    claims = tokens.verify(tokens.issue({"sub": "admin", "ten": "test"}, seconds=60))
    assert (claims["sub"], claims["ten"]) == ("admin", "test")
    assert claims["exp"] - claims["iat"] == 60
    assert claims["iat"] == NOW // 1000


def test_a_token_expires_by_the_sandbox_clock() -> None:
    tokens, clock = make()
    token = tokens.issue({}, seconds=60)
    clock.advance(59_999)
    tokens.verify(token)
    clock.advance(1)
    assert reason(tokens, token) == "expired"


def test_a_fault_shortens_the_life_of_new_tokens() -> None:
    tokens, clock = make(life=lambda: 0.5)
    token = tokens.issue({}, seconds=3600)
    clock.advance(499)
    tokens.verify(token)
    clock.advance(1)
    assert reason(tokens, token) == "expired"


def test_revoked_and_expired_tokens_are_refused_and_new_ones_are_not() -> None:
    tokens, _ = make()
    first, second = tokens.issue({}, seconds=60), tokens.issue({}, seconds=60)
    assert first != second
    tokens.revoke(first)
    assert reason(tokens, first) == "revoked"
    assert tokens.revoked(first)
    tokens.verify(second)
    tokens.expire_all()
    assert reason(tokens, second) == "expired"
    tokens.verify(tokens.issue({}, seconds=60))


def test_foreign_and_altered_tokens_are_refused() -> None:
    tokens, _ = make()
    other, _ = make()
    token = other.issue({"sub": "x"}, seconds=60)
    assert reason(tokens, token) == "signature"
    head, payload, proof = tokens.issue({"sub": "user"}, seconds=60).split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "admin"}).encode()).rstrip(b"=").decode()
    assert reason(tokens, f"{head}.{forged}.{proof}") == "signature"


@pytest.mark.parametrize(
    "rubbish", ["", "a", "a.b", "a.b.c", "....", "e30.e30.", "e30.W10.e30", "\udcff.e30.e30"]
)
def test_rubbish_is_refused(rubbish: str) -> None:
    assert reason(make()[0], rubbish) in ("malformed", "signature")


@given(st.text(alphabet="abcXYZ019 @.:/-_", max_size=40))
def test_plain_base64_decodes_the_payload(name: str) -> None:
    payload = make()[0].issue({"sub": name, "aud": "127.0.0.1:8080"}, seconds=60).split(".")[1]
    assert "-" not in payload
    assert "_" not in payload
    assert json.loads(base64.b64decode(payload + "=" * (-len(payload) % 4)))["sub"] == name


def test_every_token_is_reported_and_the_key_can_be_given() -> None:
    seen: list[str] = []
    tokens, _ = make(issued=seen.append, signer=HS256(b"k" * 32))
    token = tokens.issue({}, seconds=1)
    assert seen == [token]
    assert json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "==")) == {"typ": "JWT", "alg": "HS256"}


def test_opaque_tokens_of_a_platform_expire_and_are_revoked_too() -> None:
    seen: list[str] = []
    tokens, clock = make(issued=seen.append)
    tokens.keep("opaque", expires=clock.now() + 5)
    tokens.check("opaque")
    assert seen == ["opaque"]
    clock.advance(5)
    with pytest.raises(TokenError) as expired:
        tokens.check("opaque")
    tokens.keep("other", expires=clock.now() + 5)
    tokens.revoke("other")
    with pytest.raises(TokenError) as revoked:
        tokens.check("other")
    assert (expired.value.reason, revoked.value.reason) == ("expired", "revoked")
