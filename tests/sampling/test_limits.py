"""Pictures and films that are too large are refused before a face is drawn."""

import pytest

from anime_dcgan.sampling.limits import check_film, check_grid
from anime_dcgan.system.errors import UserError


def test_a_common_grid_and_film_pass():
    check_grid("n", 10_000, 64, None, 1)
    check_film(64, 24, 64, is_gif=True)


@pytest.mark.parametrize(
    ("count", "columns", "scale", "fix"),
    [
        (1_000_000, None, 1, "use n=40261"),
        (64, None, 64, "use n=10"),
        (4000, 4000, 8, "use n=663"),
    ],
)
def test_a_grid_that_no_program_opens_is_refused(count: int, columns: int, scale: int, fix: str):
    with pytest.raises(UserError) as caught:
        check_grid("n", count, 64, columns, scale)
    assert str(caught.value).endswith(fix) and "px, which is more than programs open" in str(
        caught.value
    )


def test_the_suggested_number_fits():
    check_grid("n", 40261, 64, None, 1)


def test_a_film_without_end_is_refused():
    with pytest.raises(UserError, match="makes a film of 20,000,000 frames, above 100,000"):
        check_film(2, 10_000_000, 64, is_gif=False)
