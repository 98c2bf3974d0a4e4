"""Erlang's external term format: the part of it that tokens and session cookies use. No I/O.

Source: the chapter "External Term Format" of the ERTS user's guide. `encode` writes what `term_to_binary/1` of OTP 25
writes; `decode` reads what OTP 25 and later write.

    Erlang                              Python
    integer, float, tuple, map          int, float, tuple, dict
    binary                              str if it is UTF-8, else bytes; both are written
    true, false, nil (Elixir's None)    True, False, None
    any other atom                      Atom
    list                                list; a charlist is a list of int

Bytes of OTP 25 that are decoded and encoded again are the same bytes, unless they hold a map of more than 32 keys: such
a map is encoded in the order of its keys, while Erlang uses the order of a hash. Bytes that happen to be UTF-8 are
decoded to a str; its `.encode()` returns the bytes.

Two rules are narrower than Erlang's. A list must end with an empty list. The keys of a map must be hashable in Python
and distinct there (1, 1.0 and true are one key of a dict). A decoded term is never code, a process or a shared name:
functions, pids, ports, references and compressed terms are refused.
"""

from phxactor.token.external_term._decoder import decode
from phxactor.token.external_term._encoder import encode
from phxactor.token.external_term._terms import MAX_DEPTH, MAX_SIZE, Atom, Term, TermError

__all__ = ["MAX_DEPTH", "MAX_SIZE", "Atom", "Term", "TermError", "decode", "encode"]
