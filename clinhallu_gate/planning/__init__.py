"""``clinhallu-gate plan``: how many instances a gate will need, before any is asked."""

from clinhallu_gate.planning.answer import Plan, Row, plan
from clinhallu_gate.planning.question import Question, read_question
from clinhallu_gate.planning.wording import as_json, as_text

__all__ = ["Plan", "Question", "Row", "as_json", "as_text", "plan", "read_question"]
