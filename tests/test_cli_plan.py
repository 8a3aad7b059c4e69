"""``clinhallu-gate plan``: what it says, draws, and refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from clinhallu_gate.cli import main

RATE = ["--metric", "visual_hallucination_rate", "--max", "0.30"]
EXAMPLE = [*RATE, "--expect", "0.24", "--power", "0.9", "--cluster-size", "3", "--icc", "0.1"]
DROP = ["--metric", "answer_accuracy", "--max-drop", "0.02"]


def said(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """Return what the command prints."""
    assert main(["plan", *options]) == 0
    return capsys.readouterr().out


def found(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, object]:
    """Return its JSON."""
    answer: dict[str, object] = json.loads(said(capsys, *options, "--json"))
    return answer


def test_example(capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence on top, one row per way in instances and patients, and what was assumed."""
    assert said(capsys, *EXAMPLE) == (
        "To show that the visual hallucination rate is at most 30 % (PASS at 0.05), if it is truly 24 %, with a chance"
        " of 90 %: 600 instances of 200 patients at fixed n. One by one, half of all runs need 474, and 9 of 10 no more"
        " than 1,011.\n"
        "\n"
        "                                         instances    patients\n"
        "fixed n, power 0.8                             438         146\n"
        "fixed n, power 0.9 (asked)                     600         200\n"
        "one by one, 50 % of the runs                   474         158\n"
        "one by one, 90 % of the runs (asked)         1,011         337\n"
        "\n"
        "Of patients like these; --list N plans for one list, of which nothing is open once all of it is asked.\n"
        "3 instances of each patient, correlation 0.1: design effect 1.2.\n"
        "One by one: 500 simulated runs, seed 20260101; 0 % are open after 50,000, 0 % decide wrongly.\n"
    )


def test_accuracy_mirrors(capsys: pytest.CaptureFixture[str]) -> None:
    """An accuracy of at least .75 is a rate of at most .25 of incorrect answers."""
    accuracy = found(capsys, "--metric", "answer_accuracy", "--min", "0.75", "--expect", "0.8")
    rate = found(capsys, "--metric", "knowledge_hallucination_rate", "--max", "0.25", "--expect", "0.2")
    assert accuracy["fixed"] == rate["fixed"] == [
        {"power": 0.8, "instances": 463, "patients": 463},
        {"power": 0.9, "instances": 634, "patients": 634},
    ]  # fmt: skip
    assert accuracy["sequential"] == rate["sequential"]
    assert accuracy["sentence"].startswith("To show that answer accuracy is at least 75 % (PASS at 0.05)")  # type: ignore[attr-defined] - a text


def test_a_truth_beyond_is_planned_for_a_fail(capsys: pytest.CaptureFixture[str]) -> None:
    """A FAIL names its gate, so it is said at alpha divided by the blocking gates, which takes more instances."""
    alone = found(capsys, *RATE, "--expect", "0.4")
    many = found(capsys, *RATE, "--expect", "0.4", "--gates", "5")
    assert (many["decision"], many["error"]) == ("FAIL", 0.01)
    assert many["fixed"][0]["instances"] > alone["fixed"][0]["instances"]  # type: ignore[index] - a list
    assert "is above 30 % (FAIL at 0.05 / 5), if it is truly 40 %" in str(many["sentence"])


def test_paired(capsys: pytest.CaptureFixture[str]) -> None:
    """A drop is expected to be none, and a share of differing pairs is assumed and said."""
    text = said(capsys, *DROP)
    assert text.startswith(
        "To show that answer accuracy falls by at most 2 points below the baseline's (PASS at 0.05), if it truly falls"
        " by 0 points, with a chance of 80 %: 1,871 instances at fixed n."
    )
    assert "12 % of the pairs are taken to differ (--discordance).\n" in text
    fewer = found(capsys, *DROP, "--discordance", "0.06")
    assert fewer["fixed"][0]["instances"] < 1000  # type: ignore[index] - a list


