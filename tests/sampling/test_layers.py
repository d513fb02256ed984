"""Ranges of style layers."""

import pytest

from anime_dcgan.sampling.layers import check_layers, format_layers, parse_layers
from anime_dcgan.system.errors import UserError


@pytest.mark.parametrize(("value", "layers"), [("4-9", range(4, 10)), ("0", range(1)), (7, [7])])
def test_a_range_includes_both_ends(value: str | int, layers: range):
    assert list(parse_layers("layers", value)) == list(layers)
    assert parse_layers("layers", format_layers(parse_layers("layers", value))) == parse_layers(
        "layers", value
    )


@pytest.mark.parametrize("value", ["3-1", "", "-1", "04-9", "1-2-3", "100", "0-3\n", True, 1.5])
def test_anything_else_is_refused_in_one_line(value: object):
    with pytest.raises(UserError, match=r"^layers=.*use layers=4-9$"):
        parse_layers("layers", value)


def test_a_generator_has_the_layers_that_are_replaced():
    check_layers("mix", range(4, 6), 6)
    with pytest.raises(UserError, match=r"mix=4-6 .*style layers 0-5"):
        check_layers("mix", range(4, 7), 6)
    with pytest.raises(UserError, match="model=stylegan2 or model=biggan"):
        check_layers("mix", range(0, 1), 1)
