"""Draw the picture of the review sheet in docs/gold.md: ``python tests/browser/picture_of_gold.py docs/gold.png``."""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image as Pillow
from screen import Look, Screen

from clinhallu_gate.datasets.phantom.generate import phantom_instances
from clinhallu_gate.gold.draft import DraftOptions, draft_gold
from clinhallu_gate.pipeline.options import RunOptions
from clinhallu_gate.protocol.load import load_protocol
from clinhallu_gate.records import Instance
from clinhallu_gate.testing import Request, ScriptedServer
from clinhallu_gate.vocabulary import ANSWER, Stage

ROWS = 5


def main(picture: Path) -> None:
    """Draft for phantoms with the gold of phantoms, and draw the sheet."""
    phantoms = [each for each in phantom_instances() if len(each.images) == 1 and not each.options][:ROWS]
    with tempfile.TemporaryDirectory() as folder:
        manifest = _manifest(Path(folder), phantoms)
        with ScriptedServer(reply=lambda request: _draft(phantoms, request), model="local-model") as server:
            model = RunOptions(endpoints=(server.base_url,), model="local-model", model_revision="1.0")
            draft_gold(str(manifest), DraftOptions(model=model, with_images=True))
        screen = Screen(str(shutil.which("chromium")), str(shutil.which("chromedriver")))
        try:
            screen.open(manifest.with_name("chest.gold") / "review.html", Look(width=1200, height=1020))
            screen.run("document.getElementById('approve').click()")
            screen.picture(picture)
            with Pillow.open(picture) as drawn:
                drawn.convert("RGB").quantize(96).save(picture, optimize=True)
        finally:
            screen.driver.quit()


def _manifest(folder: Path, phantoms: list[Instance]) -> Path:
    rows = []
    for number, each in enumerate(phantoms, 1):
        (folder / f"{number}.png").write_bytes(each.images[0].read())
        rows.append(
            {
                "id": f"study-{number}",
                "question": each.question,
                "question_type": str(each.question_type),
                "answer": each.answer,
                "images": [f"{number}.png"],
                "report": f"FINDINGS\n{each.gold.visual_recognition}\n\nIMPRESSION\nAs above. Study {number}.",
                "phi": False,
            }
        )
    manifest = folder / "chest.jsonl"
    manifest.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return manifest


def _draft(phantoms: list[Instance], request: Request) -> str:
    """Return the gold of the phantom whose report is in the request."""
    phantom = phantoms[int(request.text.partition("As above. Study ")[2].partition(".")[0]) - 1]
    headers = load_protocol("standard").trace.headers
    stages = [f"{headers[stage]}\n{phantom.gold.text(stage)}" for stage in Stage]
    return "\n".join([*stages, f"{headers[ANSWER]} {phantom.answer}"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
