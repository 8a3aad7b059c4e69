"""Drives the model servers from one asyncio loop: bounded, retried, deduplicated, every outcome typed."""

from clinhallu_gate.engine.clock import SystemClock
from clinhallu_gate.engine.core import Engine
from clinhallu_gate.engine.endpoint import HttpEndpoint
from clinhallu_gate.engine.limiter import Limits
from clinhallu_gate.engine.retry import RetryPolicy
from clinhallu_gate.engine.window import each

__all__ = ["Engine", "HttpEndpoint", "Limits", "RetryPolicy", "SystemClock", "each"]
