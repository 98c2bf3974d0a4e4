from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.otp import Error, Ok
from phxactor.token import DAY, decrypt, derive_key, encrypt, sign, verify
from phxactor.token._encryption import encrypt_message
from phxactor.token._signing import sign_message
from phxactor.token._token import CLOCK_SKEW
from phxactor.token.external_term import Atom, Term, TermError, encode
from tests.token.terms import TERMS

SECRET = "a secret that is long enough, and longer than a block of SHA-256"
SIGNED_AT = 1_700_000_000

Make = Callable[..., str]
Read = Callable[..., Ok[Term] | Error]
BOTH = pytest.mark.parametrize(("make", "read"), [(sign, verify), (encrypt, decrypt)], ids=["sign", "encrypt"])


@BOTH
def test_what_is_made_is_read(make: Make, read: Read) -> None:
    assert read(SECRET, "user", make(SECRET, "user", {"id": 7})) == Ok({"id": 7})


@given(TERMS, st.sampled_from([(sign, verify), (encrypt, decrypt)]))
def test_any_term_comes_back(data: Term, functions: tuple[Make, Read]) -> None:
    make, read = functions
    assert read(SECRET, "user", make(SECRET, "user", data)) == Ok(data)


@given(st.integers(0, 500), st.characters(), st.sampled_from([(sign, verify), (encrypt, decrypt)]))
def test_a_token_with_a_character_changed_is_invalid(at: int, other: str, functions: tuple[Make, Read]) -> None:
    make, read = functions
    token = make(SECRET, "user", "data")
    at %= len(token)
    changed = token[:at] + other + token[at + 1 :]
    assert read(SECRET, "user", changed) == (Ok("data") if changed == token else Error("invalid"))


@given(st.text(), st.sampled_from(["", "SFMyNTY.", "XCP.", "SFMyNTY.g2gD."]))
def test_any_text_is_read_without_an_exception(text: str, beginning: str) -> None:
    assert verify(SECRET, "user", beginning + text) == Error("invalid")
    assert decrypt(SECRET, "user", beginning + text) == Error("invalid")


@BOTH
@pytest.mark.parametrize("token", ["", ".", "..", "...", "\udc80", "SFMyNTY.\udc80.a", "XCP.\udc80", 1, b"a", {}])
def test_what_is_no_token_is_invalid(token: object, make: Make, read: Read) -> None:
    assert read(SECRET, "user", token) == Error("invalid")


@BOTH
def test_a_token_has_one_text_only(make: Make, read: Read) -> None:
    token = make(SECRET, "user", "data")
    for other in (token + "=", token + "\n", token + ".", " " + token, token.lower(), token + "A"):
        assert read(SECRET, "user", other) == Error("invalid")


def test_the_ways_to_make_tokens_are_not_exchangeable() -> None:
    assert decrypt(SECRET, "user", sign(SECRET, "user", 1)) == Error("invalid")
    assert verify(SECRET, "user", encrypt(SECRET, "user", 1)) == Error("invalid")


@BOTH
def test_no_token_is_missing(make: Make, read: Read) -> None:
    assert read(SECRET, "user", None) == Error("missing")


@BOTH
@pytest.mark.parametrize(
    "other",
    [
        {"secret": SECRET + "!"},
        {"salt": "other"},
        {"key_iterations": 999},
        {"key_digest": "sha512"},
    ],
    ids=str,
)
def test_it_is_read_only_with_what_it_was_made_with(other: dict[str, Any], make: Make, read: Read) -> None:
    token = make(SECRET, "user", 1)
    options = {"secret": SECRET, "salt": "user"} | other
    assert read(options.pop("secret"), options.pop("salt"), token, **options) == Error("invalid")


@BOTH
def test_key_options_are_the_same_on_both_sides(make: Make, read: Read) -> None:
    options = {"key_iterations": 10, "key_length": 32, "key_digest": "sha384"}
    assert read(SECRET, "user", make(SECRET, "user", 1, **options), **options) == Ok(1)


# ---------------------------------------------------------------------------------------------------------- the secret


@attrs.frozen
class Holder:
    secret_key_base: str | bytes | None


@BOTH
def test_the_secret_may_be_held_by_an_endpoint(make: Make, read: Read) -> None:
    for secret in (Holder(SECRET), Holder(SECRET.encode()), SECRET.encode()):
        assert read(secret, b"user", make(SECRET, "user", 1)) == Ok(1)


# -------------------------------------------------------------------------------------------------------------- expiry


@BOTH
@pytest.mark.parametrize(
    ("made_with", "read_with", "expires_after"),
    [
        ({}, {}, DAY),
        ({"max_age": 10}, {}, 10),
        ({"max_age": 0.5}, {}, 0.5),
        ({"max_age": 10}, {"max_age": 20}, 20),
        ({"max_age": 20}, {"max_age": 10}, 10),
        ({"max_age": None}, {"max_age": 10}, 10),
        ({"max_age": None}, {}, None),
        ({"max_age": math.inf}, {}, None),
        ({"max_age": 1e308}, {}, None),
        ({"max_age": 10**400}, {}, None),
        ({"max_age": 10}, {"max_age": None}, None),
        ({"max_age": 10}, {"max_age": math.inf}, None),
        ({"max_age": 10}, {"max_age": 1e308}, None),
    ],
)
def test_a_token_expires(
    made_with: dict[str, Any], read_with: dict[str, Any], expires_after: float | None, make: Make, read: Read
) -> None:
    token = make(SECRET, "user", 1, signed_at=SIGNED_AT, **made_with)
    if expires_after is None:
        assert read(SECRET, "user", token, now=SIGNED_AT + 10**12, **read_with) == Ok(1)
    else:
        assert read(SECRET, "user", token, now=SIGNED_AT + expires_after, **read_with) == Ok(1)
        assert read(SECRET, "user", token, now=SIGNED_AT + expires_after + 0.01, **read_with) == Error("expired")


