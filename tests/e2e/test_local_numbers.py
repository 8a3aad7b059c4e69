"""A hospital's own patients: what they can show, the same ones again, and who they are where something flipped."""

import csv
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from canaries import PATIENTS, Search, echo, judge, write_ward
from gate_run import GATES, Outcome, Rig
from PIL import Image

from clinhallu_gate.cli import main
from clinhallu_gate.private import private_folder
from clinhallu_gate.pseudonym import SITE_KEY
from clinhallu_gate.testing import Request, ScriptedServer


class Ward:
    """Six patients of four questions each, with dates; a model and a judge that repeat all they are told."""

    def __init__(self, rig: Rig, folder: Path, model: ScriptedServer, second: ScriptedServer) -> None:
        self.rig, self.folder, self.model, self.second = rig, folder, model, second
        self.data = write_ward(folder)
        rows = [json.loads(line) for line in self.data.read_text().splitlines()]
        self.write([row | {"study_date": f"2026-02-{place + 1:02}"} for place, row in enumerate(rows)])
        policy = (rig.root / "thresholds" / "local.yaml").read_text()
        for old, new in (("0.70", "0.0"), ("probes: 120", "probes: 4"), ("max_unjudged: 0.02", "max_unjudged: 1.0")):
            policy = policy.replace(old, new)
        (folder / "policy.yaml").write_text(policy)

    def rows(self) -> list[dict[str, object]]:
        """Return the rows of the manifest."""
        return [json.loads(line) for line in self.data.read_text().splitlines()]

    def write(self, rows: list[dict[str, object]]) -> None:
        """Write other rows."""
        self.data.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    def gate(self, *rest: str, model: ScriptedServer | None = None) -> Outcome:
        """Gate a model on the ward."""
        served = model or self.model
        options = {
            "--endpoint": served.base_url,
            "--model": served.model,
            "--model-revision": "1",
            "--judge": self.second.model,
            "--judge-endpoint": self.second.base_url,
            "--judge-revision": "1",
            "--data": str(self.data),
            "--thresholds": str(self.folder / "policy.yaml"),
        }
        words = [word for pair in options.items() for word in pair if pair[0] not in rest]
        return self.rig.run(*GATES, *rest, *words, "-p", "no:xdist", env={SITE_KEY: str(self.folder / "site.key")})


def write_atlas(folder: Path) -> Path:
    """Write a manifest of 24 questions about nobody."""
    folder.mkdir()
    for number in range(24):
        Image.new("RGB", (8, 8), (number, 9, 9)).save(folder / f"{number}.png")
    rows = [
        {
            "source_id": str(number),
            "question": f"What is seen in plate {number}?",
            "question_type": "open_ended",
            "answer": "a mass",
            "images": [f"{number}.png"],
            "gold_visual_recognition": "A mass of 3 cm is seen on the left.",
            "gold_knowledge_recall": "A mass of 3 cm needs follow-up.",
            "gold_reasoning": "So there is a mass on the left.",
            "phi": False,
        }
        for number in range(24)
    ]
    path = folder / "atlas.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def ward(rig: Rig) -> Iterator[Ward]:
    """The ward, for all tests here."""
    folder = rig.root / "numbers"
    folder.mkdir()
    with (
        ScriptedServer(reply=echo, model="echo") as model,
        ScriptedServer(reply=judge, model="judge") as second,
    ):
        yield Ward(rig, folder, model, second)


@pytest.fixture(scope="module")
def in_use(ward: Ward) -> Outcome:
    """The run of the release in use."""
    return ward.gate()


@pytest.fixture(scope="module")
def candidate(ward: Ward, in_use: Outcome) -> Outcome:
    """A candidate, held against it."""

    def other(request: Request) -> str:
        return (echo(request).text or "").replace("I repeat", "I now repeat")

    with ScriptedServer(reply=other, model="later") as later:
        return ward.gate("--baseline", str(in_use.folder), model=later)


