"""Nothing leaves the machine: who is elsewhere is sent no byte, and a whole run speaks to this machine alone."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from canaries import Search
from gate_run import Outcome, Rig
from guard import Listener, Spoken, elsewhere, spoken_to
from ward import Ward, opened
from yarl import URL

from clinhallu_gate.cli import main

#: How a listener on every interface of this machine can be reached without naming loopback, on Linux.
ELSEWHERE = ("http://0.0.0.0:{port}", "http://127.1:{port}/v1", "http://2130706433:{port}", "http://0x7f.1:{port}")


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A server elsewhere."""
    found = Listener()
    yield found
    found.close()


@pytest.fixture(scope="module")
def ward(rig: Rig) -> Iterator[Ward]:
    """Six patients of four instances each, a model and a judge that repeat all they are told."""
    with opened(rig, "ward-egress") as ward:
        yield ward


def one_line(outcome: Outcome) -> str:
    """Return the error, after checking that it is all there is and names no patient."""
    assert outcome.status == 4, outcome.out + outcome.err
    (line,) = outcome.err.strip().splitlines()
    assert Search().packed((outcome.out + outcome.err).encode()) == set()
    return line


@pytest.mark.parametrize("who", ["endpoint", "judge_endpoint"])
@pytest.mark.parametrize("address", ELSEWHERE)
def test_who_is_elsewhere_is_sent_no_byte(ward: Ward, listener: Listener, who: str, address: str) -> None:
    """Neither a question nor who it is: no connection is made, however the address is written."""
    url = address.format(port=listener.port)
    said = one_line(ward.gate("-n", "0", **{who: url}).outcome)
    assert said.startswith(f"ERROR: --{who.replace('_', '-')}: ")
    if url.startswith("http://0.0.0.0"):
        assert f"{url} is not this machine, and the data are of patients (phi). Allow it with --allow-host" in said
    assert listener.accepted == 0


def test_a_server_that_alone_knows_its_model_is_not_asked(rig: Rig, ward: Ward, listener: Listener) -> None:
    """Without a name the data are not known yet; workers change nothing; of public data it is asked at once."""
    url = f"http://0.0.0.0:{listener.port}"
    for rest in (("--data", str(ward.folder / "ward.jsonl"), "-n", "2"), ()):
        assert "--model: needed beside an --endpoint that is not this machine" in one_line(
            rig.run("suites/", "--endpoint", url, "--judge", "oracle", *rest)
        )
    assert listener.accepted == 0
    one_line(rig.run("suites/", "--endpoint", url, "--judge", "oracle", "--data", "phantom"))
    assert listener.accepted > 0


def test_an_allowed_host_is_asked(ward: Ward, listener: Listener) -> None:
    """The listener counts what comes, and no host is allowed by a pattern."""
    url = f"http://0.0.0.0:{listener.port}"
    said = one_line(ward.gate("-n", "0", "--allow-host", "0.0.0.0", endpoint=url).outcome)  # noqa: S104 - its name
    assert "cannot be reached" in said or "not answered" in said
    assert listener.accepted > 0
    said = one_line(ward.gate("-n", "0", "--allow-host", "*").outcome)
    assert said == "ERROR: --allow-host: '*' is no host. Valid: HOST or HOST:PORT, one host each, no pattern."


def test_who_was_allowed_is_told(ward: Ward) -> None:
    """The manifest and the report name the host that patients' data went to."""
    url = ward.model.base_url.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - its name
    seen = ward.gate("-n", "0", "--allow-host", "0.0.0.0", "--limit", "4", endpoint=url)  # noqa: S104 - its name
    assert seen.outcome.manifest["allow_hosts"] == ["0.0.0.0"]  # noqa: S104 - its name
    assert "of patients were sent to another machine: 0.0.0.0:" in " ".join(seen.outcome.out.split())
    assert "were sent to another machine" in (seen.outcome.folder / "report.html").read_text()
    assert seen.everywhere(Search()) == {}