def test_recovery(capsys: pytest.CaptureFixture[str]) -> None:
    """A recovery is a paired difference; too little of it is bad with ``--min``, too much with ``--max``."""
    least = found(capsys, "--metric", "recovery", "--min", "0", "--expect", "0.03")
    most = found(capsys, "--metric", "recovery", "--max", "0.03", "--expect", "0")
    assert (least["decision"], most["decision"]) == ("PASS", "PASS")
    assert "recovery is at least 0 points (PASS at 0.05), if it is truly 3 points" in str(least["sentence"])
    assert "recovery is at most 3 points (PASS at 0.05), if it is truly 0 points" in str(most["sentence"])
    worse = found(capsys, "--metric", "recovery", "--min", "0", "--expect", "-0.2", "--power", "0.95")
    assert (worse["decision"], worse["discordance"]) == ("FAIL", 0.2)
    assert [row["power"] for row in worse["fixed"]] == [0.8, 0.9, 0.95]  # type: ignore[attr-defined] - a list


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a list nothing is open at its end, so even the threshold itself is decided there."""
    text = said(capsys, *RATE, "--expect", "0.3", "--list", "400")
    assert "the whole list of 400 at fixed n" in text
    assert "Of one list of 400: all of it leaves nothing to chance.\n" in text
    assert "One by one, runs need 400.\n" in text


def test_what_cannot_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The threshold itself, and what is too near it, are said to be out of reach; what never ends, too."""
    text = said(capsys, *RATE, "--expect", "0.3")
    assert "no number of instances will do. The expected truth is the threshold itself.\n" in text
    assert "fixed n, power 0.8 (asked)             > 1,000,000\n" in text
    assert "more than 1,000,000 instances would be needed." in said(capsys, *RATE, "--expect", "0.2999")


def test_never_events(capsys: pytest.CaptureFixture[str]) -> None:
    """With no event expected the rule of three stands beside the table."""
    text = said(capsys, "--metric", "reasoning_hallucination_rate", "--max", "0.01", "--expect", "0")
    assert "If it never happens, 299 instances without a single event show it.\n" in text
    assert "One by one, runs need 5" in text


def test_few_patients(capsys: pytest.CaptureFixture[str]) -> None:
    """A plan of few patients is warned of."""
    text = said(capsys, *RATE, "--expect", "0.05", "--cluster-size", "8", "--icc", "0.3")
    assert "On fewer than 50 patients the limits err too often: ask more than stands here.\n" in text


