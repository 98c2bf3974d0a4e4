"""Erlang's external term format: the part that tokens and session cookies hold, pure.

Source: the chapter "External Term Format" of the ERTS user's guide. `encode` writes what `term_to_binary/1` of OTP 25
writes; `decode` reads what OTP 25 and later write.

    Erlang                              Python
    integer, float, tuple, map          int, float, tuple, dict
    binary                              str if it is UTF-8, else bytes; both are written
    true, false, nil (Elixir's None)    True, False, None
    any other atom                      Atom
    list                                list; a charlist is a list of int

What OTP 25 wrote has the same bytes when it is read and written again, unless it holds a map of more than 32 keys: that
is written in the order of its keys, where Erlang follows a hash. Bytes that happen to be UTF-8 come back as str:
`.encode()` of it is what was written.

Two rules are narrower than Erlang's: a list ends with an empty list, and the keys of a map are hashable in Python, and
different there (1, 1.0 and true are one key of a dict). Nothing that is read becomes code, a process or a shared name:
functions, pids, ports, references and compressed terms are refused.
"""

from phxactor.token.external_term.decoder import decode
from phxactor.token.external_term.encoder import encode
from phxactor.token.external_term.terms import MAX_DEPTH, MAX_SIZE, Atom, Term, TermError

__all__ = ["MAX_DEPTH", "MAX_SIZE", "Atom", "Term", "TermError", "decode", "encode"]
