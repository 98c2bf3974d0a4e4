from __future__ import annotations

import logging

import pytest

from phxactor.token import Secret, derive_key
from phxactor.token import _keys as keys


def _derive(secret: Secret, salt: str = "salt") -> bytes:
    return derive_key(secret, salt, iterations=1, length=32, digest="sha256")


def test_a_known_answer() -> None:
    # What RFC 6070 derives in its fifth case, with SHA-256 in place of SHA-1.
    secret, salt = "passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt"
    key = derive_key(secret, salt, iterations=4096, length=40, digest="sha256")
    assert key.hex() == "348c89dbcbd32b2f32d814b8116e84cf2b17347ebc1800181c4e2a1fb8dd53e1c635518c7dac47e9"


def test_a_secret_has_at_least_20_bytes() -> None:
    assert len(_derive("x" * 20)) == 32
    assert len(_derive("é" * 10)) == 32
    with pytest.raises(ValueError, match="at least 20 bytes"):
        _derive("x" * 19)


def test_the_keys_that_are_remembered_are_bounded() -> None:
    keys._derive.cache_clear()  # noqa: SLF001 - that it is bounded is what is shown
    for number in range(1000):
        _derive("x" * 20, f"salt {number}")
    information = keys._derive.cache_info()  # noqa: SLF001 - the same
    assert information.currsize == information.maxsize == 128
    _derive("x" * 20, "salt 999")
    assert keys._derive.cache_info().hits == 1  # noqa: SLF001 - the same


class Keeper:
    def __init__(self) -> None:
        self.secret_key_base = ["correct horse battery staple"]


@pytest.mark.parametrize(
    "secret",
    ["correct horse", "correct horse battery staple \udc80", ["correct horse battery staple"], Keeper()],
    ids=["short", "surrogate", "list", "held"],
)
def test_no_exception_holds_the_secret(secret: Secret, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises((ValueError, TypeError)) as raised:
        _derive(secret)
    for error in (raised.value, raised.value.__cause__, raised.value.__context__):
        assert "correct" not in f"{error!s} {error!r} {getattr(error, 'object', '')}"
    assert not caplog.records


def test_nothing_shows_the_secret() -> None:
    _derive("correct horse battery staple")
    shown = [repr(one) for one in (keys._derive, keys._derive.cache_info(), derive_key)]  # noqa: SLF001 - is shown
    assert "correct" not in "".join(shown)
