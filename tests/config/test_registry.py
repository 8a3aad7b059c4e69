"""The model registry: what ``--model`` may name."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from clinhallu_gate.config.registry import ModelEntry, registry_names, resolve_model
from clinhallu_gate.errors import BadInput


def registry(tmp_path: Path, text: str) -> Path:
    tmp_path.mkdir(exist_ok=True)
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
    assert {name for name, entry in entries.items() if entry.tried} == {
        "phantom-vlm",
        "phantom-vlm-early",
        "phantom-judge",
    }
    assert entries["medgemma-4b"].published == "MedGemma-4B"
    for entry in entries.values():
        assert entry.revision is None
        if not entry.api_only:
            assert {"--limit-mm-per-prompt", "--max-model-len"} <= set(entry.serve_args)
        assert not {"--dtype", "--port", "--model", "--generation-config"} & set(entry.serve_args)


def test_the_models_of_the_paper_take_its_largest_question() -> None:
    """Each hosted one takes five images at once, in the precision that it was published in."""
    for name in registry_names():
        entry = resolve_model(name)
        if not entry.api_only and not entry.tried:
            limits = entry.serve_args[entry.serve_args.index("--limit-mm-per-prompt") + 1]
            assert json.loads(limits)["image"] == 5
            assert entry.dtype == "bfloat16"


def test_code_of_a_repository_runs_for_one_model_only() -> None:
    """Only InternVL's configuration needs --trust-remote-code."""
    trusting = [name for name in registry_names() if "--trust-remote-code" in resolve_model(name).serve_args]
    assert trusting == ["internvl3.5-8b"]


def test_thinking_is_switched_off_where_there_is_a_switch() -> None:
    """The templates of Qwen3.5 think unless told not to."""
    told = {name for name in registry_names() if resolve_model(name).chat_template_kwargs == {"enable_thinking": False}}
    assert told == {"qwen3.5-4b", "qwen3.5-9b", "qwen3.5-27b"}


def test_models_of_an_api_name_address_and_variable() -> None:
    """Three models cannot be hosted: each names its API and the variable of the key, and nothing of a server."""
    found = {entry.name: entry for name in registry_names() if (entry := resolve_model(name)).api_only}
    assert set(found) == {"qwen3-vl-flash", "qwen3-vl-plus", "gemini-3-flash"}
    for entry in found.values():
        assert entry.endpoint is not None
        assert entry.endpoint.startswith("https://")
        assert entry.api_key_env in ("DASHSCOPE_API_KEY", "GEMINI_API_KEY")
        assert (entry.serve_args, entry.folder) == ((), None)
    assert resolve_model("gemini-3-flash-preview") == found["gemini-3-flash"]


