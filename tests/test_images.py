"""The recipe of images: pixels between 0 and 1, in the order that they were named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.errors import UsageError
from features.images import pixels
from pipelines.encoders import Encoders

COLUMNS = ["b", "a"]
ROWS = pd.DataFrame({"id": ["1", "2", "3"], "a": [0, 51, 255], "b": [255, 0, 102]})


def fitted(**settings):
    encoder = pixels(COLUMNS, **settings).encoder
    return encoder, encoder.fit_transform(ROWS, np.zeros(3))


def test_pixels_are_shares_of_the_greatest_in_the_order_of_the_names():
    encoder, found = fitted()
    np.testing.assert_allclose(found, [[1, 0], [0, 0.2], [0.4, 1]], atol=1e-6)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(encoder.transform(ROWS[1:2]), found[1:2])  # whatever other rows hold
    np.testing.assert_allclose(fitted(greatest=510.0)[1], found / 2)


def test_a_run_keeps_the_recipe(tmp_path):
    encoder, found = fitted()
    Encoders(folds=[encoder], whole=None).write(tmp_path / "encoders", ROWS)
    (again,) = Encoders.read(tmp_path / "encoders").all
    np.testing.assert_array_equal(again.transform(ROWS), found)


@pytest.mark.parametrize(
    ("rows", "greatest", "told"),
    [
        (ROWS, 16, "from 0 to 16, but b holds 0 to 255"),
        (ROWS.assign(a=-1), 255, "from 0 to 255, but a holds -1 to -1"),
        (ROWS[["a"]], 255, "names the column 'b'"),
    ],
)
def test_what_is_no_pixel_is_told(rows, greatest, told):
    with pytest.raises(UsageError, match=told):
        pixels(COLUMNS, greatest=greatest).encoder.fit_transform(rows, np.zeros(len(rows)))


def test_images_of_no_light_are_refused():
    with pytest.raises(ValueError, match="greatest=0"):
        pixels(COLUMNS, greatest=0)
