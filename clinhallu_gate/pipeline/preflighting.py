"""``clinhallu-gate preflight``: look at files before they are used, those on a DICOMweb server as well."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clinhallu_gate.datasets.dataset import DataOptions
from clinhallu_gate.datasets.dicomweb.spec import DicomwebSpec
from clinhallu_gate.datasets.load import own_source
from clinhallu_gate.deidentification.commands import counting, say_how_far
from clinhallu_gate.deidentification.findings import Depth, Preflight
from clinhallu_gate.deidentification.places import files_of, named_by, passed_over
from clinhallu_gate.deidentification.preflight import preflight
from clinhallu_gate.deidentification.wording import full_lines
from clinhallu_gate.egress import allowed_host
from clinhallu_gate.errors import BadInput
from clinhallu_gate.pipeline.passing import cache_or_passing
from clinhallu_gate.private import write_whole

DEFAULT_KEPT: Final = Path("preflight.private")
"""Where results of slow looks are kept, if no private cache is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookOptions:
    """How is looked, and where what is found goes."""

    depth: Depth = Depth.HEADERS
    kept: Path | None = None
    """Private folder for results of slow looks; by default the private cache."""
    private_cache: Path | None = None
    """Where fetched studies are kept; None keeps none of them."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts other than this machine whose DICOMweb server may be asked."""
    out: Path | None = None
    """File for the result as JSON; it is not overwritten."""
    as_json: bool = False


def looked_at(paths: Sequence[Path], servers: Sequence[str], options: LookOptions) -> str:
    """Look at everything that is named, and return what was found as text or JSON.

    Args:
        paths: Files, folders, DICOMDIRs and manifests.
        servers: DICOMweb servers with manifests of UIDs, as ``--data`` names them.
        options: How.

    Raises:
        BadInput: A path leads nowhere, a manifest's rows cannot be used, a server is neither this machine nor allowed
            or does not have what they name, an option would be ignored, ``out`` or a private folder cannot be
            written, or tesseract lacks.
    """
    if options.out is not None and os.path.lexists(options.out):
        raise BadInput(f"--out: {options.out}: is there already. Valid: a new file.")
    for host in options.allow_hosts:
        allowed_host(host)
    if not servers:
        _demand_no_option_of_servers(options)
    with _sources(servers, options.private_cache) as sources, counting("looked at") as tell:
        fetched = (file for source in sources for file in _fetched(source, options.allow_hosts))
        files = list(dict.fromkeys([*(file for path in paths for file in files_of(path)), *fetched]))
        others = dict.fromkeys(other for path in paths for other in passed_over(path))
        kept = options.kept or options.private_cache or DEFAULT_KEPT
        found = preflight(files, depth=options.depth, kept=kept, passed_over=others, tell=tell)
    return _told(found, options)


def _demand_no_option_of_servers(options: LookOptions) -> None:
    """Refuse what would be ignored, as somebody may think that a server was asked; slow looks do use a cache."""
    ignored = "--allow-host" if options.allow_hosts else ""
    if options.private_cache is not None and options.depth is Depth.HEADERS:
        ignored = "--private-cache"
    if ignored:
        raise BadInput(
            f"{ignored}: is for studies of a DICOMweb server, and none is named. Name it as "
            "'dicomweb+http://HOST:PORT/PATH#MANIFEST'."
        )


@dataclass(frozen=True, slots=True)
class _Source:
    """A server, the manifest that names what is wanted of it, and where that is kept."""

    server: DicomwebSpec
    manifest: Path
    cache: Path


@contextmanager
def _sources(servers: Iterable[str], named: Path | None) -> Iterator[list[_Source]]:
    """Give what the names of servers lead to; if no cache is named, with one beside the first manifest for now."""
    with _in_our_words():
        found = [own_source(server) for server in dict.fromkeys(servers)]
    if not found:
        yield []
        return
    with cache_or_passing(named, found[0].manifest) as cache:
        yield [_Source(each.server, each.manifest, cache) for each in found if each.server is not None]


def _fetched(source: _Source, allow_hosts: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files that the rows of a manifest name, fetched if they were not before."""
    from clinhallu_gate.datasets.dicomweb.load import fetch_usable  # noqa: PLC0415 - its libraries take 0.4 s to import

    options = DataOptions(private_cache=source.cache, allow_hosts=allow_hosts, tell=say_how_far)
    with _in_our_words():
        fetched = fetch_usable(source.server, source.manifest, options)
    yield from named_by(source.manifest, fetched.folder.resolve(), fetched.rows)


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Leave out the name of an option that this command does not have."""
    try:
        yield
    except BadInput as error:
        if not str(error).startswith("--data: "):
            raise
        raise BadInput(str(error).removeprefix("--data: ")) from None


def _told(found: Preflight, options: LookOptions) -> str:
    document = json.dumps(found.as_dict(), indent=2)
    if options.out is not None:
        try:
            write_whole(options.out, f"{document}\n".encode())
        except OSError as error:
            raise BadInput(f"--out: {options.out}: cannot be written: {error.strerror}.") from None
    return document if options.as_json else "\n".join(full_lines(found))
