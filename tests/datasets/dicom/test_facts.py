"""Facts of headers become words of fixed lists, and never a patient's."""

from dataclasses import fields

import pytest
from pydicom import Dataset as Elements

from clinhallu_gate.datasets.dicom.facts import Facts, facts_of
from clinhallu_gate.datasets.dicom.quiet import quiet
from clinhallu_gate.datasets.study import FACTS


@pytest.mark.parametrize(
    ("said", "fact"),
    [
        ({"Modality": "JANE DOE"}, {"modality": "other"}),
        ({"BodyPartExamined": "Jane's knee"}, {"body_part": "other"}),
        ({"BodyPartExamined": "THORAX"}, {"body_part": "chest"}),
        ({"BodyPartExamined": "C-SPINE"}, {"body_part": "cspine"}),
        ({"Manufacturer": "Doe & Sons"}, {"manufacturer": "other"}),
        ({"Manufacturer": "SIEMENS Healthineers"}, {"manufacturer": "siemens"}),
        ({"Manufacturer": "Geiger"}, {"manufacturer": "other"}),
        ({"PatientAge": "089Y"}, {"age": "80-89"}),
        ({"PatientAge": "104Y"}, {"age": "90+"}),
        ({"PatientAge": "018M"}, {"age": "0-9"}),
        ({"PatientAge": "003D"}, {"age": "0-9"}),
        ({"PatientBirthDate": "19300102", "StudyDate": "20200101"}, {"age": "80-89"}),
        ({"PatientBirthDate": "19300101", "StudyDate": "20200101"}, {"age": "90+"}),
        ({"PatientBirthDate": "1930", "StudyDate": "20200101"}, {}),
        ({"PatientBirthDate": "20210101", "StudyDate": "20200101"}, {}),
        ({"PatientSex": "JANE"}, {}),
        ({"PatientSex": "o"}, {"sex": "o"}),
        ({"Modality": ""}, {}),
        ({"Modality": " CT"}, {"modality": "ct"}),
    ],
)
def test_facts_are_words_of_a_list(said: dict[str, str], fact: dict[str, str]) -> None:
    """Free text is ``other``, ages are bands of ten years and 90+ one of them; what is not said is no fact."""
    with quiet():
        elements = Elements()
        for name, value in said.items():
            setattr(elements, name, value)
        assert facts_of(elements).said == fact


def test_every_fact_has_a_name_that_a_stratum_may_hold() -> None:
    """Manifests know the names without reading DICOM."""
    assert tuple(field.name for field in fields(Facts)) == FACTS
