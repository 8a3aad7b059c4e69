"""The schema of a row: the benchmark's fields, and those that a user's manifest may add."""

from datetime import date
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, WithJsonSchema
from pydantic_core import PydanticCustomError

from clinhallu_gate.datasets.period import FORM, day_of
from clinhallu_gate.records import GoldTrace, Record
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


class Row(Record):
    """One question about one study: a row of the benchmark, or of a user's manifest."""

    question: Text
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
    question_type: QuestionType
    options: tuple[Text, ...] = Field(default=(), description="For multiple choice: 'A. text', 'B. text' and so on.")
    answer_letter: Text | None = Field(default=None, description="For multiple choice: the letter of the answer.")
    gold_cot: GoldCot | None = Field(default=None, description="The gold trace, stage by stage.")
    gold_visual_recognition: Text | None = Field(default=None, description="The same, flat: for tables.")
    gold_knowledge_recall: Text | None = None
    gold_reasoning: Text | None = None
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
    source: str | None = None
    split: str | None = None
    modality: str | None = None
    organ: str | None = None
    system: str | None = None
    body_system: str | None = None
    specialty: str | None = None
    task: str | None = None
    keyword: str | None = None
    video_id: str | None = Field(default=None, description="Rows of one video form one cluster.")
    reasoning_chain: str | None = None
    gold_cot_meta: dict[str, Any] | None = None
    cot_valid: StrictBool | None = None

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
    schema = Row.model_json_schema()
    needed = [name for name in schema["required"] if name != "images"]
    schema |= {"required": needed, "anyOf": [{"required": ["images"]}, {"required": ["study_uid"]}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Row of a manifest"}
