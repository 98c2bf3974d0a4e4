from __future__ import annotations

import runpy
import sys

import pytest

from phxactor.token import _encryption as encryption
from phxactor.token import decrypt_message
from phxactor.token._encryption import encrypt_message

KEY = b"k" * 32


def test_a_message_is_bytes() -> None:
    for message in (b"", b"a", bytes(range(256))):
        assert decrypt_message(encrypt_message(message, KEY), KEY) == message


@pytest.mark.parametrize("text", ["", "XCP", "XCP.", "XCP.AAAA", "XCP." + "A" * 54, "xcp." + "A" * 60, "A" * 64])
def test_what_is_no_message_is_none(text: str) -> None:
    assert decrypt_message(text, KEY) is None


def test_without_pynacl_an_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nacl.bindings", None)
    without = runpy.run_path(encryption.__file__)
    with pytest.raises(ImportError, match=r"pip install 'phxactor\[encryption\]'"):
        without["encrypt_message"](b"message", KEY)
    with pytest.raises(ImportError, match="PyNaCl"):
        without["decrypt_message"]("XCP.AAAA", KEY)
