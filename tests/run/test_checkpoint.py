"""Untrusted checkpoints are read as data, or refused with a one-line message."""

import os
import resource
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from anime_dcgan.model import dcgan
from anime_dcgan.run.checkpoint import load_generator, read
from anime_dcgan.system import memory
from anime_dcgan.system.errors import UserError

SETTINGS: dict[str, Any] = {"latent_dim": 4, "width": 3, "image_size": 16}


def contents(**changes: Any) -> dict[str, Any]:
    generator = dcgan.Generator(**SETTINGS)
    weights = {f"generator_ema.{name}": value for name, value in generator.state_dict().items()}
    settings = {"_target_": "anime_dcgan.model.dcgan.Generator", **SETTINGS}
    config = {"model": {"generator": settings}}
    counts = {"images_seen": 8, "epochs_done": 1.0}
    return {"state_dict": weights, "config": config, **counts} | changes


def save(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def with_generator(**settings: Any) -> dict[str, Any]:
    merged = {"_target_": "anime_dcgan.model.dcgan.Generator", **SETTINGS, **settings}
    return contents(config={"model": {"generator": merged}})


def test_a_valid_checkpoint_gives_the_same_weights_frozen_in_evaluation_mode(tmp_path: Path):
    good = contents()
    generator = load_generator(save(tmp_path / "a.ckpt", good))
    assert generator.latent_dim == 4
    assert not generator.training
    assert not any(parameter.requires_grad for parameter in generator.parameters())
    for name, value in generator.state_dict().items():
        assert torch.equal(value, good["state_dict"][f"generator_ema.{name}"])


class Malicious:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path: Path):
    trace = tmp_path / "trace"
    path = save(tmp_path / "a.ckpt", contents(extra=Malicious(f"touch {trace}")))
    with pytest.raises(UserError, match="could run code"):
        load_generator(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    "target",
    ["os.system", "torch.nn.Linear", "anime_dcgan.modelling.Generator", "Generator", 7, None],
)
def test_only_our_networks_are_built(tmp_path: Path, target: object):
    with pytest.raises(UserError, match=r"refused|does not name"):
        load_generator(save(tmp_path / "a.ckpt", with_generator(_target_=target)))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("anime_dcgan.model.dcgan.Discriminator", "is not a generator"),
        ("anime_dcgan.model.dcgan.torch", "is not a generator"),
        ("anime_dcgan.model.dcgan.Missing", "does not have"),
        ("anime_dcgan.model.missing.Generator", "does not have"),
    ],
)
def test_targets_in_our_package_that_are_not_generators_are_refused(
    tmp_path: Path, target, message
):
    with pytest.raises(UserError, match=message):
        load_generator(save(tmp_path / "a.ckpt", with_generator(_target_=target)))


def test_nested_constructions_are_refused(tmp_path: Path):
    nested = with_generator(width={"_target_": "os.system", "command": "true"})
    with pytest.raises(UserError, match="refused"):
        load_generator(save(tmp_path / "a.ckpt", nested))


def test_sizes_that_the_weights_do_not_confirm_allocate_nothing(tmp_path: Path):
    huge = with_generator(latent_dim=10**9, width=10**4)
    with pytest.raises(UserError, match="do not fit"):
        load_generator(save(tmp_path / "a.ckpt", huge))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"colour": 1}, "a.ckpt: .* cannot be built"),
        ({"width": -3}, "a.ckpt: model.generator.width=-3 leaves no channels"),
        ({"width": "a"}, "a.ckpt: .* cannot be built"),
    ],
)
def test_settings_that_cannot_be_built_are_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
):
    with pytest.raises(UserError, match=message):
        load_generator(save(tmp_path / "a.ckpt", with_generator(**settings)))


@pytest.mark.parametrize("content", [{"state_dict": {}}, [1, 2], {"model": torch.zeros(1)}])
def test_files_of_other_programs_are_refused(tmp_path: Path, content: object):
    with pytest.raises(UserError, match="not a checkpoint of anime_dcgan"):
        load_generator(save(tmp_path / "a.ckpt", content))


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.99])
def test_truncated_files_are_refused(tmp_path: Path, fraction: float):
    path = save(tmp_path / "a.ckpt", contents())
    path.write_bytes(path.read_bytes()[: int(fraction * path.stat().st_size)])
    with pytest.raises(UserError, match="a.ckpt"):
        load_generator(path)


def test_missing_weights_and_a_missing_file_are_reported(tmp_path: Path):
    path = save(tmp_path / "a.ckpt", contents())
    with pytest.raises(UserError, match="a.ckpt has no weights=raw: use weights=ema"):
        load_generator(path, "raw")
    with pytest.raises(UserError, match="does not exist"):
        load_generator(tmp_path / "b.ckpt")