def test_the_hub_is_not_asked(rig: Rig, ward: Ward, listener: Listener, tmp_path: Path) -> None:
    """Not for a model that is not in the cache, and not for public data beside patients'; of public data it is."""
    env = {"HF_ENDPOINT": f"http://127.0.0.1:{listener.port}", "HF_HOME": str(tmp_path)}
    patients = ("--data", str(ward.folder / "ward.jsonl"))
    says = one_line(rig.run("suites/", "--model", "ward/none", "--judge", "oracle", *patients, env=env))
    assert says == (
        "ERROR: --model: ward/none is not in the local cache, and the hub is not asked, as the data are of patients "
        "(phi). Download it first: hf download ward/none"
    )
    says = one_line(
        rig.run("suites/", "--model", "phantom-vlm", "--judge", "oracle", *patients, "--data", "vqa-rad", env=env)
    )
    assert says.startswith("ERROR: --data: Alibaba-DAMO-Academy/ClinHallu is not in the local cache, and the hub is ")
    assert "hf download Alibaba-DAMO-Academy/ClinHallu --repo-type dataset" in says
    assert listener.accepted == 0
    one_line(rig.run("suites/", "--model", "ward/none", "--judge", "oracle", "--data", "phantom", env=env))
    assert listener.accepted > 0


def test_a_row_of_one_patient_is_enough(ward: Ward, listener: Listener) -> None:
    """Among public rows, and even if --limit leaves it out."""
    rows = [json.loads(line) for line in (ward.folder / "ward.jsonl").read_text().splitlines()]
    data = ward.folder / "mixed.jsonl"
    data.write_text("".join(json.dumps({**row, "phi": row is rows[0]}) + "\n" for row in rows))
    said = one_line(ward.gate("-n", "0", "--limit", "1", data=data, endpoint=f"http://0.0.0.0:{listener.port}").outcome)
    assert "the data are of patients (phi)" in said
    assert listener.accepted == 0


@pytest.mark.parametrize("address", ELSEWHERE)
def test_an_archive_elsewhere_is_sent_no_byte_by_a_look_at_it(
    listener: Listener, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No UID and no request leave before the host is allowed; allowed by name it is asked."""
    manifest = tmp_path / "ward.jsonl"
    row = {"id": "1", "question": "q?", "answer": "no", "question_type": "yes_no", "study_uid": "1.2.777"}
    manifest.write_text(json.dumps(row))
    look = ["preflight", f"dicomweb+{address.format(port=listener.port)}#{manifest}"]
    assert main(look) == 4
    assert "1.2.777" not in capsys.readouterr().err
    assert listener.accepted == 0
    if address.startswith("http://0.0.0.0"):
        assert main([*look, "--allow-host", "0.0.0.0"]) == 4  # noqa: S104 - its name
        assert "the server broke off its reply or was silent" in capsys.readouterr().err
        assert listener.accepted > 0
    assert list(tmp_path.iterdir()) == [manifest]


# --- what a whole run speaks to ---------------------------------------------------------------------------------------


def test_the_guard_sees_who_is_elsewhere(tmp_path: Path) -> None:
    """Also a child of a child, and a datagram, which a name server would be asked with; nothing is sent here."""
    code = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 53))"
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    assert elsewhere(spoken_to(tmp_path, sys.executable, "-c", inner, env={})) == [Spoken("INET", "192.0.2.1", 53)]


def test_a_whole_run_speaks_to_this_machine_alone(rig: Rig, ward: Ward, tmp_path: Path) -> None:
    """Model and judge are asked, workers talk, the folder is written: every address is loopback, in any process."""
    junit, run = tmp_path / "junit.xml", tmp_path / "run"
    words = ward.words("-n", "2", "--run-dir", str(run), "--rootdir", str(rig.root), junit=junit)
    paths = [str(rig.root / word) if word == "suites/" else word for word in words]
    env = {**ward.env, "HF_ENDPOINT": "http://192.0.2.1", "HTTP_PROXY": "http://192.0.2.2:3128"}
    # the proxy of the environment and the hub, were they asked, would be seen
    spoken = spoken_to(tmp_path, sys.executable, "-m", "pytest", *paths, env={**env, "HTTPS_PROXY": env["HTTP_PROXY"]})
    assert (run / "decision.json").exists()
    ports = {one.port for one in spoken}
    assert {URL(server.base_url).port for server in (ward.model, ward.judge)} <= ports
    assert elsewhere(spoken) == []
