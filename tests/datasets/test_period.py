"""Studies of a time: chosen by the row's own date, before any image is read, and without telling one."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_files import ROW, manifest, png, troubles

from clinhallu_gate.datasets.dataset import Selected
from clinhallu_gate.datasets.load import BadRows, DataOptions, load_data
from clinhallu_gate.datasets.period import Period, day_of
from clinhallu_gate.errors import BadInput

DAYS = ("2026-01-31", "2026-02-01", "2026-02-28", "2026-03-01")
FEBRUARY = Period(date(2026, 2, 1), date(2026, 2, 28))


def ward(folder: Path, days: tuple[str | None, ...] = DAYS, *, phi: bool = True) -> Path:
    """Write a patient for each day; None writes no date."""
    rows = [
        {
            **ROW,
            "source_id": f"r{place}",
            "images": [f"{place}.png"],
            "phi": phi,
            **({"study_date": day} if day else {}),
        }
        for place, day in enumerate(days)
    ]
    return manifest(folder, rows, images={f"{place}.png": png((place, 2, 3)) for place in range(len(days))})


def test_both_ends_are_included(tmp_path: Path, options: DataOptions) -> None:
    """Of four days February has the two in the middle; how many are not taken is counted."""
    (data,) = load_data([str(ward(tmp_path / "w"))], replace(options, period=FEBRUARY))
    assert sorted(str(row["source_id"]) for row in data.rows.values()) == ["r1", "r2"]
    assert data.selected == Selected(rows=4, outside=2)


@pytest.mark.parametrize(
    ("since", "until", "taken"), [("2026-02-28", None, 2), (None, "2026-01-31", 1), (None, None, 4)]
)
def test_an_end_may_be_open(
    tmp_path: Path, options: DataOptions, since: str | None, until: str | None, taken: int
) -> None:
    """Since a day, until a day, or all of them."""
    (data,) = load_data([str(ward(tmp_path / "w"))], replace(options, period=Period.read(since, until)))
    assert len(data.instances) == taken
    assert (data.selected is None) is (since is until)


def test_what_is_not_taken_leaves_no_trace_in_the_data(tmp_path: Path, options: DataOptions) -> None:
    """The digest is that of the same rows alone: neither dates nor other rows enter it."""
    whole, part = ward(tmp_path / "a"), ward(tmp_path / "b", (None, *DAYS[1:3]))
    (chosen,) = load_data([str(whole)], replace(options, period=FEBRUARY))
    lines = part.read_text().splitlines()[1:]
    part.write_text("\n".join(line.replace('"study_date"', '"keyword"') for line in lines))
    (alone,) = load_data([str(part)], options)
    assert chosen.sha256 == alone.sha256


def test_images_of_other_days_are_not_read(tmp_path: Path, options: DataOptions) -> None:
    """They may be broken or gone."""
    path = ward(tmp_path / "w")
    (path.parent / "0.png").unlink()
    (path.parent / "3.png").write_bytes(b"no image")
    (data,) = load_data([str(path)], replace(options, period=FEBRUARY))
    assert len(data.instances) == 2


def test_a_row_without_a_date_is_a_problem(tmp_path: Path, options: DataOptions) -> None:
    """It has no place in any period, and is left out only where that is allowed."""
    path = ward(tmp_path / "w", ("2026-02-02", None))
    with_period = replace(options, period=FEBRUARY)
    assert troubles(path, with_period) == ["2: study_date: is missing, which --since and --until need"]
    (data,) = load_data([str(path)], replace(with_period, allow_bad_rows=1))
    assert (len(data.instances), len(data.left_out)) == (1, 1)
    assert len(load_data([str(path)], options)[0].instances) == 2


@pytest.mark.parametrize("day", ["2026-02-30", "20260201", "2026-W05-1", "01.02.2026", 20260201, True])
def test_what_is_no_date_is_refused(tmp_path: Path, options: DataOptions, day: object) -> None:
    """With the form that is valid; of a patient's row the value is not told."""
    said = "is no date. Valid: YYYY-MM-DD, such as 2026-01-31"
    path = manifest(tmp_path / "open", [{**ROW, "study_date": day}])
    assert troubles(path, options) == [f"1: study_date: {day!r} {said}"]
    path = manifest(tmp_path / "ward", [{**ROW, "study_date": day, "phi": True}])
    assert troubles(path, options) == [f"1: study_date: (not shown) {said}"]