def test_expanded_weights_are_refused(tmp_path: Path):
    good = contents()["state_dict"]
    weights = {name: torch.zeros(()).expand(value.shape) for name, value in good.items()}
    path = save(tmp_path / "a.ckpt", contents(state_dict=weights))
    with pytest.raises(UserError, match="larger than their storage"):
        load_generator(path)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="/proc lists the mappings")
def test_a_loaded_checkpoint_does_not_keep_the_file_in_use(tmp_path: Path):
    """Windows cannot replace a mapped file, and overwriting a file changes its mappings."""
    path = save(tmp_path / "a.ckpt", contents() | {"optimizer_states": [torch.ones(9)]})
    kept = load_generator(path), read(path, mmap=False)
    assert str(path) not in Path("/proc/self/maps").read_text()
    del kept


def with_pickle(path: Path, pickled: bytes, method: int = zipfile.ZIP_STORED) -> Path:
    """Replace the pickle of a valid checkpoint, or compress its members."""
    with zipfile.ZipFile(save(path, contents())) as valid:
        members = {name: valid.read(name) for name in valid.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            replaced = pickled if pickled and name.endswith("data.pkl") else content
            archive.writestr(name, replaced)
    return path


@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\x02" + b"]" * 20_000_000 + b".",  # a list bomb
        b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\x00\x00\x00\x00\x7f\x85R.",  # 2 TB of zeros
        b"\x80\x02ccollections\nOrderedDict\n]]a\x85R.",  # with arguments
        b"\x80\x02]r\xff\xff\xff\x7f.",  # a memo of 2^31 entries
        b"\x80\x02ctorch\nTensor\nK\x01\x85R.",
        b"\x80\x02)\x81.",  # nothing to build
        b"\x80\x02h\x07.",  # nothing memorised
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"\x80\x02}Q.",  # a reference to no storage
        b"garbage",
        b"\x80\x02" + b"(" * 500_000 + b"." + b"t" * 500_000,
    ],
)
def test_pickles_that_torch_never_writes_are_refused(tmp_path: Path, pickled: bytes):
    path = with_pickle(tmp_path / "a.ckpt", pickled)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match=r"a.ckpt cannot be read: [^\n]*$"):
        load_generator(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # kB


def test_compressed_members_are_refused(tmp_path: Path):
    path = with_pickle(tmp_path / "a.ckpt", b"", zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match="compressed"):
        load_generator(path)


def test_a_storage_larger_than_its_file_is_refused(tmp_path: Path):
    """Otherwise torch would read beyond it."""
    path = save(tmp_path / "a.ckpt", contents(extra=torch.zeros(200)))
    path.write_bytes(path.read_bytes().replace(b"K\xc8tq", b"K\xc9tq", 1))
    with pytest.raises(UserError, match=r"CRC|another size"):
        load_generator(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": [1]}, "lacks weights or configuration"),
        ({"config": 7}, "lacks weights or configuration"),
        ({"config": None}, "lacks weights or configuration"),
        ({"state_dict": {"a": 1}}, "not tensors"),
        ({"images_seen": "many"}, "its images_seen"),
        ({"epochs_done": None}, "images_seen or epochs_done is not a number"),
    ],
)
def test_parts_of_other_types_are_refused(tmp_path: Path, changes, message: str):
    with pytest.raises(UserError, match=message):
        load_generator(save(tmp_path / "a.ckpt", contents(**changes)))


def test_a_configuration_that_expands_or_is_deep_is_refused(tmp_path: Path):
    laughs: Any = [1]
    for _ in range(30):
        laughs = [laughs, laughs]
    for config in ({"a": laughs}, {"a": torch.zeros(1)}):
        with pytest.raises(UserError, match=r"deep|type"):
            load_generator(save(tmp_path / "a.ckpt", contents(config=config)))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, value: float):
    weights = contents()["state_dict"]
    weights["generator_ema.project.bias"][0] = value
    with pytest.raises(UserError, match="not finite.*earlier epoch"):
        load_generator(save(tmp_path / "a.ckpt", contents(state_dict=weights)))


def test_huge_images_and_weights_of_other_types_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match="larger than 1024 px"):
        load_generator(save(tmp_path / "a.ckpt", with_generator(image_size=2**20)))
    weights = {name: value.double() for name, value in contents()["state_dict"].items()}
    with pytest.raises(UserError, match="wrong type"):
        load_generator(save(tmp_path / "a.ckpt", contents(state_dict=weights)))


def test_a_checkpoint_larger_than_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = save(tmp_path / "last.ckpt", contents())
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    with pytest.raises(UserError, match=r"last\.ckpt would need .* of memory.*: use another"):
        read(path)
