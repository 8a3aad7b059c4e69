"""A real archive with phantoms in it, for the session, and a small one that can be made to misbehave."""

from collections.abc import Iterator

import pytest
from hostile import TwistedArchive
from orthanc import Orthanc, orthanc

from clinhallu_gate._scripted.phantom_dicom import PhantomStudy, phantom_studies


@pytest.fixture(scope="session")
def studies() -> tuple[PhantomStudy, ...]:
    """Studies of every stratum in every syntax, with three questions each."""
    return phantom_studies()


@pytest.fixture(scope="session")
def clinic(tmp_path_factory: pytest.TempPathFactory, studies: tuple[PhantomStudy, ...]) -> Iterator[Orthanc]:
    """Orthanc, with these studies in it."""
    with orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        server.store(file for study in studies for file in study.files)
        yield server


@pytest.fixture
def archive() -> Iterator[TwistedArchive]:
    """A small archive with a study of one image and one of four, as series and as a film."""
    with TwistedArchive(phantom_studies(2, ("ct", "ultrasound"))) as server:
        yield server