@pytest.mark.parametrize("name", ["a.svg", "a.PNG"])
def test_plot(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The picture is the same every time, and says threshold, truth and what the marks mean."""
    first, second = tmp_path / name, tmp_path / f"again-{name}"
    for path in (first, second):
        said(capsys, *EXAMPLE, "--plot", str(path))
    assert first.read_bytes() == second.read_bytes()
    if name.endswith("svg"):
        text = first.read_text()
        for part in ("is at most 30 %, if it is truly 24 %", "600", "1,011", "power 0.9", "fixed n", "one by one"):
            assert part in text
        assert "<dc:date>" not in text


@pytest.mark.parametrize(
    "options", [[*RATE, "--expect", "0.3"], [*RATE, "--expect", "0.31", "--list", "300"], [*DROP, "--list", "2000"]]
)
def test_plot_of_the_rest(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be shown, lists and pairs are drawn too."""
    said(capsys, *options, "--plot", str(tmp_path / "a.svg"))
    assert ("no number of instances will do" in (tmp_path / "a.svg").read_text()) == ("--list" not in options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([*RATE, "--expect", "1.3"], "--expect: 1.3 is not a rate. Valid: 0 to 1."),
        ([*RATE, "--expect", "much"], "--expect: much is not a rate. Valid: 0 to 1."),
        ([*RATE, "--expect", "nan"], "--expect: nan is not a rate. Valid: 0 to 1."),
        (RATE, "--expect: is missing: the visual_hallucination_rate that is expected. Valid: 0 to 1."),
        (
            ["--metric", "visual_rate", "--max", "0.3"],
            "--metric: 'visual_rate' is not a metric. Did you mean 'visual_hallucination_rate'?",
        ),
        (RATE[:2], "plan: exactly one of --max, --min and --max-drop is wanted, found none of them."),
        ([*RATE, "--min", "0"], "plan: exactly one of --max, --min and --max-drop is wanted, found --max and --min."),
        (
            ["--metric", "answer_accuracy", "--max", "1"],
            "--max: does not fit answer_accuracy. Valid: --min, --max-drop.",
        ),
        ([*DROP[:3], "-0.1"], "--max-drop: -0.1 is not a drop. Valid: 0 to 1."),
        ([*DROP, "--expect", "-2"], "--expect: -2 is not a difference of rates. Valid: -1 to 1."),
        (
            [*DROP, "--expect", "0.2", "--discordance", "0.1"],
            "--discordance: 0.1 is less than the expected difference. Valid: 0.2 to 1.",
        ),
        (
            [*RATE, "--expect", "0", "--discordance", "0.1"],
            "--discordance: has a meaning only for pairs: --max-drop, or recovery.",
        ),
        ([*RATE, "--expect", "0", "--icc", "0.1"], "--icc: needs --cluster-size beside it."),
        ([*RATE, "--expect", "0", "--cluster-size", "3"], "--cluster-size: needs --icc beside it."),
        (
            [*EXAMPLE, "--list", "10"],
            "--cluster-size: has no meaning beside --list: of a list, single instances are drawn.",
        ),
        (
            [*RATE, "--expect", "0.302", "--list", "100"],
            "--list: of 100 instances no whole number makes the expected 0.302 on its side of 0.3. Take a longer list.",
        ),
        ([*RATE, "--expect", "0", "--gates", "0"], "--gates: 0 is not a whole number. Valid: 1 to 1,000."),
        ([*RATE, "--expect", "0", "--list", "1e3"], "--list: 1e3 is not a whole number. Valid: 1 to 1,000,000."),
        ([*RATE, "--expect", "0", "--power", "1"], "--power: 1 is not a power. Valid: 0.5 to 0.999."),
        ([*RATE, "--expect", "0", "--alpha", "0"], "--alpha: 0 is not a one-sided error. Valid: 0.0001 to 0.49."),
        (
            [*RATE, "--expect", "0", "--plot", "a.pdf"],
            "--plot: a.pdf is not a picture that can be drawn. Valid: .svg, .png.",
        ),
        (
            [*RATE, "--expect", "0", "--plot", "/nowhere/a.png"],
            "--plot: /nowhere/a.png cannot be written: No such file or directory.",
        ),
    ],
)
def test_bad_input(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on stderr, exit 4, nothing on stdout."""
    assert main(["plan", *options]) == 4
    streams = capsys.readouterr()
    assert (streams.out, streams.err) == ("", f"clinhallu-gate: {message}\n")


def test_pictures_cost_only_who_wants_them() -> None:
    """Without ``--plot`` no drawing library is loaded, and usage needs no scipy."""
    code = (
        "import sys, clinhallu_gate.cli as cli; print('scipy' in sys.modules);"
        "cli.main(['plan', '--metric', 'answer_accuracy', '--min', '0.5', '--expect', '0.9', '--json']);"
        "print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("False\n")
    assert done.stdout.endswith("False\n")


def test_a_hallucination_rate_rises(capsys: pytest.CaptureFixture[str]) -> None:
    """What gets worse is named as it moves."""
    main(["plan", "--metric", "visual_hallucination_rate", "--max-drop", "0.05"])
    said = capsys.readouterr().out
    assert "the visual hallucination rate rises by at most 5 points above the baseline's" in said
    assert "if it truly rises by 0 points" in said
