"""A real Orthanc with its DICOMweb plugin: on loopback alone, behind a password, in a folder of the test's own."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests
from dicomweb_client.api import DICOMwebClient
from dicomweb_client.session_utils import create_session_from_user_pass
from installed import missing, program
from pydicom import Dataset

_PLUGINS: Final = (
    Path("/usr/share/orthanc/plugins"),
    Path("/usr/lib/orthanc"),
    Path("/usr/local/share/orthanc/plugins"),
)
_READY_S: Final = 60.0
_REQUEST: Final = re.compile(r"\(http\) (?:GET|POST) /dicom-web/")
USER, PASSWORD = "gate", "of the ward"


@dataclass(frozen=True)
class Orthanc:
    """A server that runs."""

    port: int
    log: Path
    """Where it tells of each request."""

    @property
    def asked(self) -> int:
        """Count the requests to its DICOMweb services so far."""
        return len(_REQUEST.findall(self.log.read_text("utf-8", "replace")))

    @property
    def url(self) -> str:
        """Return where its DICOMweb services are."""
        return f"http://127.0.0.1:{self.port}/dicom-web"

    @property
    def credentials(self) -> dict[str, str]:
        """Return the environment in which the gate is let in."""
        return {"CLINHALLU_GATE_DICOMWEB_USER": USER, "CLINHALLU_GATE_DICOMWEB_PASSWORD": PASSWORD}

    def spec(self, manifest: Path) -> str:
        """Return what ``--data`` takes."""
        return f"dicomweb+{self.url}#{manifest}"

    def store(self, files: Iterable[Dataset]) -> None:
        """Store instances (STOW-RS)."""
        session = create_session_from_user_pass(USER, PASSWORD)
        DICOMwebClient(self.url, session=session).store_instances(list(files))


@contextmanager
def orthanc(folder: Path) -> Iterator[Orthanc]:
    """Run an empty server in ``folder``; skip the test where Orthanc or its plugin is not installed."""
    binary = program("Orthanc", "/usr/sbin/Orthanc")
    plugin = next(filter(Path.exists, (place / "libOrthancDicomWeb.so" for place in _PLUGINS)), None)
    if plugin is None:
        missing("the DICOMweb plugin of Orthanc is not installed")
    port = _free_port()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "orthanc.json"
    config.write_text(json.dumps(_config(folder, plugin, port)))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([binary, "--verbose-http", config], stdout=log, stderr=log, start_new_session=True)
    try:
        _await(process, port, folder / "orthanc.log")
        yield Orthanc(port, folder / "orthanc.log")
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # it holds nothing that is wanted
        process.wait()


def _config(folder: Path, plugin: Path, port: int) -> dict[str, object]:
    return {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(plugin)],
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _await(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    url = f"http://127.0.0.1:{port}/dicom-web/studies?limit=1"
    while time.monotonic() < deadline:
        assert process.poll() is None, f"Orthanc ended: {log.read_text()[-2000:]}"
        try:
            if requests.get(url, auth=(USER, PASSWORD), timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(f"Orthanc is not ready after {_READY_S:g} s: {log.read_text()[-2000:]}")
