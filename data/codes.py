"""Codes: reserved values of the datasets, apart from them so that who names one imports no torch."""

from __future__ import annotations

UNKNOWN = -1  # the target of a row whose label nobody knows
PADDING, UNSEEN = 0, 1  # tokens
CONTEXT_STEP = 0.01  # what a context's 1 stands for
