"""A plugin of pytest with which no row and no instance stays in memory: ``-p on_disk``."""

from clinhallu_gate import keeping

keeping.AT_HAND = 0
