"""Who is spoken to: a listener that counts, and a guard that sees every system call of a process and its children."""

import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from installed import program


class Listener:
    """Accepts connections, counts them, and says nothing."""

    def __init__(self) -> None:
        self.accepted = 0
        self._socket = socket.create_server(("0.0.0.0", 0))  # noqa: S104 - it has to be found at odd addresses
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.accepted += 1
                connection.close()

    def close(self) -> None:
        """Stop listening."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


#: Addresses in system calls, as strace writes them.
_ADDRESS = re.compile(
    r"sa_family=AF_(?P<family>\w+)(?:.*?sin6?_port=htons\((?P<port>\d+)\).*?"
    r'(?:inet_addr\("|inet_pton\(AF_INET6, ")(?P<host>[^"]+)")?'
)


@dataclass(frozen=True, order=True)
class Spoken:
    """Whom a process connected or sent to."""

    family: str
    host: str
    port: int


def spoken_to(folder: Path, *command: str, env: Mapping[str, str]) -> set[Spoken]:
    """Run a command, and return whom it and all its children connected or sent to, whatever they are written in.

    What it says is left in the file ``said``.
    """
    trace = folder / "trace"
    watched = ("-e", "trace=connect,sendto,sendmsg,sendmmsg", "-e", "signal=none", "-s", "0")
    with (folder / "said").open("wb") as said:
        subprocess.run(
            [program("strace"), "-f", "-qq", *watched, "-o", str(trace), *command],
            env={**os.environ, **env},
            cwd=folder,
            stdout=said,
            stderr=said,
            check=False,
            timeout=300,
        )
    found = [match for line in trace.read_text("utf-8", "replace").splitlines() if (match := _ADDRESS.search(line))]
    return {Spoken(match["family"], match["host"] or "", int(match["port"] or 0)) for match in found}


def elsewhere(spoken: Iterable[Spoken]) -> list[Spoken]:
    """Return those that are not this machine."""
    inside = {"UNIX", "NETLINK", "UNSPEC"}
    return sorted(one for one in spoken if one.family not in inside and not ip_address(one.host).is_loopback)