def test_an_unknown_name_is_refused_with_a_suggestion() -> None:
    """A misspelt name gets the nearest one; a name near to none gets all."""
    assert complaint("medgema-4b") == (
        "--model: 'medgema-4b' is not a model of the registry, a folder or a hub id. Did you mean 'medgemma-4b'?"
    )
    assert complaint("zzz") == (
        "--model: 'zzz' is not a model of the registry, a folder or a hub id. Valid: phantom-vlm, phantom-vlm-early,"
        " phantom-judge, qwen3-vl-flash, qwen3-vl-plus, gemini-3-flash, qwen2.5-vl-7b, qwen3-vl-8b, lingshu-7b,"
        " medgemma-4b, internvl3.5-8b, qwen3-vl-32b, qwen3.5-4b, qwen3.5-9b, qwen3.5-27b."
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


def test_an_entry_of_ones_own_for_a_known_source_comes_first(tmp_path: Path) -> None:
    """Naming a hub id gets the user's entry for it, not the packaged one."""
    extra = registry(tmp_path, "models:\n  mine: {source: google/medgemma-4b-it, revision: v2}\n")
    assert resolve_model("google/medgemma-4b-it", extra=extra).name == "mine"
    assert resolve_model("medgemma-4b", extra=extra).revision is None


def test_anchors_and_merge_keys_work_in_a_file_of_ones_own(tmp_path: Path) -> None:
    """YAML's own means share what entries have in common, also from beside ``models``."""
    text = """\
common: &common
  dtype: bfloat16
  serve_args: [--max-model-len, "8192"]
models:
  a: {<<: *common, source: org/a}
  b: {<<: *common, source: ../b, dtype: auto}
"""
    extra = registry(tmp_path, text)
    assert resolve_model("a", extra=extra).serve_args == ("--max-model-len", "8192")
    assert resolve_model("a", extra=extra).dtype == "bfloat16"
    assert resolve_model("b", extra=extra).dtype == "auto"
    assert resolve_model("b", extra=extra).folder == tmp_path.parent / "b"


def test_an_api_of_ones_own(tmp_path: Path) -> None:
    """A private API is named by its address; its model may have any name, and the address may be left to --endpoint."""
    text = (
        "models:\n  a: {source: our model, endpoint: 'http://10.0.0.5:8000/v1'}\n  b: {source: b, api_key_env: B_KEY}\n"
    )
    extra = registry(tmp_path, text)
    first, second = resolve_model("a", extra=extra), resolve_model("b", extra=extra)
    assert (first.api_only, first.source, first.api_key_env) == (True, "our model", None)
    assert (second.api_only, second.endpoint) == (True, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("  m: {dtype: auto}", "FILE:2: models.m.source: is missing."),
        (
            "  m: {source: a/b, serve_arg: []}",
            "FILE:2: models.m.serve_arg: 'serve_arg' is not a key of a model entry. Did you mean 'serve_args'?",
        ),
        (
            "  m:\n    source: a/b\n    defaults: {thresholdz: x}",
            (
                "FILE:4: models.m.defaults.thresholdz: 'thresholdz' is not a key of a model entry."
                " Did you mean 'thresholds'?"
            ),
        ),
        (
            "  m:\n    source: a/b\n    serve_args: [2]",
            "FILE:4: models.m.serve_args[0]: 2: Input should be a valid string.",
        ),
        (
            "  m: {source: a/b, startup_timeout_s: 0}",
            "FILE:2: models.m.startup_timeout_s: 0: Input should be greater than 0.",
        ),
        ("  m: text", "FILE:2: models.m: 'text' is not a mapping."),
        ("  3: {source: a/b}", "FILE:2: models.3: 3 is not text; put the name into quotes."),
        (
            "  m: {source: a/b, name: other}",
            "FILE:2: models.m.name: the name of an entry is the key above it. Leave it out.",
        ),
        (
            "  m: {source: a b}",
            (
                "FILE:2: models.m.source: 'a b' is not a hub id or a folder. Valid: org/name, ./FOLDER (beside this"
                " file), /FOLDER, or any name with endpoint or api_key_env."
            ),
        ),
        (
            "  m: {source: a/b, published: MedGemma-4b}",
            (
                "FILE:2: models.m.published: 'MedGemma-4b' is not a model of the published table."
                " Did you mean 'MedGemma-4B'?"
            ),
        ),
        (
            "  m: {source: a/b, endpoint: 'localhost:8000'}",
            "FILE:2: models.m.endpoint: 'localhost:8000' is not the address of an API. Valid: https://HOST/PATH.",
        ),
        (
            "  m:\n    source: a\n    endpoint: https://host/v1\n    serve_args: [--enforce-eager]",
            (
                "FILE:5: models.m.serve_args: means nothing beside endpoint or api_key_env: no server is started here."
                " Leave it out."
            ),
        ),
        ("  m: {source: a/b}\n  m: {source: a/c}", "FILE:3: is not YAML: the key 'm' occurs twice."),
    ],
)
def test_a_malformed_registry_is_told_by_file_and_key(tmp_path: Path, text: str, told: str) -> None:
    """One line that names the file, the line, the key, the value and what is valid."""
    assert complaint("m", registry(tmp_path, f"models:\n{text}\n")) == told


def test_a_file_without_models_is_told(tmp_path: Path) -> None:
    """A list, or a mapping without ``models``, is no registry."""
    for text in ("- a\n", "model: {}\n", "models:\n", ""):
        assert complaint("m", registry(tmp_path / text[:5].strip(), text)) == (
            "FILE:1: has no mapping 'models' from names to entries."
        )


