"""What DICOM files tell of patients, and copies that tell it no more: PS3.15's Basic Profile on headers."""
