"""NCA: how much each column should count so that near rows are of one class.

Neighbourhood components analysis (Goldberger et al., 2004) with one weight a column, and by angle. It takes batches:
scikit-learn's own compares all rows with all others in each step, which tens of thousands of rows do not allow.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn.functional import normalize, one_hot

STEPS = 200
ASKED = 256  # rows of a step whose class is guessed
KNOWN = 2048  # most rows of a step that they are guessed from
RATE = 0.05  # at first; it falls to zero in a line
SHARPNESS = 30.0  # at first: what the cosines are multiplied by before the softmax
FLOOR = 1e-3  # added to the share of the right class, so that one strange row does not decide


def column_weights(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The weights of the columns, above 0.

    Rows are guessed from others: each has a share in the guess by the softmax of its cosine to the row in question.
    The weights raise the mean logarithm of the right class's share. A row never guesses itself.

    Args:
        points: of the train rows, float32 [rows, columns].
        target: their classes, int [rows].

    Returns:
        float32 [columns]; the same for the same rows.
    """
    rows = torch.from_numpy(points)
    labels = torch.tensor(target)  # copied: those of tables cannot be written to
    generator = torch.Generator().manual_seed(0)
    weights = torch.zeros(rows.shape[1], requires_grad=True)  # logarithms
    sharpness = torch.tensor(math.log(SHARPNESS), requires_grad=True)
    optimizer = torch.optim.Adam([weights, sharpness], lr=RATE)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=STEPS)
    classes = int(labels.max()) + 1
    sizes = (ASKED, min(KNOWN, len(rows)))
    for _ in range(STEPS):
        at = torch.randint(len(rows), (sum(sizes),), generator=generator)
        asked, known = at.split(sizes)
        x = normalize(rows[at] * weights.exp(), dim=1)
        closeness = x[:ASKED] @ x[ASKED:].T * sharpness.exp()
        oneself = asked[:, None] == known
        shares = torch.softmax(closeness.masked_fill(oneself, -1e9), dim=1)
        right = (shares @ one_hot(labels[known], classes).float()).gather(1, labels[asked, None])
        loss = -(right + FLOOR).log().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return weights.detach().exp().numpy()
