from typing import Any

from anime_dcgan.sharing.site_texts import describe_run
from tests.sharing.generators import small_generator

COUNTS = {"images_seen": 20_000, "epochs_done": 2.5}


def test_the_card_names_the_network_the_training_and_the_quality():
    facts = {
        "data": {"count": 21_279},
        "quality": {"headline": "swd/mean", "value": 16.94, "floor": 14.3},
        "verdict": {"verdict": "equilibrium", "reasons": []},
    }
    texts = describe_run(facts, COUNTS, small_generator("radford"))
    assert texts.data == "21,279 pictures of faces"
    assert texts.card[0][1].startswith("radford, ")
    assert texts.card[1:] == [
        ("Training", "20 thousand images"),
        ("Epoch", "2.5"),
        ("Distance swd/mean", "16.9 (real pictures compared with real ones: 14.3)"),
        ("Verdict", "Equilibrium reached"),
    ]


def test_unknown_facts_are_left_out():
    facts: dict[str, Any] = dict.fromkeys(("data", "quality", "verdict"))
    texts = describe_run(facts, COUNTS, small_generator("radford"))
    assert texts.data == "pictures of faces" and len(texts.card) == 3
