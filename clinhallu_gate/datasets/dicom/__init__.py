"""DICOM images: read, drawn as a model sees them, and decoded apart from this process."""

# First: whatever imports pydicom below finds gdcm imported.
from clinhallu_gate.datasets.dicom import _gdcm  # noqa: F401
