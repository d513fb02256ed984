"""Faces survive a round trip through links and JSON; invalid ones are refused in one line."""

import math
import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from anime_dcgan.explore.face import MAX_STEP, Face, check_run, decode_latent, encode_latent
from anime_dcgan.sampling.seeds import MAX_SEED
from anime_dcgan.system.errors import NotFoundError, UserError

GOOD = {"run": "sweep/loss=bce,seed=0", "epoch": "70", "seed": 5}

runs = st.from_regex(r"[A-Za-z0-9_=,.\-]{1,20}", fullmatch=True).filter(
    lambda name: set(name) != {"."}
)
float32 = st.floats(-100, 100, width=32)
moves = st.dictionaries(
    st.from_regex(r"(sefa|pca)\.[0-9]{1,4}", fullmatch=True),
    st.floats(-MAX_STEP, MAX_STEP),
    max_size=5,
)
parents = st.one_of(st.integers(0, MAX_SEED), st.lists(float32, min_size=1, max_size=4))
mixes = st.fixed_dictionaries({}, optional={"0-3": parents, "4-4": parents, "5-17": parents})


params = st.fixed_dictionaries(
    {
        "run": st.lists(runs, min_size=1, max_size=3).map("/".join),
        "epoch": st.sampled_from(["best", "last", "7", "12.5"]),
        "weights": st.sampled_from(["ema", "raw"]),
        "digest": st.sampled_from([None, "0123456789abcdef0123"]),
        "truncation": st.floats(0, 1),
        "moves": moves,
        "mix": mixes,
    }
)
origins = st.one_of(
    st.integers(0, MAX_SEED).map(lambda seed: {"seed": seed}),
    st.lists(float32, min_size=1, max_size=8).map(lambda numbers: {"latent": numbers}),
)


def face_of(params: dict[str, Any], origin: dict[str, Any]) -> Face:
    if "latent" in origin:
        origin = {"latent": encode_latent(origin["latent"])}
    mix = {
        layers: encode_latent(parent) if isinstance(parent, list) else parent
        for layers, parent in params.get("mix", {}).items()
    }
    return Face(**{**params, "mix": mix}, **origin)


@given(params, origins)
def test_json_round_trip_preserves_a_face(params: dict[str, Any], origin: dict[str, Any]):
    face = face_of(params, origin)
    assert Face.from_json(face.to_json()) == face


@given(params, origins)
@example({"run": "a", "epoch": "best", "truncation": 1 - 1e-14}, {"seed": 0})
def test_query_round_trip_preserves_a_face(params: dict[str, Any], origin: dict[str, Any]):
    face = face_of(params, origin)
    again = Face.from_query(face.to_query())
    assert again.to_query() == face.to_query()
    assert (again.generator, again.seed, again.latent) == (face.generator, face.seed, face.latent)
    assert again.truncation == pytest.approx(face.truncation, rel=1e-11)
    assert again.moves == pytest.approx(dict(face.moves), rel=1e-11)
    assert again.mix == face.mix


@given(st.lists(float32, min_size=1, max_size=20))
def test_encoding_a_latent_is_lossless(values: list[float]):
    again = decode_latent(encode_latent(values))
    assert struct.pack(f"{len(values)}f", *again) == struct.pack(f"{len(values)}f", *values)


def test_default_values_are_omitted_from_links():
    assert Face(**GOOD).to_query() == "run=sweep/loss=bce,seed=0&epoch=70&weights=ema&seed=5"


def test_zero_steps_and_the_order_of_steps_are_ignored():
    one = Face(**GOOD, moves={"pca.1": 1.0, "sefa.0": 2.0, "sefa.1": 0.0})
    other = Face(**GOOD, moves={"sefa.0": 2.0, "pca.1": 1})
    assert one == other and one.to_query() == other.to_query() and hash(one) == hash(other)
    assert Face(**GOOD, moves={"sefa.0": 0.0}).is_seed_only


