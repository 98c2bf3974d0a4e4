"""What Phoenix.Token of Phoenix 1.8.12 made and answered, on OTP 25: all of it is read and answered alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phxactor.otp import Error, Ok
from phxactor.token import decrypt, sign, verify

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "tokens.json").read_text())
SECRET: str = RECORDED["secret_key_base"]
SIGNED: list[dict[str, Any]] = [one for one in RECORDED["tokens"] if one["kind"] == "sign"]
ENCRYPTED: list[dict[str, Any]] = [one for one in RECORDED["tokens"] if one["kind"] == "encrypt"]


def _key_options(one: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name.startswith("key_")}


def test_none_of_the_recorded_is_left_out() -> None:
    assert (len(SIGNED), len(ENCRYPTED)) == (31, 25)
    assert len(SIGNED) + len(ENCRYPTED) == len(RECORDED["tokens"])


@pytest.mark.parametrize("one", SIGNED, ids=lambda one: repr(one["data"])[:20])
def test_signed_tokens_are_the_same_to_the_byte(one: dict[str, Any]) -> None:
    options = _key_options(one)
    assert sign(SECRET, one["salt"], one["data"], signed_at=one["signed_at"], **options) == one["token"]
    assert verify(SECRET, one["salt"], one["token"], max_age=None, **options) == Ok(one["data"])
    assert verify(SECRET, one["salt"], one["token"], now=one["signed_at"] + 86400, **options) == Ok(one["data"])
    assert verify(SECRET, one["salt"], one["token"], **options) == Error("expired")


@pytest.mark.parametrize("one", ENCRYPTED, ids=lambda one: repr(one["data"])[:20])
def test_encrypted_tokens_are_read(one: dict[str, Any]) -> None:
    assert decrypt(SECRET, one["salt"], one["token"], max_age=None) == Ok(one["data"])
    assert decrypt(SECRET, one["salt"], one["token"], now=one["signed_at"] + 86400) == Ok(one["data"])
    assert decrypt(SECRET, one["salt"], one["token"]) == Error("expired")


@pytest.mark.parametrize("one", RECORDED["verify"], ids=lambda one: one["name"])
def test_verifying_answers_the_same(one: dict[str, Any]) -> None:
    options: dict[str, Any] = {"max_age": float(one["max_age"])} if "max_age" in one else {}
    result = one["result"]
    expected = Ok(result["data"]) if result["ok"] else Error(result["error"])
    assert verify(SECRET, one["salt"], one["token"], **options) == expected
