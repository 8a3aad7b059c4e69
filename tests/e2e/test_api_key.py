"""An endpoint that wants a key: taken from the environment, sent, and written nowhere."""

from gate_run import Rig, gated
from replay import GoldReplay

from clinhallu_gate.testing import ScriptedServer

SECRET = "sk-rosebud-1941"  # noqa: S105 - no secret


def test_a_protected_endpoint(rig: Rig) -> None:
    """Without the key the error says where it is taken from; with it nothing that is kept or said holds it."""
    with ScriptedServer(reply=GoldReplay(), model="locked", api_key=SECRET) as server:
        few = ("suites/", *gated(server), "--limit", "40", "--store", str(rig.root / "locked.sqlite"))
        refused = rig.run(*few)
        outcome = rig.run(*few, env={"CLINHALLU_GATE_API_KEY": SECRET})
    assert refused.status == 4
    assert "answers 401 Unauthorized to GET /v1/models; a key is taken from CLINHALLU_GATE_API_KEY." in refused.err
    assert {said[0] for said in outcome.verdicts.values()} == {"judged"}
    written = [*outcome.folder.rglob("*"), *rig.root.glob("locked.sqlite*")]
    assert len(written) > 5
    assert not [file for file in written if file.is_file() and SECRET.encode() in file.read_bytes()]
    assert SECRET not in outcome.out + outcome.err
