"""``clinhallu-gate deidentify``: copies, and a manifest for them."""

from pathlib import Path

from clinhallu_gate.deidentification.deidentify import deidentify
from clinhallu_gate.deidentification.manifests import read_rows, rewrite
from clinhallu_gate.deidentification.wording_copies import copies_lines, copies_sentence
from clinhallu_gate.deidentification.wording_manifests import left_out_sentence, manifest_lines
from clinhallu_gate.errors import Incomplete
from clinhallu_gate.how_far import counting
from clinhallu_gate.pseudonym import site_key


def deidentified(source: Path, folder: Path, *, mapping: bool, manifest: Path | None = None) -> str:
    """Write copies, with a manifest for them if there is one of the originals, and return what was done.

    Raises:
        BadInput: As ``deidentify`` and ``read_rows``, or there is no site key and none can be made.
        Incomplete: A file was broken, a row was left out, or there was no image at all.
    """
    rows = None if manifest is None else read_rows(manifest)
    key = site_key(create=True)
    with counting("copied or refused") as tell:
        done = deidentify(source, folder, key=key, mapping=mapping, tell=tell)
    rewritten = None if rows is None else rewrite(rows, done, key)
    said = "\n".join([*copies_lines(done), *([] if rewritten is None else ["", *manifest_lines(rewritten)])])
    if not done.whole:
        raise Incomplete(copies_sentence(done), said)
    if rewritten is not None and rewritten.left_out:
        raise Incomplete(left_out_sentence(rewritten), said)
    return said
