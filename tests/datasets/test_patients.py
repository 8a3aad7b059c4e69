"""Patients under other names from loading on: ids, clusters, rare groups, and what is said of rows that are wrong."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from data_files import ROW, manifest, png

from clinhallu_gate.datasets.dataset import Alias
from clinhallu_gate.datasets.load import BadRows, DataOptions, Dataset, load_data
from clinhallu_gate.errors import BadInput
from clinhallu_gate.pseudonym import pseudonym


def _loaded(folder: Path, rows: list[dict[str, Any]], options: DataOptions) -> Dataset:
    images = {name: png((place, 1, 1)) for place, name in enumerate({name for row in rows for name in row["images"]})}
    (dataset,) = load_data([str(manifest(folder, rows, images=images))], options)
    return dataset


def _patient(number: int, **more: object) -> dict[str, Any]:
    named = {"source_id": f"MRN-{number}", "patient_id": f"Doe {number}", "images": [f"{number}.png"]}
    return {**ROW, **named, "phi": True, **more}


def _known_as(name: str, key: Path) -> str:
    return pseudonym(name, key.read_bytes().strip())


def test_ids_are_keyed_hashes(tmp_path: Path, options: DataOptions, site_key: Path) -> None:
    """The same in each load with one key, others with another; rows are found by them, and the site knows whose."""
    data = _loaded(tmp_path / "ward", [_patient(1), _patient(2)], options)
    assert [i.id for i in data.instances] == [_known_as(f"{data.name}/MRN-{n}", site_key) for n in (1, 2)]
    assert [data.rows[i.id]["source_id"] for i in data.instances] == ["MRN-1", "MRN-2"]
    assert data.aliases[0] == Alias(data.instances[0].id, "instance", "MRN-1")
    again = _loaded(tmp_path / "ward", [_patient(1), _patient(2)], options)
    assert (again.instances, again.sha256) == (data.instances, data.sha256)
    site_key.unlink()
    other = _loaded(tmp_path / "ward", [_patient(1), _patient(2)], options)
    assert {i.id for i in other.instances}.isdisjoint(i.id for i in data.instances)
    assert other.sha256 != data.sha256


def test_a_cluster_with_a_patient_is_not_named(tmp_path: Path, options: DataOptions, site_key: Path) -> None:
    """Nor is any instance in it, whatever its row says: it would lead from a hash to a name."""
    shared = {**ROW, "source_id": "open", "patient_id": "Doe 1", "images": ["9.png"]}
    data = _loaded(tmp_path / "ward", [_patient(1), shared, {**ROW, "source_id": "far", "images": ["8.png"]}], options)
    first, second, third = data.instances
    assert first.cluster == second.cluster != f"{data.name}/MRN-1"
    assert second.phi
    assert second.id == _known_as(f"{data.name}/open", site_key)
    assert (third.id, third.cluster) == ("far", f"{data.name}/far")


def test_data_without_patients_need_no_key(tmp_path: Path, options: DataOptions, site_key: Path) -> None:
    """Nothing of them is changed."""
    data = _loaded(tmp_path / "ward", [{**ROW, "stratum": "rare", "tags": ["one"]}], options)
    assert (data.instances[0].id, data.instances[0].stratum, data.instances[0].tags) == (
        ROW["source_id"],
        "rare",
        ("one",),
    )
    assert not site_key.exists()


def test_rare_groups_are_not_named(tmp_path: Path, options: DataOptions, site_key: Path) -> None:
    """A stratum or tag is told if five patients bear it, or if the policy names it."""
    rows = [_patient(n, stratum="chest" if n < 5 else "hand", tags=["common", f"of {n}", "never:x"]) for n in range(7)]
    data = _loaded(tmp_path / "ward", rows, options)
    hand = f"group-{_known_as('group/hand', site_key)[:12]}"
    assert [i.stratum for i in data.instances] == ["chest"] * 5 + [hand] * 2
    assert {tag for i in data.instances for tag in i.tags if not tag.startswith("group-")} == {"common", "never:x"}
    assert Alias(hand, "group", "hand") in data.aliases
    named = _loaded(tmp_path / "ward", rows, replace(options, named=frozenset({"hand", "of 3"})))
    assert {i.stratum for i in named.instances} == {"chest", "hand"}
    assert "of 3" in named.instances[3].tags
    assert named.sha256 == data.sha256


def test_five_instances_are_not_five_patients(tmp_path: Path, options: DataOptions) -> None:
    """Patients are counted."""
    rows = [_patient(n, patient_id=f"Doe {n % 4}", stratum="hand") for n in range(8)]
    assert all(i.stratum.startswith("group-") for i in _loaded(tmp_path / "ward", rows, options).instances)


def test_the_name_of_the_data_set_is_told(tmp_path: Path, options: DataOptions) -> None:
    """It is the stratum where rows have none, and the site's own word."""
    data = _loaded(tmp_path / "ward", [_patient(1)], options)
    assert data.instances[0].stratum == data.name


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"question_type": "Doe"}, "question_type: (not shown) is not a question type. Valid: yes_no, "),
        ({"answer": "Doe"}, "answer: (not shown) is no answer to a yes_no question. Valid: yes, no"),
        ({"questoin Doe": "x"}, "(not shown): (not shown) is not a field. Did you mean 'question'?"),
        ({"images": ["Doe.png"]}, "images[0]: (not shown) does not exist in "),
        ({"images": ["Doe" * 200]}, "images[0]: (not shown) cannot be found: (not shown)"),
        ({"answer_letter": "Doe"}, "answer_letter: (not shown) is no option. Valid: none"),
        ({"stratum": 4711}, "stratum: (not shown) is not text"),
        ({"phi": "Doe"}, "phi: (not shown) is neither true nor false"),
    ],
)
def test_no_value_of_a_row_is_told(tmp_path: Path, options: DataOptions, change: dict[str, Any], says: str) -> None:
    """File, row, field and what is valid are; so is it with rows that were left out."""
    path = manifest(
        tmp_path / "ward", [{**_patient(1), "images": ["a.png"]}, {**_patient(2), "images": ["a.png"], **change}]
    )
    with pytest.raises(BadRows) as refused:
        load_data([str(path)], options)
    assert f"{path}:2: {says}" in str(refused.value)
    assert "Doe" not in str(refused.value)
    assert "4711" not in str(refused.value)
    (data,) = load_data([str(path)], replace(options, allow_bad_rows=1))
    assert str(data.left_out[0]).startswith(f"{path}:2: {says}")