@BOTH
@pytest.mark.parametrize("max_age", [0, -1, -0.5])
def test_without_an_age_it_has_expired_at_once(max_age: float, make: Make, read: Read) -> None:
    assert read(SECRET, "user", make(SECRET, "user", 1), max_age=max_age) == Error("expired")
    assert read(SECRET, "user", make(SECRET, "user", 1, max_age=max_age)) == Error("expired")


@BOTH
@pytest.mark.parametrize("max_age", [10, None])
def test_a_token_of_the_future_is_invalid(max_age: float | None, make: Make, read: Read) -> None:
    token = make(SECRET, "user", 1, signed_at=SIGNED_AT, max_age=max_age)
    assert read(SECRET, "user", token, now=SIGNED_AT - CLOCK_SKEW) == Ok(1)
    assert read(SECRET, "user", token, now=SIGNED_AT - CLOCK_SKEW - 0.01) == Error("invalid")
    assert read(SECRET, "user", token, now=SIGNED_AT - CLOCK_SKEW - 0.01, max_age=None) == Error("invalid")


def test_the_time_of_signing_may_have_a_fraction() -> None:
    assert sign(SECRET, "user", 1, signed_at=1.5) == sign(SECRET, "user", 1, signed_at=1.5009)
    assert sign(SECRET, "user", 1, signed_at=1.5) != sign(SECRET, "user", 1, signed_at=1.502)


# ------------------------------------------------------------------------------------------------------ other messages


KEY = derive_key(SECRET, "user", iterations=1000, length=32, digest="sha256")


@pytest.mark.parametrize(
    "message",
    [
        encode((1, SIGNED_AT * 1000)),
        encode({Atom("data"): 1, Atom("signed"): SIGNED_AT * 1000}),
    ],
    ids=["2019", "2018"],
)
def test_what_phoenix_once_wrote_is_read_and_lives_a_day(message: bytes) -> None:
    for token, read in ((sign_message(message, KEY), verify), (encrypt_message(message, KEY), decrypt)):
        assert read(SECRET, "user", token, now=SIGNED_AT + DAY) == Ok(1)
        assert read(SECRET, "user", token, now=SIGNED_AT + DAY + 1) == Error("expired")
        assert read(SECRET, "user", token, now=SIGNED_AT + DAY + 1, max_age=None) == Ok(1)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"no term",
        b"\x83g",
        encode(1),
        encode((1,)),
        encode((1, "now", 10)),
        encode((1, 2, "ten")),
        encode((1, 2, Atom("never"))),
        encode((1, 2, 3, 4)),
        encode({"data": 1, "signed": 2}),
        encode({}),
    ],
)
def test_other_messages_under_the_same_key_are_invalid(message: bytes) -> None:
    assert verify(SECRET, "user", sign_message(message, KEY)) == Error("invalid")
    assert decrypt(SECRET, "user", encrypt_message(message, KEY)) == Error("invalid")


# -------------------------------------------------------------------------------------------------------- what is wrong


@BOTH
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_age": math.nan}, ValueError),
        ({"max_age": -math.inf}, ValueError),
        ({"max_age": "10"}, TypeError),
        ({"max_age": True}, TypeError),
        ({"key_iterations": 0}, ValueError),
        ({"key_length": 0}, ValueError),
        ({"key_length": 1 << 40}, ValueError),
        ({"key_digest": "md5"}, ValueError),
        ({"secret": "nineteen characters"}, ValueError),
        ({"secret": ""}, ValueError),
        ({"secret": Holder(None)}, ValueError),
        ({"secret": 5}, TypeError),
        ({"salt": None}, TypeError),
    ],
    ids=str,
)
def test_bad_options_fail_when_they_are_given(
    options: dict[str, Any], error: type[Exception], make: Make, read: Read
) -> None:
    given = {"secret": SECRET, "salt": "user"} | options
    secret, salt = given.pop("secret"), given.pop("salt")
    with pytest.raises(error):
        make(secret, salt, 1, **given)
    with pytest.raises(error):
        read(secret, salt, make(SECRET, "user", 1), **given)


@BOTH
@pytest.mark.parametrize("time", [math.nan, math.inf])
def test_a_time_is_a_number_of_seconds(time: float, make: Make, read: Read) -> None:
    with pytest.raises(ValueError, match="seconds"):
        make(SECRET, "user", 1, signed_at=time)
    with pytest.raises(ValueError, match="seconds"):
        read(SECRET, "user", make(SECRET, "user", 1), now=time)


@BOTH
def test_data_without_a_term_says_so(make: Make, read: Read) -> None:
    with pytest.raises(TermError, match="set has no external term"):
        make(SECRET, "user", {1})


def test_encryption_takes_a_key_of_32_bytes() -> None:
    with pytest.raises(ValueError, match="key_length of 32, not 16"):
        encrypt(SECRET, "user", 1, key_length=16)
    with pytest.raises(ValueError, match="key_length of 32, not 64"):
        decrypt(SECRET, "user", encrypt(SECRET, "user", 1), key_length=64)


def test_an_encrypted_token_hides_its_data_and_is_another_each_time() -> None:
    first, second = encrypt(SECRET, "user", "user:42"), encrypt(SECRET, "user", "user:42")
    assert first != second
    assert b"user:42" in base64.urlsafe_b64decode(sign(SECRET, "user", "user:42").split(".")[1] + "==")
    assert b"user:42" not in base64.urlsafe_b64decode(first.removeprefix("XCP.") + "==")
