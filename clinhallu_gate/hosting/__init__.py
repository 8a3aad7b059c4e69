"""Servers: hosting vLLM for a session, recognising one that already runs, and who answers."""

from clinhallu_gate.hosting.endpoint import check_endpoint
from clinhallu_gate.hosting.identity import ModelIdentity, endpoint_identity, hosted_identity, pinned
from clinhallu_gate.hosting.server import HostedServer, start_server

__all__ = [
    "HostedServer",
    "ModelIdentity",
    "check_endpoint",
    "endpoint_identity",
    "hosted_identity",
    "pinned",
    "start_server",
]
