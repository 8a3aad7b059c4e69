"""The schema of a row: the benchmark's fields, and those that a user's manifest may add."""

from dataclasses import fields
from datetime import date
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, TypeAdapter, WithJsonSchema
from pydantic.dataclasses import dataclass as checked_dataclass
from pydantic_core import PydanticCustomError

from clinhallu_gate.datasets.period import FORM, day_of
from clinhallu_gate.records import CHECKED, GoldTrace
from clinhallu_gate.vocabulary import QuestionType


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_list(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Text = Annotated[str, Field(pattern=r"\S")]


def _as_day(value: object) -> date:
    try:
        return day_of(value)
    except ValueError:
        raise PydanticCustomError("day", "is no date. Valid: {form}", {"form": FORM}) from None


Day = Annotated[date, BeforeValidator(_as_day), WithJsonSchema({"type": "string", "format": "date"})]
Identity = Annotated[Text, BeforeValidator(_as_text), WithJsonSchema({"type": ["string", "integer"]})]
Frame = Annotated[int, Field(ge=1, strict=True)]


class GoldStage(BaseModel):
    """One stage of the gold trace, as the benchmark nests it."""

    model_config = ConfigDict(frozen=True)

    text: Text
    answer: str | None = None


class GoldCot(BaseModel):
    """The gold trace, as the benchmark nests it; other keys such as ``raw`` are kept and not read."""

    model_config = ConfigDict(frozen=True)

    visual_recognition: GoldStage | None = None
    knowledge_recall: GoldStage | None = None
    reasoning: GoldStage | None = None


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class Row:
    """One question about one study: a row of the benchmark, or of a user's manifest."""

    # Each is a ``Field``: pydantic puts others behind them, and errors and schema would not be in this order.
    question: Text = Field()
    answer: Text = Field(description="The correct answer; for multiple choice the option, as in 'B. pneumothorax'.")
    images: tuple[Text, ...] = Field(
        min_length=1, description="Image files or DICOM folders, relative to the manifest's folder."
    )
    frames: tuple[Frame, ...] = Field(
        default=(), description="Which images of a DICOM file with several frames, or of a series, from 1."
    )
    series: Text | None = Field(
        default=None, description="SeriesInstanceUID, where a folder or DICOMDIR holds several series."
    )
    window: Identity | None = Field(
        default=None, description="How DICOM is windowed: '40/400', a preset such as 'lung', or the number of a window."
    )
    study_uid: Text | None = Field(default=None, description="With a DICOMweb server: StudyInstanceUID of the images.")
    series_uid: Text | None = Field(
        default=None, description="SeriesInstanceUID; may be left out where the study has one series."
    )
    sop_uid: Annotated[tuple[Text, ...], BeforeValidator(_as_list)] = Field(
        default=(), description="SOPInstanceUIDs, if not the whole series is meant."
    )
    question_type: QuestionType = Field()
    options: tuple[Text, ...] = Field(default=(), description="For multiple choice: 'A. text', 'B. text' and so on.")
    answer_letter: Text | None = Field(default=None, description="For multiple choice: the letter of the answer.")
    gold_cot: GoldCot | None = Field(default=None, description="The gold trace, stage by stage.")
    gold_visual_recognition: Text | None = Field(default=None, description="The same, flat: for tables.")
    gold_knowledge_recall: Text | None = Field(default=None)
    gold_reasoning: Text | None = Field(default=None)
    report: Text | None = Field(
        default=None,
        description="The radiology report, for draft-gold alone: no examined model and no report shows it.",
    )
    report_file: Text | None = Field(
        default=None, description="The same as a text file, relative to the manifest's folder."
    )
    source_id: Identity | None = Field(default=None, description="Identity of the row, unique within the file.")
    id: Identity | None = Field(default=None, description="Another name for source_id.")
    original_index: Identity | None = Field(default=None, description="Identity of a row without source_id.")
    stratum: Text | None = Field(default=None, description="Part of the data that gates may name; default: all.")
    cluster: Identity | None = Field(default=None, description="What several rows share, such as the patient.")
    patient_id: Identity | None = Field(default=None, description="Another name for cluster.")
    study_date: Day | None = Field(default=None, description="Day of the study, for --since and --until.")
    tags: tuple[Text, ...] = Field(default=(), description="Names of never-events, 'modality:ct' and the like.")
    phi: StrictBool = Field(
        default=False, description="Is it patient data; a manifest's row that does not say so, true or false, is."
    )
    source: str | None = Field(default=None)
    split: str | None = Field(default=None)
    modality: str | None = Field(default=None)
    organ: str | None = Field(default=None)
    system: str | None = Field(default=None)
    body_system: str | None = Field(default=None)
    specialty: str | None = Field(default=None)
    task: str | None = Field(default=None)
    keyword: str | None = Field(default=None)
    video_id: str | None = Field(default=None, description="Rows of one video form one cluster.")
    reasoning_chain: str | None = Field(default=None)
    gold_cot_meta: dict[str, Any] | None = Field(default=None)
    cot_valid: StrictBool | None = Field(default=None)

    @property
    def identity(self) -> str | None:
        """What the row is called within its data set."""
        text = self.source_id or self.id or self.original_index
        return text.strip() if text else None

    @property
    def group(self) -> str | None:
        """The cluster that the row itself names."""
        return self.cluster or self.patient_id

    @property
    def gold(self) -> GoldTrace:
        """The gold trace, wherever it stands."""
        nested = self.gold_cot or GoldCot()
        return GoldTrace(
            visual_recognition=_text(nested.visual_recognition) or self.gold_visual_recognition,
            knowledge_recall=_text(nested.knowledge_recall) or self.gold_knowledge_recall,
            reasoning_integration=_text(nested.reasoning) or self.gold_reasoning,
        )


def _text(stage: GoldStage | None) -> str | None:
    return stage.text if stage else None


#: Checks a row.
ROW: Final = TypeAdapter(Row)
#: What a row may have.
FIELDS: Final = tuple(field.name for field in fields(Row))
#: Fields that hold what no run keeps: gold is drafted from it, and nothing else.
REPORTS: Final = ("report", "report_file")
#: Fields that say what a row is about; each becomes a tag.
TAGGED: Final = ("modality", "organ", "system", "body_system", "specialty", "task")
#: What a row of the benchmark is read for; its rows may hold anything else.
BENCHMARK_FIELDS: Final = (
    *("question", "answer", "images", "question_type", "options", "answer_letter", "gold_cot"),
    *("source_id", "original_index", "video_id", *TAGGED),
)


def manifest_schema() -> dict[str, Any]:
    """Return the JSON Schema of a row of a user's manifest."""
    schema = ROW.json_schema()
    needed = [name for name in schema["required"] if name != "images"]
    schema |= {"required": needed, "anyOf": [{"required": ["images"]}, {"required": ["study_uid"]}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Row of a manifest"}