def test_what_the_patients_can_show_is_said_before_they_are_asked(in_use: Outcome) -> None:
    """In the terminal before the evaluation begins, in the report and in the summary; six patients show little."""
    before, _, _ = in_use.out.partition("evaluating:")
    assert "6 patients, 24 questions can show (power 80 %):" in before
    assert "visual_hallucination_rate[mean]" in before
    assert "not at all with 6 patients: a faultless model shows at most 48.7 %, and passes from some 12" in before
    assert "recovery" not in before
    assert "fewer than 50 patients" in " ".join(before.split())
    report, summary = ((in_use.folder / name).read_text() for name in ("report.html", "summary.md"))
    assert "What this number of patients can show" in report
    assert "a faultless model shows at most" in report
    assert "**What this number of patients can show.** 6 patients, 24 questions." in summary


def test_it_is_said_without_a_run_as_well(ward: Ward) -> None:
    """``--collect-only`` asks nobody, and says it."""
    looked = ward.gate("--collect-only")
    assert looked.status == 0
    assert "6 patients, 24 questions can show (power 80 %):" in looked.out
    assert not looked.folder.exists()


def test_gates_of_a_list_are_shouted_at(ward: Ward) -> None:
    """A blocking gate with target: benchmark says nothing of patients; terminal, report and summary say so first."""
    policy = ward.folder / "list.yaml"
    policy.write_text((ward.folder / "policy.yaml").read_text().replace("target: population", "target: benchmark"))
    listed = ward.gate("--thresholds", str(policy))
    said = "target: benchmark: 6 blocking gates speak of this very list, not of patients like these"
    before, _, after = " ".join(listed.out.split()).partition("evaluating:")
    assert "target: benchmark: 4 gates speak of this very list, not of patients like these" in before
    assert said in after
    assert said in (listed.folder / "report.html").read_text()
    assert said in (listed.folder / "summary.md").read_text()


def test_a_clinician_finds_who_flipped(candidate: Outcome, in_use: Outcome) -> None:
    """In the private folder: the site's own ids, what both releases came to, and both texts; the report says where."""
    sheet = private_folder(candidate.folder) / "flips.csv"
    rows = list(csv.DictReader(sheet.read_text("utf-8-sig").splitlines()))
    assert rows
    assert {row["flip"] for row in rows} == {"worse", "better"}
    families = {patient.family for patient in PATIENTS}
    for row in rows:
        assert row["original_id"].partition("-")[0] in families
        assert row["patient"].split()[0] in {patient.mrn for patient in PATIENTS}
        assert row["before"] != row["now"]
        assert row["question"].startswith("What is seen")
        assert row["instance"].startswith("ward/")
    judged = [row for row in rows if not row["before"].startswith("not del") and not row["now"].startswith("not del")]
    assert judged
    assert all(row["text_before"] and row["text_now"] for row in judged)
    stages = [row for row in judged if row["stage"] != "answer"]
    assert stages
    assert all(row["text_before"].startswith("I repeat") for row in stages)
    assert all(row["text_now"].startswith("I now repeat") for row in stages)
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    assert not (private_folder(in_use.folder) / "flips.csv").exists()
    said = f"{len(rows)} verdicts changed against the release in use: runs/{candidate.folder.name}.private/flips.csv"
    assert said in " ".join(candidate.out.split())
    assert said in (candidate.folder / "report.html").read_text()
    assert Search().folder(candidate.folder) == {}