SECRET = "sk-" + "a1B2c3D4" * 4


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        (f"api_key_env: {SECRET}", "api_key_env"),
        ("api_key_env: AKIAIOSFODNN7EXAMPLE", "api_key_env"),
        ("api_key_env: 0123456789ABCDEF0123456789ABCDEF", "api_key_env"),
        (f"notes: my key is {SECRET}", "notes"),
        (f"endpoint: https://host/v1?key={SECRET}", "endpoint"),
        ("env: {HF_TOKEN: abc}", "env.HF_TOKEN"),
        (f"env: {{HARMLESS: {SECRET}}}", "env.HARMLESS"),
        ("serve_args: [--enforce-eager, --api-key, abc]", "serve_args[1]"),
        ("serve_args: [--hf_token=abc]", "serve_args[0]"),
    ],
)
def test_a_key_in_a_file_is_refused_and_not_shown(tmp_path: Path, fields: str, place: str) -> None:
    """What looks like a key never stands in a file, and the error does not repeat it."""
    told = complaint("m", registry(tmp_path, f"models:\n  m:\n    source: a/b\n    {fields}\n"))
    assert told == (
        f"FILE:4: models.m.{place}: looks like a key (not shown), and keys never stand in a file."
        " Keep it in the environment; api_key_env names the variable of an API's key."
    )


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            "api_key_env: hunter2",
            "api_key_env: is not a variable's name in capitals, such as MY_API_KEY (not shown, as it may be a key).",
        ),
        (
            "endpoint: https://user:hunter2@host/v1",
            "endpoint: holds more than an address (not shown, as it may be a key). Valid: https://HOST/PATH.",
        ),
        ("api_key: hunter2", "api_key: 'api_key' is not a key of a model entry. Did you mean 'api_key_env'?"),
    ],
)
def test_what_may_be_a_key_is_not_shown(tmp_path: Path, fields: str, told: str) -> None:
    """A value where a key could stand by mistake is refused without being repeated."""
    assert (
        complaint("m", registry(tmp_path, f"models:\n  m: {{source: a/b, {fields}}}\n")) == f"FILE:2: models.m.{told}"
    )


@pytest.mark.parametrize("name", ["MY_API_KEY", "DASHSCOPE_API_KEY_2", "KEY", "INTERNATIONALIZED_A"])
def test_names_of_variables_are_no_keys(tmp_path: Path, name: str) -> None:
    """Ordinary names of variables are taken."""
    extra = registry(tmp_path, f"models:\n  m: {{source: a/b, api_key_env: {name}}}\n")
    assert resolve_model("m", extra=extra).api_key_env == name


def test_a_registry_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A missing file and a file that is not YAML are each told in one line."""
    assert complaint("m", tmp_path / "gone.yaml") == "FILE: cannot be read: No such file or directory."
    assert complaint("m", registry(tmp_path, "models: [")).startswith("FILE:1: is not YAML: ")


def test_an_entry_is_frozen() -> None:
    """An entry cannot be changed by whoever holds it."""
    with pytest.raises(ValidationError, match="frozen"):
        resolve_model("phantom-vlm").dtype = "auto"  # type: ignore[misc]
    assert isinstance(resolve_model("phantom-vlm"), ModelEntry)


@pytest.mark.parametrize(
    ("flags", "limit"),
    [
        (("--limit-mm-per-prompt", '{"image": 7}'), 7),
        (('--limit-mm-per-prompt={"image": {"count": 3, "width": 512}}',), 3),
        (("--max-model-len", "2048"), None),
        (("--limit-mm-per-prompt",), None),
        (("--limit-mm-per-prompt", '{"video": 1}'), None),
        (("--limit-mm-per-prompt", "image=4"), None),
    ],
)
def test_the_number_of_images_is_the_servers_limit(flags: tuple[str, ...], limit: int | None) -> None:
    """As vLLM's flag says in JSON; without it nobody knows."""
    assert ModelEntry(name="m", source="m", serve_args=flags).max_images == limit