def test_one_patient_makes_a_whole_file_theirs(tmp_path: Path, options: DataOptions) -> None:
    """A row that lacks its flag by mistake is spoken of in the same way; a second row of one identity, too."""
    rows = [{**_patient(1), "images": ["a.png"]}, {**ROW, "answer": "Doe"}, {**_patient(1), "images": ["a.png"]}]
    path = manifest(tmp_path / "ward", rows)
    with pytest.raises(BadRows) as refused:
        load_data([str(path)], options)
    assert f"{path}:2: answer: (not shown) is no answer" in str(refused.value)
    assert f"{path}:3: (not shown) is already the identity of {path}:1" in str(refused.value)


@pytest.mark.parametrize("first", ["Doe,1957-03-14,4711", "Patients of JOHN Doe, ward 7", "Patients of JOHN Doe"])
def test_a_first_row_is_not_taken_for_a_header(tmp_path: Path, options: DataOptions, first: str) -> None:
    """A table without a header would have its first patient quoted as the name of a column; so would a title."""
    (tmp_path / "ward.csv").write_text(f"{first}\nid,question\n")
    with pytest.raises(
        BadInput, match=r"ward\.csv: has no header: none of its columns is a field\. Valid: "
    ) as refused:
        load_data([str(tmp_path / "ward.csv")], options)
    assert "Doe" not in str(refused.value)
