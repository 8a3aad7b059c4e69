"""The sheets as files: one script and one style sheet, named by digest, and data that cannot become markup."""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from gold_files import draft_text, options, row, sheet_data, ward

from clinhallu_gate.gold import sheet
from clinhallu_gate.gold.draft import draft_gold
from clinhallu_gate.gold.prompt import DraftPrompt, cleaned, draft_prompt
from clinhallu_gate.testing import ScriptedServer, a_completion, an_instance

HOSTILE = "</script><script>alert(1)</script>\u202eright\x00 <img src=x onerror=alert(1)>"


def digest(text: str) -> str:
    """Return a text's digest as a policy names it."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_this_script_and_nothing_else(tmp_path: Path, drafter: ScriptedServer) -> None:
    """No address is in the page, and no source is allowed but the two digests and pictures within it."""
    draft_gold(str(ward(tmp_path, [row(1)])), options(drafter))
    page = (tmp_path / "ward.gold" / "review.html").read_text()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    rules = dict(rule.split(" ", 1) for rule in policy.replace("&#39;", "'").split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == digest(script)
    assert rules["style-src"] == digest(style)
    assert rules["img-src"] == "data:"
    assert re.findall(r"https?://", page) == []


def test_hostile_texts_stay_within_the_data(tmp_path: Path) -> None:
    """No sign that could end the block is in it; what hides or turns a text round is shown as its code."""
    hostile = {"report": HOSTILE, "question": f"study 1? {HOSTILE}", "id": HOSTILE, "answer": f"yes {HOSTILE}"}
    with ScriptedServer(reply=draft_text(1).replace("may be", f"may {HOSTILE} be"), model="local") as server:
        draft_gold(str(ward(tmp_path, [row(1, **hostile)])), options(server))
    page = (tmp_path / "ward.gold" / "review.html").read_text()
    assert "<script>alert" not in page
    assert len(re.findall(r"<script", page)) == 2
    (shown,) = sheet_data(tmp_path / "ward.gold")["rows"]
    assert shown["report"] == HOSTILE.replace("\u202e", "\\u202e").replace("\x00", "\\u0000")
    assert "\u202e" not in "".join(shown["texts"])


def test_a_report_of_a_megabyte_is_bounded(tmp_path: Path, drafter: ScriptedServer) -> None:
    """It is no report that anybody drafts from, and on the sheet it ends where it is said how much is left."""
    draft_gold(str(ward(tmp_path, [row(1, report="word " * 200_000)])), options(drafter))
    assert drafter.requests == 0
    (shown,) = sheet_data(tmp_path / "ward.gold")["rows"]
    assert shown["report"].endswith("... (950000 more characters)")
    assert (tmp_path / "ward.gold" / "review.html").stat().st_size < 200_000


def test_pictures_are_small_and_bounded(
    tmp_path: Path, drafter: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only if they are asked for, drawn anew, and no more than a browser bears."""
    manifest = ward(tmp_path, [row(1), row(2)])
    draft_gold(str(manifest), options(drafter))
    assert [one["pictures"] for one in sheet_data(tmp_path / "ward.gold")["rows"]] == [[], []]
    monkeypatch.setattr(sheet, "_MOST_PICTURES", 1)
    draft_gold(str(manifest), options(drafter, with_images=True))
    first, second = (one["pictures"][0] for one in sheet_data(tmp_path / "ward.gold")["rows"])
    assert first["src"].startswith("data:image/png;base64,")
    assert "trouble" in second


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("left\u202e lung\x00\tclear", "left lung clear"),
        ("one\r\ntwo\u2028three  four ", "one\ntwo\nthree four"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\ud800 half", "half"),
    ],
)
def test_what_hides_is_taken_out(text: str, wanted: str) -> None:
    """Controls, marks of direction and halves of signs go; line ends, and what a script is written with, stay."""
    assert cleaned(text) == wanted


def test_the_prompt_has_a_digest_of_all_of_it() -> None:
    """Another word is another prompt, and asks anew."""
    prompt = draft_prompt()
    assert (prompt.name, prompt.version) == ("draft-gold", 1)
    assert DraftPrompt(**{**prompt.model_dump(), "user": f"{prompt.user} "}).sha256 != prompt.sha256


def test_a_refusal_or_a_cut_reply_is_no_draft() -> None:
    """As of any trace."""
    prompt, instance = draft_prompt(), an_instance()
    refused = prompt.read(instance, a_completion("I'm sorry, I cannot help with that."))
    assert refused.trouble.startswith("the reply cannot be read: visual_recognition refused")
    cut = prompt.read(instance, a_completion(draft_text(1).partition("[Reasoning]")[0], finish_reason="length"))
    assert cut.trouble == ("the reply cannot be read: knowledge_recall truncated, reasoning_integration truncated")
