from __future__ import annotations

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.http import BadParams, Params
from phxactor.http._params import MAX_DEPTH, MAX_PARAMS, Param, decode


@pytest.mark.parametrize(
    ("query", "params"),
    [
        ("", {}),
        ("&", {}),
        ("&vsn=2.0.0&", {"vsn": "2.0.0"}),
        ("foo", {"foo": ""}),
        ("foo=", {"foo": ""}),
        ("=", {"": ""}),
        ("=value", {"": "value"}),
        ("foo=a=b", {"foo": "a=b"}),
        ("foo=1&foo=2", {"foo": "2"}),
        ("my+key=a+b%20c%2B", {"my key": "a b c+"}),
        ("%C3%BC=%e2%82%ac", {"ü": "€"}),
        ("user[name]=x&user[age]=17", {"user": {"name": "x", "age": "17"}}),
        ("user%5Bname%5D=x", {"user": {"name": "x"}}),
        ("a[b][c]=1&a[b][d]=2&a[e]=3", {"a": {"b": {"c": "1", "d": "2"}, "e": "3"}}),
        ("a[]=1&a[]=2", {"a": ["1", "2"]}),
        ("a[]", {"a": [""]}),
        ("a[b][]=1&a[b][]=2", {"a": {"b": ["1", "2"]}}),
        ("a[][]=1&a[][]=2", {"a": [["1", "2"]]}),
        ("a[][b]=1&a[][c]=2", {"a": [{"b": "1", "c": "2"}]}),
        ("a[][b]=1&a[][b]=2", {"a": [{"b": "2"}]}),
        ("a[0][b]=1&a[1][b]=2", {"a": {"0": {"b": "1"}, "1": {"b": "2"}}}),
    ],
)
def test_decodes_as_plug_does(query: str, params: Params) -> None:
    assert decode(query) == params


@pytest.mark.parametrize(
    ("query", "params"),
    [
        ("a=1&a[b]=2", {"a": {"b": "2"}}),
        ("a[b]=1&a=2", {"a": "2"}),
        ("a[b]=1&a=2&a[c]=3", {"a": "2"}),  # Plug places a map where its key came first
        ("a[]=1&a[b]=2", {"a": {"b": "2"}}),
        ("a[b]=2&a[]=1", {"a": ["1"]}),
        ("a[b][][c]=2&a[b]=1", {"a": {"b": "1"}}),
    ],
)
def test_last_wins_where_shapes_differ(query: str, params: Params) -> None:
    assert decode(query) == params


@pytest.mark.parametrize(
    ("key", "keys"),
    [
        ("[a]", ["[a]"]),
        ("a]", ["a]"]),
        ("a[b", ["a[b"]),
        ("a[b]c", ["a[b]c"]),
        ("a[b]c]", ["a", "b]c"]),
        ("a[[b]]", ["a", "[b]"]),
        ("a[b[c]", ["a", "b[c"]),
    ],
)
def test_brackets_that_do_not_pair(key: str, keys: list[str]) -> None:
    expected: Param = "1"
    for part in reversed(keys):
        expected = {part: expected}
    assert decode(f"{key}=1") == expected


@pytest.mark.parametrize("query", ["a=%", "a=%4", "a=%zz", "a=%25+zz"])
def test_a_percent_sign_that_encodes_nothing_is_itself(query: str) -> None:
    assert decode(query) == {"a": query[2:].replace("%25", "%").replace("+", " ")}


@pytest.mark.parametrize("query", ["a=%ff", "a=%C3", "%ed%a0%80=1"])
def test_refuses_what_is_not_encoded_text(query: str) -> None:
    with pytest.raises(BadParams):
        decode(query)


def test_the_number_of_params_is_bounded() -> None:
    assert len(decode("&".join(f"k{n}=1" for n in range(MAX_PARAMS)) + "&&")) == MAX_PARAMS
    with pytest.raises(BadParams, match="more than 1000 parameters"):
        decode("&".join(["a"] * (MAX_PARAMS + 1)))


def test_the_depth_is_bounded() -> None:
    value: Param = decode("a" + "[b]" * (MAX_DEPTH - 1) + "=1")
    for _ in range(MAX_DEPTH):
        assert isinstance(value, dict)
        (value,) = value.values()
    assert value == "1"
    with pytest.raises(BadParams, match="more than 32 deep"):
        decode("a" + "[b]" * MAX_DEPTH + "=1")


def encode(params: Params) -> str:
    return "&".join(pair for key, value in params.items() for pair in pairs(quote_plus(key), value))


def pairs(key: str, value: Param) -> list[str]:
    match value:
        case str():
            return [f"{key}={quote_plus(value)}"]
        case list():
            return [pair for one in value for pair in pairs(f"{key}[]", one)]
        case _:
            return [pair for name, one in value.items() for pair in pairs(f"{key}[{quote(name)}]", one)]


names = st.text(min_size=1).filter(lambda name: not set(name) & set("[]"))
texts: st.SearchStrategy[Param] = st.text()
lists: st.SearchStrategy[Param] = st.lists(texts, min_size=1, max_size=4)


def nest(inner: st.SearchStrategy[Param]) -> st.SearchStrategy[Param]:
    maps: st.SearchStrategy[Param] = st.dictionaries(names, inner, min_size=1, max_size=4)
    return lists | maps


trees = st.recursive(texts, nest, max_leaves=6)


@given(st.dictionaries(names, trees, max_size=5))
def test_what_was_encoded_is_decoded(params: Params) -> None:
    assert decode(encode(params)) == params


@given(st.text(alphabet="ab[]&=%+5Dé0", max_size=60))
def test_any_text_is_decoded_or_refused(query: str) -> None:
    try:
        params = decode(query)
    except BadParams:
        return
    assert all(isinstance(key, str) for key in params)
    assert len(params) <= query.count("&") + 1
