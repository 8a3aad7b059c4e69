"""The facts head: while training, it asks the vision tower what a frame shows, so that the model learns to look.

Trained on wording alone a model this small learns to write well and never looks at the image.
"""

import torch
from torch import nn

from clinhallu_gate.datasets.phantom.atlas import KIND, SIDES, SIZES, ZONES
from clinhallu_gate.datasets.phantom.study import Finding, Study

KINDS = tuple(KIND)
#: Sizes of the groups of logits per kind: present, side, zone, size, number.
GROUPS = (1, len(SIDES), len(ZONES), len(SIZES), 3)


class FactsHead(nn.Module):
    """From the connector's tokens of one frame to the facts of every kind, as a language model would read them.

    A query per kind attends to the tokens, and one linear map reads the facts from what it finds. So the tokens have to
    say themselves where they lie: a head that sees all tokens in order lets them keep that to their places, which the
    language model then takes very long to learn.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.queries = nn.Parameter(torch.randn(len(KINDS), width) / width**0.5)
        self.read = nn.Parameter(torch.randn(len(KINDS), width, sum(GROUPS)) / width**0.5)
        self.bias = nn.Parameter(torch.zeros(len(KINDS), sum(GROUPS)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (frames, tokens, width) to (frames, kinds, logits)."""
        tokens = self.norm(features)
        attention = torch.softmax(torch.einsum("kw,ftw->fkt", self.queries, tokens), dim=-1)
        found = torch.einsum("fkt,ftw->fkw", attention, tokens)
        return torch.einsum("fkw,kws->fks", found, self.read) + self.bias


def frame_targets(study: Study, frame: int) -> torch.Tensor:
    """Return (kinds, 5) integers: present, side, zone, size, number - 1; -100 where there is no finding."""
    rows = torch.full((len(KINDS), len(GROUPS)), -100)
    rows[:, 0] = 0
    for finding in study.findings:
        if finding.frame == frame:
            rows[KINDS.index(finding.kind)] = torch.tensor(_row(finding))
    return rows


def _row(finding: Finding) -> list[int]:
    return [1, SIDES.index(finding.side), ZONES.index(finding.zone), SIZES.index(finding.size), finding.count - 1]


def facts_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean loss of presence plus the mean losses of what is said of present findings."""
    parts = logits.split(GROUPS, dim=-1)
    loss = 8 * nn.functional.binary_cross_entropy_with_logits(parts[0][..., 0], targets[..., 0].float())
    for place, part in enumerate(parts[1:], start=1):
        wanted = targets[..., place].flatten()
        if (wanted >= 0).any():
            loss = loss + nn.functional.cross_entropy(part.flatten(0, 1), wanted, ignore_index=-100)
    return loss


def frames_right(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return for each frame whether everything is right (a bool tensor)."""
    parts = logits.split(GROUPS, dim=-1)
    right = (parts[0][..., 0] > 0) == (targets[..., 0] > 0)
    for place, part in enumerate(parts[1:], start=1):
        wanted = targets[..., place]
        right &= (part.argmax(-1) == wanted) | (wanted < 0)
    return right.all(-1)
