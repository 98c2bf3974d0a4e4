"""Who a client is by the word of proxies: theirs counts, the client's own never."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from phxactor.http import LOCAL, PeerData, Request, TrustedProxies
from phxactor.http._client_address import IPAddress
from phxactor.http._trusted_proxies import MAX_HOPS, ProxyHeader

LOOPBACK = PeerData("127.0.0.1", 50000)
TRUSTED = ["127.0.0.1", "10.0.0.0/8", "2001:db8:a::/48"]


def as_sent(
    *headers: tuple[str, str],
    trusted: list[str] = TRUSTED,
    header: ProxyHeader = "x-forwarded",
    peer: PeerData = LOOPBACK,
) -> Request:
    """Return what a request becomes that a trusted proxy has sent."""
    proxies = TrustedProxies(trusted, header=header)
    assert proxies.trusts(peer)
    pairs = tuple((name.encode(), value.encode("latin-1")) for name, value in (("host", "app:4000"), *headers))
    return proxies.as_sent(Request("GET", "/path?a=b", pairs, peer=peer))


def client(*addresses: str, **options: Any) -> str:  # noqa: ANN401
    """Return the client by these lines of X-Forwarded-For."""
    return str(as_sent(*(("x-forwarded-for", one) for one in addresses), **options).peer)


def forwarded(*lines: str) -> Request:
    return as_sent(*(("forwarded", line) for line in lines), header="forwarded")


PROXY = str(LOOPBACK)


@pytest.mark.parametrize(
    ("addresses", "found"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["6.6.6.6, 203.0.113.9"], "203.0.113.9"),  # nginx appends
        (["6.6.6.6", "203.0.113.9"], "203.0.113.9"),  # HAProxy adds a line
        (["6.6.6.6, 203.0.113.9, 10.0.0.9"], "203.0.113.9"),
        (["6.6.6.6,203.0.113.9\t,\t10.0.0.9 "], "203.0.113.9"),
        (["10.0.0.1, 203.0.113.9, 10.0.0.9"], "203.0.113.9"),
        (["10.0.0.7, 10.0.0.8, 10.0.0.9"], "10.0.0.7"),  # all trusted: the leftmost
        (["127.0.0.1"], "127.0.0.1"),
        (["203.0.113.9:4711"], "203.0.113.9:4711"),
        (["[2001:db8::1]:99"], "[2001:db8::1]:99"),
        (["[2001:db8::1]"], "2001:db8::1"),
        (["2001:DB8:0::1"], "2001:db8::1"),
        (["203.0.113.9, 2001:db8:a::5"], "203.0.113.9"),
        (["203.0.113.9, [2001:db8:a::5]:80"], "203.0.113.9"),
        (["203.0.113.9, ::ffff:10.0.0.9"], "203.0.113.9"),
        (["::ffff:203.0.113.9"], "203.0.113.9"),
        (["[::ffff:203.0.113.9]:7"], "203.0.113.9:7"),
        (["fe80::1%eth0"], "fe80::1"),
        (["fe80::1%"], PROXY),
        # what is no address ends the walk: the last good hop counts
        ([""], PROXY),
        ([","], PROXY),
        (["unknown"], PROXY),
        (["203.0.113.9, unknown"], PROXY),
        (["203.0.113.9,"], PROXY),
        (["203.0.113.9,,10.0.0.9"], "10.0.0.9"),
        (["203.0.113.9, unknown, 10.0.0.9"], "10.0.0.9"),
        (['evil", 10.1.1.1'], "10.1.1.1"),
        (["<script>"], PROXY),
        (["1.2.3"], PROXY),
        (["01.2.3.4"], PROXY),
        (["1.2.3.4.5"], PROXY),
        (["1.2.3.4:99999"], PROXY),
        (["1.2.3.4:"], PROXY),
        (["[1.2.3.4]:80"], PROXY),
        (["[::1"], PROXY),
        (["1.2.3.4 5.6.7.8"], PROXY),
        (["localhost"], PROXY),
        (["2130706433"], PROXY),
        (["127.0.0.1/8"], PROXY),
    ],
)
def test_the_client_by_x_forwarded_for(addresses: list[str], found: str) -> None:
    assert client(*addresses) == found


def test_without_the_header_the_client_is_the_proxy() -> None:
    request = as_sent()
    assert request.peer == request.proxy == LOOPBACK
    assert (request.scheme, request.authority) == ("http", "app:4000")


def test_a_chain_is_walked_so_far_only() -> None:
    assert client(", ".join(["203.0.113.9"] + ["10.0.0.9"] * (MAX_HOPS - 1))) == "203.0.113.9"
    assert client(", ".join(["203.0.113.9"] + ["10.0.0.9"] * MAX_HOPS)) == "10.0.0.9"


@pytest.mark.parametrize(
    ("proto", "scheme"),
    [
        ("https", "https"),
        ("HTTPS", "https"),
        ("http", "http"),
        ("wss", "https"),
        ("ws", "http"),
        ("https, http", "http"),  # the nearest proxy's word
        ("http , https", "https"),
        ("", "http"),
        ("ftp", "http"),
        ("https;", "http"),
        ("https,", "http"),
    ],
)
def test_the_scheme_by_x_forwarded_proto(proto: str, scheme: str) -> None:
    assert as_sent(("x-forwarded-proto", proto)).scheme == scheme


@pytest.mark.parametrize(
    ("host", "authority"),
    [
        ("shop.example", "shop.example"),
        ("shop.example:8443", "shop.example:8443"),
        ("evil.example, shop.example", "shop.example"),
        ("[::1]:80", "[::1]:80"),
        ("", "app:4000"),
        ("shop.example/", "app:4000"),
        ("shop.example:99999", "app:4000"),
        ("a b", "app:4000"),
        ("shop.example,", "app:4000"),
        ("http://shop.example", "app:4000"),
    ],
)
def test_the_host_by_x_forwarded_host(host: str, authority: str) -> None:
    request = as_sent(("x-forwarded-host", host))
    assert request.authority == authority
    assert request.header("host") == authority  # all readers see the same
    assert [name for name, _ in request.headers].count(b"host") == 1


def test_only_the_named_header_counts() -> None:
    everything = (
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "x.example"),
        ("forwarded", "for=203.0.113.10;proto=https;host=f.example"),
        ("x-real-ip", "203.0.113.11"),
        ("x_forwarded_for", "203.0.113.12"),
    )
    assert as_sent(*everything).peer == PeerData("203.0.113.9", 0)
    assert as_sent(*everything).authority == "x.example"
    assert as_sent(*everything, header="forwarded").peer == PeerData("203.0.113.10", 0)
    assert as_sent(*everything, header="forwarded").authority == "f.example"
    spoken = as_sent(*everything, header="proxy-protocol")
    assert (spoken.peer, spoken.scheme, spoken.authority) == (LOOPBACK, "http", "app:4000")


@pytest.mark.parametrize(
    ("lines", "peer", "scheme", "authority"),
    [
        (["for=203.0.113.9;proto=https;host=shop.example"], "203.0.113.9", "https", "shop.example"),
        (['for="203.0.113.9:4711";host="shop.example:8443"'], "203.0.113.9:4711", "http", "shop.example:8443"),
        (['for="[2001:db8::1]:_obf"'], "2001:db8::1", "http", "app:4000"),
        (['For="[2001:db8::1]:80";PROTO=HTTPS'], "[2001:db8::1]:80", "https", "app:4000"),
        # forged by the client, and then what its proxy has appended
        (["for=6.6.6.6;host=evil.example, for=203.0.113.9;host=a.example"], "203.0.113.9", "http", "a.example"),
        (["for=6.6.6.6;proto=https;host=evil.example", "for=203.0.113.9"], "203.0.113.9", "http", "app:4000"),
        (['for="', "for=203.0.113.9"], "203.0.113.9", "http", "app:4000"),
        # scheme and host are those which the proxy saw that the client talked to
        (["for=203.0.113.9;proto=https, for=10.0.0.9;proto=http"], "203.0.113.9", "https", "app:4000"),
        (["for=unknown;proto=https, for=10.0.0.9;proto=http"], "10.0.0.9", "https", "app:4000"),
        (["for=6.6.6.6;proto=https, for=_hidden;proto=http"], PROXY, "http", "app:4000"),
        (["proto=https"], PROXY, "https", "app:4000"),
        # malformed: nothing of it counts
        (["for=203.0.113.9:80;proto=https"], PROXY, "http", "app:4000"),
        (['for="2001:db8::1"'], PROXY, "http", "app:4000"),
        (["for=[2001:db8::1];proto=https"], PROXY, "http", "app:4000"),
        (["for=203.0.113.9;for=6.6.6.6"], PROXY, "http", "app:4000"),
        (["for=203.0.113.9", 'for="10.0.0.9'], PROXY, "http", "app:4000"),
    ],
)
def test_the_client_by_forwarded(lines: list[str], peer: str, scheme: str, authority: str) -> None:
    request = forwarded(*lines)
    assert (str(request.peer), request.scheme, request.authority) == (peer, scheme, authority)


def test_the_rest_of_a_request_stays() -> None:
    request = as_sent(("x-forwarded-for", "203.0.113.9"), ("x-forwarded-host", "shop.example"), ("cookie", "a=b"))
    assert (request.target, request.header("cookie"), request.proxy) == ("/path?a=b", "a=b", LOOPBACK)
    assert request.header("x-forwarded-for") == "203.0.113.9"


# ------------------------------------------------------------------------------------------- who is trusted


@pytest.mark.parametrize(
    ("networks", "address", "trusted"),
    [
        (["127.0.0.1"], "127.0.0.1", True),
        (["127.0.0.1"], "::ffff:127.0.0.1", True),
        (["::ffff:127.0.0.1"], "127.0.0.1", True),
        (["::ffff:10.0.0.0/104"], "10.1.2.3", True),
        (["10.0.0.0/8"], "10.255.255.255", True),
        (["10.0.0.0/8"], "11.0.0.0", False),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["::1"], "127.0.0.1", False),
        (["::/0"], "127.0.0.1", False),
        (["0.0.0.0/0"], "2001:db8::1", False),
        (["127.0.0.1", "unix"], "local", True),
        (["127.0.0.1"], "local", False),
        (["0.0.0.0/0", "::/0"], "memory", False),
        ([], "127.0.0.1", False),
    ],
)
def test_who_is_trusted(networks: list[str], address: str, *, trusted: bool) -> None:
    assert TrustedProxies(networks).trusts(PeerData(address, 0)) is trusted


def test_a_unix_socket_is_trusted_by_its_kind() -> None:
    assert client("203.0.113.9", trusted=["unix"], peer=LOCAL) == "203.0.113.9"
    assert client("203.0.113.9, 10.0.0.9", trusted=["unix"], peer=LOCAL) == "10.0.0.9"


@pytest.mark.parametrize(
    "networks", [[""], ["*"], ["10.0.0.1/8"], ["example.com"], ["127.0.0.1:80"], ["1.2.3"], ["local"]]
)
def test_networks_that_are_none(networks: list[str]) -> None:
    with pytest.raises(ValueError, match=r"give one such as '127.0.0.1', '10.0.0.0/8' or 'unix'"):
        TrustedProxies(networks)


@pytest.mark.parametrize("networks", ["127.0.0.1", b"127.0.0.1", None, 1, [1], [ip_network("10.0.0.0/8")]])
def test_what_is_no_list_of_networks(networks: object) -> None:
    with pytest.raises(TypeError, match="10\\.0\\.0\\.0/8"):
        TrustedProxies(networks)  # type: ignore[arg-type]


def test_another_header_fails_when_it_is_given() -> None:
    with pytest.raises(ValueError, match="x-forwarded, forwarded, proxy-protocol"):
        TrustedProxies(["127.0.0.1"], header="x-real-ip")  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ properties


strangers = st.ip_addresses().filter(
    lambda address: not TrustedProxies(TRUSTED).trusts(PeerData(str(address), 0)) and "%" not in str(address)
)
proxies = st.sampled_from(["127.0.0.1", "10.0.0.9", "10.255.0.1", "2001:db8:a::7", "::ffff:10.0.0.3", "10.0.0.9:443"])
anything = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=30)


def unmapped(address: IPAddress) -> str:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


@given(anything, st.ip_addresses().map(str) | anything, strangers, st.lists(proxies, max_size=4), st.booleans())
def test_nothing_that_a_client_writes_changes_its_address(
    line: str,
    forged: str,
    address: IPAddress,
    chain: list[str],
    appends: bool,
) -> None:
    """The first proxy appends the client's address to the client's header, or adds a line; the others append theirs."""
    own = f"{line}, {forged}"
    told = ", ".join([str(address), *chain])
    found = client(f"{own}, {told}") if appends else client(own, told)
    assert found == unmapped(address)


@given(strangers, st.lists(proxies.filter(lambda one: "::" not in one and ":" not in one), max_size=4), anything)
def test_nothing_that_a_client_writes_into_forwarded_makes_it_another(
    address: IPAddress, chain: list[str], line: str
) -> None:
    """In the worst case its header cannot be read: then the client is the proxy, and never an address of its choice."""
    node = f'"[{address}]"' if address.version == 6 else str(address)
    told = ", ".join(f"for={one}" for one in [node, *chain])
    assert str(forwarded(line, told).peer) == unmapped(address)
    assert str(forwarded(f"{line}, {told}").peer) in (unmapped(address), PROXY)


@given(st.lists(anything, max_size=3))
def test_any_header_gives_an_address(lines: list[str]) -> None:
    for header in ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"):
        ip_address(as_sent(*((header, line) for line in lines)).peer.address)
    ip_address(forwarded(*lines).peer.address)


@given(st.ip_addresses())
def test_an_address_is_trusted_in_each_of_its_spellings(address: IPAddress) -> None:
    assume(address.version == 4)
    trusted = TrustedProxies([str(address)])
    for spelling in (str(address), f"::ffff:{address}", f"::FFFF:{address}"):
        assert trusted.trusts(PeerData(spelling, 1))