def test_local_rates_stand_beside_public_ones(ward: Ward, in_use: Outcome) -> None:
    """Those of another run of the same model, or of the same run; of another model, judge or protocol they do not."""
    public = write_atlas(ward.folder / "open")
    shown = ward.gate("--data", str(public))
    said = "Here and on public data"
    assert said not in (shown.folder / "report.html").read_text()
    beside = ward.gate("--public-run", str(shown.folder))
    both = ward.gate("--data", str(public), "--data", str(ward.data))
    for outcome in (beside, both):
        assert said in (outcome.folder / "report.html").read_text()
        assert "public reasoning hallucination rate: " in " ".join(outcome.out.split())
        assert "- public: reasoning hallucination rate: " in (outcome.folder / "summary.md").read_text()
        assert "patients or images" in " ".join(outcome.out.split())
    assert beside.manifest["public_run"] == str(shown.folder)
    assert Search().folder(beside.folder) == {}
    with ScriptedServer(reply=echo, model="third") as third:
        refused = [
            ward.gate("--public-run", str(shown.folder), model=third),
            ward.gate("--public-run", str(shown.folder), "--protocol", "prefill"),
            ward.gate("--public-run", str(shown.folder), "--judge-revision", "2"),
            ward.gate("--public-run", str(in_use.folder)),
            ward.gate("--public-run", str(ward.folder)),
            ward.gate("--public-run", str(shown.folder), "--data", str(public)),
        ]
    assert [outcome.status for outcome in refused] == [4] * 6
    for outcome, why in zip(
        refused,
        (
            "is not of the same model: ",
            "is not of the same protocol: ",
            "is not of the same revision of the judge: ",
            "is of patients' data. Name a run on public data.",
            "is not the folder of a finished run",
            "has a meaning only beside patients' data",
        ),
        strict=True,
    ):
        assert why in outcome.err


def test_studies_of_a_time_are_taken_without_a_word_of_when(ward: Ward) -> None:
    """Manifest and report hold the days that were asked for and counts; no file that is handed on has a row's day."""
    february = ward.gate("--since", "2026-02-05", "--until", "2026-02-12")
    data = february.manifest["datasets"][0]
    assert february.manifest["selection"] == {"since": "2026-02-05", "until": "2026-02-12"}
    assert (data["instances"], data["selected"]["outside"], data["selected"]["rows"]) == (8, 16, 24)
    said = "--since 2026-02-05 --until 2026-02-12, by study date: 16 of 24 rows are of other days"
    assert said in " ".join(february.out.split())
    for path in (path for path in february.folder.rglob("*") if path.is_file()):
        assert b"2026-02-07" not in path.read_bytes(), path
    assert "2026-02-07" in (private_folder(february.folder) / "instances.jsonl").read_text()


def test_the_next_run_is_on_the_same_patients(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A frozen list, rows that came since, a baseline of the same patients; what is gone ends the run with 4."""
    monkeypatch.setenv(SITE_KEY, str(ward.folder / "site.key"))
    listed, rows = ward.folder / "q1.json", ward.rows()
    assert main(["freeze", "--data", str(ward.data), "--until", "2026-02-16", "--out", str(listed)]) == 0
    assert "16 instances of 4 patients" in capsys.readouterr().out
    assert Search().file(listed) == set()
    first = ward.gate("--frozen", str(listed))
    new = {**rows[0], "source_id": "AAA-new", "patient_id": "new", "images": ["none.png"], "study_date": None}
    try:
        ward.write([new, *rows])
        second = ward.gate("--frozen", str(listed), "--baseline", str(first.folder))
        ward.write([{**rows[0], "answer": "another"}, *rows[2:]])
        refused = ward.gate("--frozen", str(listed))
        allowed = ward.gate("--frozen", str(listed), "--allow-bad-rows", "2")
    finally:
        ward.write(rows)
    assert first.manifest["datasets"][0]["sha256"] == second.manifest["datasets"][0]["sha256"]
    assert second.manifest["datasets"][0]["selected"] == {
        "rows": 25,
        "outside": 0,
        "unlisted": 9,
        "gone": 0,
        "changed": 0,
    }
    assert "16 instances as they were frozen, 9 new rows left out" in " ".join(second.out.split())
    assert refused.status == 4
    assert "2 of 16 instances are not as they were frozen: 1 gone, 1 changed" in refused.err
    assert Search().packed((refused.out + refused.err).encode()) == set()
    assert "14 instances as they were frozen, 8 new rows left out, 1 gone, 1 changed" in " ".join(allowed.out.split())
    assert main(["freeze", "--data", "nothing", "--out", str(ward.folder / "x.json")]) == 4
    assert "--data: 'nothing' is not a dataset" in capsys.readouterr().err
