"""New runs that begin with the weights of another: what is taken, and that nothing else is."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from anime_dcgan.model.freezing import frozen_tensors
from anime_dcgan.run.checkpoint import read
from anime_dcgan.run.origin import Origin, parse_origin
from anime_dcgan.system.errors import UserError
from anime_dcgan.training import origin
from anime_dcgan.training.gan import GAN
from anime_dcgan.training.growing import growths
from tests.conftest import NARROW, Train, assert_same_weights

OTHER = ("loss=hinge", "data.source.seed=5", "seed=3", "schedule=cosine", "max_kimg=1")
QUICK = ("trainer.max_epochs=1", "metric=none", "callbacks.samples=null")


def last(tmp_path: Path, run: str = "run") -> Path:
    return tmp_path / run / "checkpoints/last.ckpt"


def begin(monkeypatch: pytest.MonkeyPatch, train: Train, *overrides: str, **how) -> GAN:
    """Return the module of a new run as it is before its first step."""
    begun: list[GAN] = []

    def stop(module: GAN, init: object) -> None:
        take(module, init)  # type: ignore[arg-type]
        begun.append(module)
        raise UserError("stopped")

    take = origin.begin_from
    with monkeypatch.context() as patch:
        patch.setattr("anime_dcgan.training.fit.begin_from", stop)
        with pytest.raises(UserError, match="stopped"):
            train(*overrides, **how)
    return begun[0]


@pytest.mark.parametrize("model", NARROW)
def test_networks_and_average_are_taken_bit_by_bit(
    train: Train, tmp_path: Path, model: str, monkeypatch, capsys
):
    source = train(*QUICK, model=model)
    begun = begin(
        *(monkeypatch, train, f"init.from={tmp_path / 'run'}", *OTHER), run="new", model=model
    )
    for name in ("generator", "generator_ema", "discriminator"):
        taken = getattr(begun, name).state_dict()
        for key, tensor in getattr(source, name).state_dict().items():
            assert torch.equal(taken[key], tensor) or not tensor.is_floating_point(), key
    assert begun.images_seen == begun.discriminator_steps == 0
    assert begun.origin is not None and begun.origin.generator_images == source.images_seen
    assert "begun from" in capsys.readouterr().err


def test_a_resumed_run_equals_one_in_a_go_and_needs_its_source_no_more(
    train: Train, tmp_path: Path
):
    train(model="radford")
    source = tmp_path / "run"
    new = (f"init.from={source}", "init.freeze=1", "augment=ada", "optimizer=adamw", "seed=1")
    straight = train(*new, "trainer.max_epochs=4", run="straight", model="radford")
    train(*new, "trainer.max_epochs=2", run="parts", model="radford")
    shutil.rmtree(source)
    parts = train(
        *(*new, "trainer.max_epochs=4"),
        run="parts",
        model="radford",
        ckpt_path=last(tmp_path, "parts"),
    )
    assert_same_weights(straight, parts)
    assert straight.images_seen == parts.images_seen == 4 * 32
    one, other = (read(last(tmp_path, name)) for name in ("straight", "parts"))
    states = [contents["optimizer_states"] for contents in (one, other)]
    torch.testing.assert_close(*states, rtol=0, atol=0)
    assert one["origin"] == other["origin"] != None  # noqa: E711
    resumed = {"run": "parts", "model": "radford", "ckpt_path": last(tmp_path, "parts")}
    with pytest.raises(UserError, match=r"trained with init\.freeze=1, not 0"):
        train(*new, "init.freeze=0", **resumed)
    with pytest.raises(UserError, match=r"trained with init\.from=.*, not None"):
        train(*new, "init.from=null", **resumed)


def test_kept_layers_are_those_of_the_source_after_training(train: Train, tmp_path: Path):
    source = train(*QUICK, model="biggan")
    new = train(
        *(f"init.from={last(tmp_path)}", "init.freeze=2", "optimizer=adamw", "loss=hinge"),
        *("regularizer=r1", "optimizer.discriminator.weight_decay=0.1", *QUICK),
        run="new",
        model="biggan",
    )
    pairs = list(
        map(
            torch.equal,
            frozen_tensors(source.discriminator, 3),
            frozen_tensors(new.discriminator, 3),
        )
    )
    kept = len(list(frozen_tensors(new.discriminator, 2)))
    assert all(pairs[:kept]) and not all(pairs[kept:])


def test_the_average_is_not_forgotten_in_the_first_steps(train: Train, tmp_path: Path):
    """From nothing, the half-life is at most 5 % of the images seen, which are none at first."""
    source = train("trainer.max_epochs=4", "callbacks=none")
    torch.save(_contents(source), tmp_path / "source.ckpt")
    settings = ("gan.ema_halflife_kimg=100", "trainer.max_epochs=1", "callbacks=none")
    new = train(*settings, f"init.from={tmp_path / 'source.ckpt'}", run="new")
    name = "project.weight"
    before = source.generator_ema.state_dict()[name]
    moved = (new.generator_ema.state_dict()[name] - before).norm()
    assert 0 < moved < 0.02 * (new.generator.state_dict()[name] - before).norm()


def _contents(module: GAN) -> dict[str, object]:
    return {
        "state_dict": module.state_dict(),
        "config": {},
        "images_seen": 100_000,
        "epochs_done": 2,
    }


def test_a_larger_run_takes_the_layers_of_a_smaller_one(
    train: Train, tmp_path: Path, monkeypatch, capsys
):
    source = train(*QUICK, model="stylegan2")
    sizes = ("data.image_size=32", "growing=progressive", "model.start_size=16")
    begun = begin(
        monkeypatch, train, f"init.from={tmp_path / 'run'}", *sizes, run="new", model="stylegan2"
    )
    assert {each.size for each in growths(begun.generator, begun.discriminator)} == {32}
    begun.grow()
    images = torch.rand(4, 3, 16, 16) * 2 - 1
    assert growths(source.discriminator, begun.discriminator)[1].size == 16
    assert torch.equal(source.discriminator(images), begun.discriminator(images))
    assert begun.origin is not None and begun.origin.generator_images == 0
    taken, own = begun.origin.taken["discriminator"]
    assert 0 < taken < own
    assert "new weights: generator.convolutions.5." in capsys.readouterr().err
    with pytest.raises(UserError, match=r"init.freeze=1 keeps layers .* do not fit, such as"):
        train(
            f"init.from={tmp_path / 'run'}", *sizes, "init.freeze=1", run="new", model="stylegan2"
        )


def test_a_discriminator_of_larger_images_takes_the_layers_next_to_the_logit(
    train: Train, tmp_path: Path, monkeypatch
):
    source = train(*QUICK, "model.width=4", model="radford")
    begun = begin(
        monkeypatch,
        train,
        *(f"init.from={tmp_path / 'run'}", "data.image_size=32", "model.width=2"),
        model="radford",
        run="new",
    )
    before, now = (each.discriminator.state_dict() for each in (source, begun))
    for saved, own in {"2.weight": "5.weight", "3.running_mean": "6.running_mean"}.items():
        assert torch.equal(before[f"layers.{saved}"], now[f"layers.{own}"])
    assert torch.equal(before["to_logit.weight"], now["to_logit.weight"])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("init.from=run:nosuch",), "init=run:nosuch is not a run: neither outputs/nosuch"),
        (
            ("init.from={run}", "init.epoch=7"),
            "no checkpoint init.epoch=7; it has: 1",
        ),
        (("init.from={run}", "init.epoch=seven"), "init.epoch=seven is not an epoch"),
        (("init.from={run}/nosuch.ckpt",), "init=.*: the checkpoint .* does not exist"),
        (("init.from={run}/config.yaml",), "init=.*: .*config.yaml cannot be read: it is not a"),
        (("init.from={run}", "model=radford"), "that run are of model=dcgan, .* use model=dcgan"),
        (
            ("init.from={run}", "model.generator.width=5", "model.discriminator.width=5"),
            r"fit the networks of this run: use the sizes of that generator \(.*width=\d+, image_",
        ),
        (("init.from={run}", "init.freeze=4"), "init.freeze=4: this discriminator has 3 layers"),
        (
            ("init.from={run}", "init.freeze=1", "model.discriminator.width=5"),
            "init.freeze=1 keeps layers of the discriminator whose weights do not fit, such as",
        ),
    ],
)
def test_a_start_that_cannot_work_is_refused(trained_once: Path, train: Train, overrides, message):
    (trained_once / "config.yaml").touch()
    before = {path: path.read_bytes() for path in trained_once.rglob("*") if path.is_file()}
    settings = [each.format(run=trained_once) for each in overrides]
    with pytest.raises(UserError, match=message):
        train(*settings, run="new")
    assert before == {path: path.read_bytes() for path in trained_once.rglob("*") if path.is_file()}


@pytest.fixture
def trained_once(train: Train, tmp_path: Path) -> Path:
    train(*QUICK)
    return tmp_path / "run"


def test_weights_that_are_not_finite_are_refused(train: Train, tmp_path: Path):
    train()
    contents = torch.load(last(tmp_path), weights_only=True)
    contents["state_dict"]["discriminator.layers.0.bias"][1] = float("nan")
    torch.save(contents, tmp_path / "diverged.ckpt")
    with pytest.raises(UserError, match="are not finite, because that training diverged"):
        train(f"init.from={tmp_path / 'diverged.ckpt'}", run="new")


def test_a_damaged_record_of_an_origin_is_refused():
    plain = Origin("a", 2.5, 10, "0f", {"generator": [1, 2]}).as_plain()
    assert parse_origin(json.loads(json.dumps(plain), parse_int=float)).as_plain() == plain
    for name in plain:
        for value in (None, [], -1, "a" * 5000, {"a": [1]}, float("nan")):
            with pytest.raises(ValueError, match="does not describe"):
                parse_origin({**plain, name: value})


def test_weights_of_classes_are_taken_by_name(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    source = train(*QUICK, "data.labels=light_side", model="biggan")
    again = {"run": "new", "model": "biggan"}
    init = f"init.from={tmp_path / 'run'}"
    begun = begin(monkeypatch, train, init, "data.labels=turn", *OTHER, **again)
    names = [each.generator.labels for each in (source, begun)]
    assert names == [("left", "right"), ("front", "left", "right")]
    for network, key in (
        ("generator", "embed.weight"),
        ("generator_ema", "embed.weight"),
        ("discriminator", "label_vectors.parametrizations.weight.original"),
    ):
        weights = [getattr(each, network).state_dict()[key] for each in (source, begun)]
        there, here = (each if "embed" in key else each.T for each in weights)
        assert torch.equal(here[1:], there) and not (here[0] == there).any()
    assert begun.origin is not None and begun.origin.generator_images == 0
    assert "labels: known: left, right; new: front" in capsys.readouterr().err
    plain = begin(monkeypatch, train, init, **again)  # without labels
    assert plain.origin is not None and not plain.generator.labels
    taken, own = plain.origin.taken["discriminator"]
    assert taken == own  # its vectors of the classes are the only difference
    train(*QUICK, run="plain", model="biggan")
    labelled = f"init.from={tmp_path / 'plain'}", "data.labels=turn"
    begun = begin(monkeypatch, train, *labelled, **again)
    assert begun.origin is not None and begun.origin.taken["discriminator"][0] == own


def test_classes_in_another_order_keep_their_weights():
    vectors = "heads.1.label_vectors.weight"  # of one of several heads
    own = {
        "generator": {"embed.weight": torch.zeros(2, 3)},
        "discriminator": {vectors: torch.zeros(3, 2)},
    }
    rows = torch.tensor([[1.0] * 3, [2.0] * 3])
    saved = {"generator.embed.weight": rows, f"discriminator.{vectors}": rows.T}
    arranged = origin._by_class(saved, own, ["b", "a"], ("a", "b"))
    assert arranged["generator.embed.weight"].tolist() == [[2.0] * 3, [1.0] * 3]
    assert arranged[f"discriminator.{vectors}"].T.tolist() == [[2.0] * 3, [1.0] * 3]
    assert origin._by_class(saved, own, ["b", "a"], ("b", "a")) is saved
    assert not origin._by_class(saved, own, ["b", "a"], ("c", "d"))
    damaged = origin._by_class(saved, own, ["b", "a", "c"], ("a", "b"))
    assert not damaged
