"""Images from a DICOMweb server: rows that name studies, series and instances, fetched once into a private cache."""