def test_a_bad_row_of_another_day_is_no_problem(tmp_path: Path, options: DataOptions) -> None:
    """It would not have been taken anyway."""
    bad = {**ROW, "source_id": "2", "question_type": "essay", "phi": True}
    rows = [{**ROW, "study_date": "2026-02-01"}, {**bad, "study_date": "2026-03-01"}]
    path = manifest(tmp_path / "w", rows)
    (data,) = load_data([str(path)], replace(options, period=FEBRUARY))
    assert data.selected == Selected(rows=2, outside=1)
    with pytest.raises(BadRows, match="question_type"):
        load_data([str(manifest(tmp_path / "x", [rows[0], {**bad, "study_date": "2026-02-02"}]))], options)


def test_last_years_row_of_an_identity_is_in_nobodys_way(tmp_path: Path, options: DataOptions) -> None:
    """The row that is taken keeps it; of two that are taken the second is a problem still."""
    rows = [{**ROW, "source_id": "1", "study_date": day} for day in ("2025-02-01", "2026-02-01", "2026-02-02")]
    chosen = replace(options, period=FEBRUARY)
    path = manifest(tmp_path / "w", rows[:2])
    (data,) = load_data([str(path)], chosen)
    assert [row["study_date"] for row in data.rows.values()] == ["2026-02-01"]
    assert data.selected == Selected(rows=2, outside=1)
    again = manifest(tmp_path / "again", rows)
    assert troubles(again, chosen) == [f"3: '1' is already the identity of {again}:2"]


def test_a_period_that_leaves_nothing_says_so(tmp_path: Path, options: DataOptions) -> None:
    """With the number of rows that were looked at."""
    with pytest.raises(BadInput, match=r"--since 2027-01-01: leaves no row of mine: 4 of 4 are outside"):
        load_data([str(ward(tmp_path / "w"))], replace(options, period=Period(date(2027, 1, 1), None)))


def test_only_manifests_have_dates(options: DataOptions) -> None:
    """A period over phantoms alone would choose nothing."""
    with pytest.raises(BadInput, match="only manifests have study dates"):
        load_data(["phantom"], replace(options, period=FEBRUARY))


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-13-01", None, "--since: '2026-13-01' is no date. Valid: YYYY-MM-DD, such as 2026-01-31."),
        (None, "yesterday", "--until: 'yesterday' is no date. Valid: YYYY-MM-DD, such as 2026-01-31."),
        ("2026-02-02", "2026-02-01", "--since: 2026-02-02 is after --until 2026-02-01, so no study lies between."),
    ],
)
def test_options_that_are_no_period_are_refused(since: str | None, until: str | None, said: str) -> None:
    """In a line, with what is valid."""
    with pytest.raises(BadInput) as raised:
        Period.read(since, until)
    assert str(raised.value) == said


def test_a_table_may_hold_dates_and_times(tmp_path: Path, options: DataOptions) -> None:
    """Parquet has types of its own; the row is kept with text, as it is written as JSON later."""
    path = ward(tmp_path / "w", ("2026-02-01",))
    moment = datetime(2026, 2, 1, 9, 30, tzinfo=UTC)
    for name, day in (("day", moment.date()), ("moment", moment)):
        table = path.with_name(f"{name}.parquet")
        pq.write_table(pa.Table.from_pylist([{**ROW, "images": ["0.png"], "study_date": day}]), table)
        (data,) = load_data([str(table)], replace(options, period=FEBRUARY))
        assert [row["study_date"] for row in data.rows.values()] == ["2026-02-01"]
    assert day_of(moment) == date(2026, 2, 1)
