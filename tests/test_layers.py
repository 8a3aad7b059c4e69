"""ARCHITECTURE.md's layers hold: lower never imports higher, and pure modules import no framework."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "clinhallu_gate"
#: From the ground up. A module may import its own layer and those below; a name is a module or a folder.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("__init__", "vocabulary", "errors", "hub_faults", "unquoted"),
    ("records",),
    (
        "ports",
        "events",
        "address",
        "cells",
        "how_far",
        "results",
        "pseudonym",
        "private",
        "redaction",
        "egress",
        "keeping",
        "shelf",
    ),
    ("config", "datasets", "deidentification", "protocol", "published", "scan", "scoring", "stats", "tree"),
    ("judge", "trace", "engine", "store", "hosting"),
    ("gate", "planning"),
    ("report",),
    ("pipeline", "evidence", "gold"),
    ("plugin", "cli"),
)
#: Public fakes stand beside the layers: they may be imported by tests alone.
FAKES = ("testing", "_scripted")
EFFECTS = ("engine", "store", "hosting", "pipeline", "plugin")
#: DICOM and what makes it name nobody, where files are read alone.
DICOM_ROOMS = ("datasets", "deidentification")
DICOM_LIBRARIES = ("pydicom", "dicomanonymizer")
FRAMEWORKS = ("pytest", "vllm", "torch", "aiohttp", "transformers")


def _modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _floor(room: str) -> int:
    return next(floor for floor, rooms in enumerate(LAYERS) if room in rooms)


def _imports(path: Path) -> list[str]:
    """Return every module that a file imports, inside functions too."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.append(node.module)
    return found


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_lower_never_imports_higher(path: Path) -> None:
    """Every room has a floor, and looks down only."""
    room = _room(path)
    if room in FAKES:
        return
    for name in _imports(path):
        if name.startswith("clinhallu_gate."):
            other = name.split(".")[1]
            assert other not in FAKES, f"{path} imports {name}"
            assert _floor(other) <= _floor(room), f"{path} imports {name}, which stands above it"


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_pure_modules_import_no_framework(path: Path) -> None:
    """Framework by framework: pytest only in the plugin; vLLM, torch, aiohttp only where effects are."""
    for name in _imports(path):
        root = name.split(".")[0]
        if root == "pytest":
            assert _room(path) == "plugin", f"{path} imports pytest"
        elif root in DICOM_LIBRARIES:
            assert _room(path) in (*DICOM_ROOMS, *FAKES), f"{path} imports {root}"
        elif root in FRAMEWORKS:
            assert _room(path) in (*EFFECTS, *FAKES), f"{path} imports {root}"


def test_importing_the_plugin_loads_no_framework() -> None:
    """A session that gates nothing pays for none of them."""
    absent = ("torch", "vllm", "aiohttp", "pydicom")
    code = f"import sys, clinhallu_gate.plugin; print([m for m in {absent} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
