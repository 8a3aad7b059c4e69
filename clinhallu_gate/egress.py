"""Whom data of patients may be sent to: this machine, and hosts that the command line names; nobody is asked who it is.

An address is read strictly. Programs differ in what they make of ``127.1``, ``0x7f000001``, ``user@host`` or letters
beyond ASCII, so whatever could be read in two ways is refused and not interpreted. No name is looked up but
``localhost``, as a question to a name server would leave the machine before anything was allowed.
"""

import re
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import MappingProxyType
from typing import Final
from urllib.parse import SplitResult, urlsplit

from clinhallu_gate.errors import BadInput, about

#: Environment of processes that may ask no hub and report nothing to anybody.
OFFLINE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }
)
LOCALHOST: Final = "localhost"
_NAME: Final = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
#: What the C library reads as an IPv4 address (``inet_aton``: one to four numbers, decimal, octal or hexadecimal).
_NUMBERS: Final = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*")
_LARGEST_PORT: Final = 65535
#: What names data, and no model.
_OF_DATA: Final = ("--data", "")

Resolve = Callable[[str], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Host:
    """A machine as an address names it, in one spelling."""

    name: str
    """A name in lower case, or an IP address in its usual form."""
    port: int | None = None
    """None for any."""

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name and self.port is not None else self.name
        return name if self.port is None else f"{name}:{self.port}"

    def covers(self, other: "Host") -> bool:
        """Whether ``other`` is the same host, at the same port if one is named here."""
        return self.name == other.name and self.port in (None, other.port)


def demand_allowed(url: str, allow_hosts: Iterable[str], *, option: str = "--endpoint") -> None:
    """Return if data of patients may be sent to ``url``. Sends nothing, and looks up no name but ``localhost``.

    Args:
        url: ``http://host:port/...``; any scheme that has a host.
        allow_hosts: What ``--allow-host`` names: ``HOST`` or ``HOST:PORT``, exactly.
        option: How the address was named; empty for an argument of a command.

    Raises:
        BadInput: It is not this machine and not allowed, or can be read in several ways; or a host to allow is none.
    """
    if is_allowed(url, allow_hosts, option=option):
        return
    where = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"  # a path may hold ids or keys
    instead = "serve it here" if option in _OF_DATA else "serve the model here with --model"
    said = f"{where} is not this machine, and the data are of patients (phi)"
    raise BadInput(about(option, f"{said}. Allow it with --allow-host {Host(host_of(url).name)}, or {instead}."))


def is_allowed(url: str, allow_hosts: Iterable[str], *, option: str = "--endpoint") -> bool:
    """Whether ``url`` is this machine or an allowed host. Raises ``BadInput`` if that cannot be told."""
    host = host_of(url, option=option)
    return is_here(host) or any(allowed.covers(host) for allowed in map(allowed_host, allow_hosts))


def host_of(url: str, *, option: str = "--endpoint") -> Host:
    """Return the host and port of an address. Raises ``BadInput`` for one that programs could read in several ways."""
    parts = _split(url)
    name = _name(parts.hostname or "") if parts is not None else None
    if parts is None or name is None:
        raise BadInput(about(option, f"the address (not shown, as it may hold a key) {_UNCLEAR}"))
    return Host(name, parts.port or (443 if parts.scheme.endswith("https") else 80))


def allowed_host(text: str) -> Host:
    """Read a host of ``--allow-host``. Raises ``BadInput`` for what is none: patterns, addresses with a scheme."""
    parts = _split(f"//[{text}]" if text.count(":") > 1 and "[" not in text else f"//{text}")
    name = _name(parts.hostname or "") if parts is not None else None
    if parts is None or name is None or parts.geturl() != f"//{parts.netloc}":
        raise BadInput(f"--allow-host: {text!r} is no host. Valid: HOST or HOST:PORT, one host each, no pattern.")
    return Host(name, parts.port)


def is_here(host: Host, resolve: Resolve | None = None) -> bool:
    """Whether a host is this machine: a loopback address, or ``localhost`` where that stands for nothing else."""
    address = _address(host.name)
    if address is not None:
        return address.is_loopback
    if host.name != LOCALHOST:
        return False
    found = [_address(one) for one in (resolve or _resolved)(host.name)]
    return bool(found) and all(one is not None and one.is_loopback for one in found)


_UNCLEAR: Final = (
    "can be read in several ways. Valid: http://HOST:PORT, where HOST is a name in plain letters without a dot at its "
    "end, four decimal numbers (127.0.0.1) or an IPv6 address in brackets, and no user name or key before it."
)


def _split(url: str) -> SplitResult | None:
    """Return the parts of an address; None if it holds what parsers disagree about."""
    if not url.isascii() or re.search(r"[\x00-\x20\x7f\\@#]", url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    authority = parts.netloc
    if not authority or "%" in authority or authority.endswith(":"):
        return None
    return parts if port is None or 0 < port <= _LARGEST_PORT else None


def _name(text: str) -> str | None:
    """Return a host in one spelling; None if it is none, or numbers that only some programs take for an address."""
    address = _address(text)
    if address is not None:
        return str(address)
    name = text.lower()  # one with a dot at its end is no name here: a client connects to what it is given
    return name if _NAME.fullmatch(name) and not _NUMBERS.fullmatch(name) else None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address that ``text`` is, an IPv4 address in the clothes of an IPv6 one as itself."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _resolved(name: str) -> list[str]:
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(name, None)]
    except OSError:
        return []
