"""Gold for a site's own rows: drafted by a local model from the radiology report, reviewed, and signed by a person."""
