"""The model registry: what ``--model`` may name."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from clinhallu_gate.config.registry import ModelEntry, registry_names, resolve_model
from clinhallu_gate.errors import BadInput


def registry(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "models.yaml"
    file.write_text(text)
    return file


def complaint(name: str, extra: Path | None = None) -> str:
    with pytest.raises(BadInput) as caught:
        resolve_model(name, extra=extra)
    text = str(caught.value)
    assert "\n" not in text
    return text.replace(str(extra), "FILE")


def test_the_phantom_models_need_nothing_else() -> None:
    """The registry's phantom models name their own data, judge and thresholds, and lie in the package."""
    for name in ("phantom-vlm", "phantom-vlm-early"):
        entry = resolve_model(name)
        assert entry.name == name
        assert entry.folder is not None
        assert entry.folder.parts[-3:] == ("clinhallu_gate", "models", name)
        assert entry.defaults.model_dump() == {
            "data": ("phantom",),
            "judge": "oracle",
            "thresholds": "thresholds/phantom.yaml",
        }
        assert entry.serve_args[entry.serve_args.index("--block-size") + 1] == "32"


def test_every_entry_is_complete() -> None:
    """Every packaged entry validates, has flags as words of text, and only models that were tried say so."""
    entries = {name: resolve_model(name) for name in registry_names()}
    assert {name for name, entry in entries.items() if entry.tried} == {"phantom-vlm", "phantom-vlm-early"}
    assert entries["medgemma-4b"].published == "MedGemma-4B"
    for entry in entries.values():
        assert "--limit-mm-per-prompt" in entry.serve_args
        assert not {"--dtype", "--port", "--model", "--generation-config"} & set(entry.serve_args)


def test_an_unknown_name_is_refused_with_a_suggestion() -> None:
    """A misspelt name gets the nearest one; a name near to none gets all."""
    assert complaint("medgema-4b") == (
        "--model: 'medgema-4b' is not a model of the registry, a folder or a hub id. Did you mean 'medgemma-4b'?"
    )
    assert complaint("zzz") == (
        "--model: 'zzz' is not a model of the registry, a folder or a hub id."
        " Valid: phantom-vlm, phantom-vlm-early, medgemma-4b."
    )


@pytest.mark.parametrize("name", ["a/b/c", "/b", "a/", "a b/c", "", "./gone", "../gone"])
def test_what_is_no_hub_id_is_refused(name: str) -> None:
    """A hub id has an organisation, one slash and a name."""
    assert "is not a model of the registry, a folder or a hub id" in complaint(name)


def test_a_folder_gets_sensible_flags(tmp_path: Path) -> None:
    """An existing folder is a model of its own name, untried, with room for several images."""
    folder = tmp_path / "my-model"
    folder.mkdir()
    entry = resolve_model(str(folder))
    assert (entry.name, entry.folder, entry.tried, entry.dtype) == ("my-model", folder, False, "auto")
    assert "--limit-mm-per-prompt" in entry.serve_args


def test_a_hub_id_is_taken_as_it_is() -> None:
    """A hub id that no entry has as its source is untried and no folder."""
    entry = resolve_model("org/some-model.v2")
    assert (entry.name, entry.source, entry.folder) == ("org/some-model.v2", "org/some-model.v2", None)


def test_a_source_of_the_registry_gets_its_entry() -> None:
    """Naming the hub id or the folder that an entry has as its source gets the entry and its flags."""
    assert resolve_model("google/medgemma-4b-it") == resolve_model("medgemma-4b")


def test_a_registry_of_ones_own_comes_first(tmp_path: Path) -> None:
    """A user's file adds entries and replaces packaged ones; its folders are relative to itself."""
    text = "models:\n  mine: {source: ./ckpt, tried: true}\n  medgemma-4b: {source: other/medgemma}\n"
    extra = registry(tmp_path, text)
    assert resolve_model("mine", extra=extra).folder == tmp_path / "ckpt"
    assert resolve_model("medgemma-4b", extra=extra).source == "other/medgemma"
    assert resolve_model("phantom-vlm", extra=extra).tried


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("models:\n  m: {dtype: auto}\n", "FILE: models.m.source: Field required."),
        (
            "models:\n  m: {source: a/b, serve_arg: []}\n",
            "FILE: models.m.serve_arg: 'serve_arg' is not a key of a model entry. Did you mean 'serve_args'?",
        ),
        (
            "models:\n  m: {source: a/b, serve_args: [2]}\n",
            "FILE: models.m.serve_args.0: 2: Input should be a valid string.",
        ),
        (
            "models:\n  m: {source: a/b, startup_timeout_s: 0}\n",
            "FILE: models.m.startup_timeout_s: 0: Input should be greater than 0.",
        ),
        ("models:\n  m: text\n", "FILE: models.m: 'text' is not a mapping."),
        ("- a\n", "FILE: has no mapping 'models' from names to entries."),
    ],
)
def test_a_malformed_registry_is_told_by_file_and_key(tmp_path: Path, text: str, told: str) -> None:
    """One line that names the file, the key, the value and what is valid."""
    assert complaint("m", registry(tmp_path, text)) == told


def test_a_registry_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A missing file and a file that is not YAML are each told in one line."""
    assert complaint("m", tmp_path / "gone.yaml") == "FILE: cannot be read: No such file or directory."
    assert complaint("m", registry(tmp_path, "models: [")).startswith("FILE: is not YAML: ")


def test_an_entry_is_frozen() -> None:
    """An entry cannot be changed by whoever holds it."""
    with pytest.raises(ValidationError, match="frozen"):
        resolve_model("phantom-vlm").dtype = "auto"  # type: ignore[misc]
    assert isinstance(resolve_model("phantom-vlm"), ModelEntry)
