"""pydicom kept silent: its warnings and its log repeat values of headers."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydicom import config

_LOGGERS: Final = tuple(
    map(logging.getLogger, ("pydicom", "pydicom.pixels.decoders.base", "pydicom.pixels.utils", "openjpeg.utils"))
)


@contextmanager
def quiet() -> Iterator[None]:
    """Show and log nothing that pydicom says, and let it check no values that are read. Not for worker threads."""
    mode, disabled = config.settings.reading_validation_mode, [logger.disabled for logger in _LOGGERS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config.settings.reading_validation_mode = config.IGNORE
        for logger in _LOGGERS:
            logger.disabled = True
        try:
            yield
        finally:
            config.settings.reading_validation_mode = mode
            for logger, was in zip(_LOGGERS, disabled, strict=True):
                logger.disabled = was
