"""Names that are made when they are asked for are a tuple in all that can be seen of them."""

import numpy as np
import pytest
import scipy.sparse as sp

from fallline.data import load
from fallline.data.numbered import Numbered

NAMES = {
    "in turn": (Numbered("feature", range(3, 40)), tuple(f"feature {k}" for k in range(3, 40))),
    "some": (Numbered("column", [5, 0, 11], 1), ("column 6", "column 1", "column 12")),
    "none": (Numbered("feature", range(0)), ()),
}


@pytest.mark.parametrize("name", NAMES)
def test_they_are_as_a_tuple_of_them_is(name):
    made, names = NAMES[name]
    assert made == names
    assert names == made
    assert (len(made), list(made), hash(made)) == (len(names), list(names), hash(names))
    for cut in (slice(None), slice(1, None, 2), slice(0, 2), slice(None, None, -1)):
        assert made[cut] == names[cut]
    for place, each in enumerate(names):
        assert (made[place], made[place - len(names)]) == (each, each)
        assert each in made
        assert made.index(each) == place
        with pytest.raises(ValueError, match="is not among"):
            made.index(each, place + 1)
    for other in ("feature 40", "feature 03", "feature ٣", "column", "feature -1", "feature 3.0", "", 3, None):
        assert other not in made
        with pytest.raises(ValueError, match="is not among"):
            made.index(other)
    assert made != [*names]
    assert made != (*names, "more")
    with pytest.raises(IndexError):
        made[len(names)]


def test_a_file_with_a_large_index_is_read_without_a_name_for_each_column(tmp_path):
    (tmp_path / "t.svm").write_text("1 3:0.5\n-1 2:1 9000000:2\n1 1:1\n-1 2:2\n")
    table = load(tmp_path / "t.svm", drop=["feature 3"])
    assert len(table.columns) == 8_999_999
    assert (table.columns[2], table.columns[-1]) == ("feature 4", "feature 9000000")
    assert isinstance(table.columns, Numbered)


def test_a_matrix_in_memory_has_them_too():
    X = sp.csr_array(np.eye(6))
    assert load((X, np.arange(6) % 2), drop=["column 2"]).columns == tuple(f"column {k}" for k in (0, 1, 3, 4, 5))