def test_moves_of_layers_are_part_of_a_link():
    face = Face(**GOOD, moves={"sefa.0/4-9": 1.5, "sefa.0": -1})
    assert face.to_query().endswith("&moves=sefa.0:-1,sefa.0/4-9:1.5")
    assert Face.from_query(face.to_query()) == face


def test_parents_of_layers_are_part_of_a_link_in_the_order_of_the_layers():
    latent = encode_latent([0.5])
    face = Face(**GOOD, mix={"4-9": latent, "0-3": 17})
    assert face.to_query().endswith(f"&seed=5&mix=0-3:17,4-9:latent.{latent}")
    assert not face.is_seed_only


NAN = encode_latent([math.nan])
BAD: list[dict[str, Any]] = [
    *(
        {"run": run}
        for run in ("", "/etc", "..", "a/../b", "a//b", "./a", "a\\b", "a\n", "a/", 3, None)
    ),
    *({"epoch": epoch} for epoch in ("", "-1", "../last", "1e3", "7.ckpt", 7, None)),
    *({"weights": weights} for weights in ("EMA", "", None)),
    *({"seed": seed} for seed in (-1, MAX_SEED + 1, 1.5, True, "5", None)),
    *({"seed": None, "latent": text} for text in ("", "!!", "AAA", "A" * 50_000, NAN, 5)),
    {"latent": encode_latent([0.0])},  # in addition to a seed
    *({"truncation": value} for value in (-0.1, 1.1, math.nan, "1", True)),
    *({"moves": value} for value in (None, [], {"up": 1}, {"sefa.0": 11}, {"sefa.0": math.nan})),
    *({"moves": {key: 1}} for key in ("sefa.0/", "sefa.0/3-1", "sefa.0/4", "/0-3", "sefa.0/0-3/1")),
    {"moves": {f"sefa.{number}": 1 for number in range(65)}},
    *({"mix": mix} for mix in (None, [], "0-3:1", {0: 1}, {"coarse": 1}, {"0": 1}, {"3-0": 1})),
    *({"mix": mix} for mix in ({"00-3": 1}, {"0-100": 1}, {"0-3": 1, "3-4": 1}, {"0-3\n": 1})),
    *({"mix": {"0-3": parent}} for parent in (None, -1, True, 1.5, "17", NAN, [1], MAX_SEED + 1)),
    {"mix": {f"{layer}-{layer}": 1 for layer in range(33)}},
    {"more": 1},
]


@pytest.mark.parametrize("change", BAD, ids=str)
def test_an_invalid_face_raises_a_one_line_error(change: dict[str, Any]):
    with pytest.raises(UserError) as refused:
        Face.from_json({**GOOD, **change})
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    "query",
    [
        "",
        "run=a",
        "run=a&epoch=1",
        "run=a&epoch=1&seed=",
        "run=a&epoch=1&seed=1&seed=2",
        "run=a&epoch=1&seed=x",
        "run=a&epoch=1&seed=1&truncation=x",
        "run=a&epoch=1&seed=1&moves=sefa.0",
        "run=a&epoch=1&seed=1&moves=sefa.0:1,sefa.0:2",
        "run=a&epoch=1&seed=1&mix=0-3",
        "run=a&epoch=1&seed=1&mix=0-3:1,0-3:2",
        "run=a&epoch=1&seed=1&mix=0-3:latent.",
        "&".join(["run=a"] * 40),
    ],
)
def test_an_invalid_link_raises_a_user_error(query: str):
    with pytest.raises(UserError):
        Face.from_query(query)


@pytest.mark.parametrize("run", ["a" * 256, "é" * 128, "a/" + "é" * 128 + "/b"])
def test_names_longer_than_file_systems_allow_are_rejected(run: str):
    """A character may take several bytes, and the limit of 255 is in bytes."""
    with pytest.raises(NotFoundError, match="no folder has so long a name"):
        check_run(run)
    check_run("é" * 127)
