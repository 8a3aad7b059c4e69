"""Gate the release of a medical vision-language model, stage by stage."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("clinhallu-gate")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
