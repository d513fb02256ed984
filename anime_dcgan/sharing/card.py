"""README.md of an exported generator: its card, as the hub shows it."""

from collections.abc import Iterable, Mapping
from typing import Any

from anime_dcgan.run.exported import WEIGHTS
from anime_dcgan.sharing.network import SharedGenerator
from anime_dcgan.sharing.program import PROGRAM

ONNX = "generator.onnx"
FACES = "faces.png"
SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_{}[]<>#|"})
LICENSE = """\
The license of these weights is {license}. The pictures that the generator was trained on may belong
to others, and are not in this folder. Every face here was drawn by the generator."""


def write_card(
    description: Mapping[str, Any],
    network: SharedGenerator,
    files: Iterable[str],
    license: str | None,
    repo: str | None = None,
) -> str:
    """Return the text of the card.

    Parameters:
        description: content of generator.json.
        files: names of the programs in the folder.
        license: identifier of a license as the hub knows it.
        repo: owner/name on the hub, if the folder is uploaded.
    """
    size, kind = description["image_size"], _kind(description)
    title = _escape(repo.rpartition("/")[2] if repo else description.get("run") or "Generator")
    source = f"hub:{repo}" if repo else "path/to/this/folder"
    parts = [
        _front_matter(kind, license),
        f"# {title}",
        f"![Faces drawn by this generator]({FACES})",
        f"A generator of faces of {size} x {size} px, trained with anime_dcgan. The faces above "
        "are those of the seeds 0 to 63, drawn without truncation.",
        _table(_facts(description, kind, network)),
        "## Draw faces",
        _with_package(source),
        *_without_package(network, tuple(files)),
        *_labels(description["labels"]),
        "## Recipe",
        _table((_code(key), _code(value)) for key, value in (description["recipe"] or {}).items()),
        "## License",
        LICENSE.format(license=f"`{license}`" if license else "not stated"),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(kind: str, license: str | None) -> str:
    lines = [
        *("---", f"license: {license or 'other'}", "library_name: anime_dcgan"),
        *("pipeline_tag: unconditional-image-generation", "tags:"),
        *(f"- {tag}" for tag in ("gan", "image-generation", "anime", "faces", kind)),
        "---",
    ]
    return "\n".join(lines)


def _kind(description: Mapping[str, Any]) -> str:
    return str(description["config"]["model"]["generator"]["_target_"]).split(".")[-2]


def _facts(
    description: Mapping[str, Any], kind: str, network: SharedGenerator
) -> Iterable[tuple[str, str]]:
    weights = sum(tensor.numel() for tensor in network.generator.parameters())
    source = "averaged" if description["weights"] == "ema" else "raw"
    yield "network", f"`{kind}`, {weights:,} weights ({source}) in {description['bits']} bits"
    yield "latents", f"{description['latents']['dim']} standard normal values"
    if description["noise_dim"]:
        yield "noise", f"{description['noise_dim']:,} standard normal values"
    if description["labels"]:
        yield "labels", ", ".join(map(_escape, description["labels"]))
    data = description["data"] or {}
    count = f"{data['count']:,.0f} pictures" if data.get("count") else "pictures"
    name = f" of {_escape(data['name'])}" if data.get("name") else ""
    yield "data", f"{count}{name}; none of them is in this folder"
    yield "training", f"{description['images']:,} images seen, {description['epoch']:g} epochs"
    yield "quality", _quality(description["quality"])
    verdict = description["verdict"]
    if verdict:
        yield "verdict", _escape(": ".join([verdict["verdict"], "; ".join(verdict["reasons"])]))
    yield "digest", f"`{description['digest']}`"


def _quality(quality: Mapping[str, Any] | None) -> str:
    if quality is None:
        return "not measured at this epoch"
    floor = quality.get("floor")
    beside = "" if floor is None else f"; that of other real faces, its floor, is {floor:.2f}"
    return f"{_code(quality['headline'])} is {quality['value']:.2f} (lower is better){beside}"


def _with_package(source: str) -> str:
    return (
        f"With anime_dcgan, which reads `{WEIGHTS}` and runs no code from here:\n\n"
        f"```sh\npython -m anime_dcgan.generate run={source} out=faces.png\n```"
    )


def _without_package(network: SharedGenerator, files: tuple[str, ...]) -> Iterable[str]:
    if PROGRAM in files:
        yield f"With torch alone, by `{PROGRAM}`:"
        yield f"```python\n{torch_lines(network)}\n```"
    if ONNX in files:
        yield f"With onnxruntime and numpy alone, by `{ONNX}`:"
        yield f"```python\n{onnx_lines(network)}\n```"
    if not files:
        yield (
            f"`{WEIGHTS}` holds weights only. For a file that runs without anime_dcgan, export "
            "with `format=torch` or `format=onnx`."
        )


def torch_lines(network: SharedGenerator) -> str:
    """Return ten lines of Python that draw faces with torch alone."""
    generator = network.generator
    noise = f", torch.randn({generator.noise_dim}, generator=random)" if generator.noise_dim else ""
    names = "latents, noise = " if noise else "(latents,) = "
    given = ["latents=latents", "truncation=torch.tensor(1.0)"]
    given += [f"labels=torch.eye({len(generator.labels)})[[0] * 16]"] if generator.labels else []
    given += ["noise=noise"] if noise else []
    latents = f"torch.randn({generator.latent_dim}, generator=random){noise or ','}"
    return f"""\
import torch
from PIL import Image

def inputs(seed):
    random = torch.Generator().manual_seed(seed)
    return {latents}

{names}map(torch.stack, zip(*map(inputs, range(16))))
images = torch.export.load("{PROGRAM}").module()({", ".join(given)})
pixels = (255 * images).round().to(torch.uint8).permute(0, 2, 3, 1)
Image.fromarray(torch.cat(list(pixels), dim=1).numpy()).save("faces.png")"""


def onnx_lines(network: SharedGenerator) -> str:
    """Return ten lines of Python that draw faces with onnxruntime alone."""
    generator = network.generator
    latents = f'"latents": random.standard_normal((16, {generator.latent_dim}), np.float32)'
    given = [latents, '"truncation": np.array(1, np.float32)']
    classes, noise = len(generator.labels), generator.noise_dim
    given += [f'"labels": np.eye({classes}, dtype=np.float32)[[0] * 16]'] if classes else []
    given += [f'"noise": random.standard_normal((16, {noise}), np.float32)'] if noise else []
    body = "".join(f"    {each},\n" for each in given)
    return f"""\
import numpy as np
import onnxruntime
from PIL import Image

random = np.random.default_rng(0)
inputs = {{
{body}}}
images = onnxruntime.InferenceSession("{ONNX}").run(["images"], inputs)[0]
pixels = (255 * images).round().astype(np.uint8).transpose(0, 2, 3, 1)
Image.fromarray(np.concatenate(list(pixels), axis=1)).save("faces.png")"""


def _labels(labels: list[str]) -> Iterable[str]:
    if labels:
        rows = "; ".join(f"{index} {_escape(name)}" for index, name in enumerate(labels))
        yield f"A label is a row with a 1 at the index of its class: {rows}. Zeros are unknown."


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"| {key} | {value} |" for key, value in rows]
    return "\n".join(["| | |", "| --- | --- |", *lines]) if lines else ""


def _code(text: object) -> str:
    """Return text as code, without signs that would end it or the cell of a table."""
    return f"`{' '.join(str(text).replace('`', ' ').replace('|', ' ').split())}`"


def _escape(text: object) -> str:
    """Return text without any sign that Markdown or HTML would act on."""
    return " ".join(str(text).translate(SPECIAL).split())
