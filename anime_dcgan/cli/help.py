"""The text of `--help`: a command's own settings with their comments, as `conf/` has them."""

import re

from anime_dcgan.cli.groups import options
from anime_dcgan.system.paths import CONF_DIR

GROUP = re.compile(r"  - (?:override )?/?(?P<group>[\w/]+): (?P<choice>\w+)(?P<comment>\s*#.*)?")


def help_text(name: str) -> str:
    """Return the settings of the command that `conf/<name>.yaml` configures."""
    text = (CONF_DIR / f"{name}.yaml").read_text(encoding="utf-8")
    text = re.split(r"^hydra:$", text, flags=re.MULTILINE)[0]
    head, _, rest = text.partition("defaults:\n")
    defaults = re.match(r"(?:  - .*\n)*", rest)
    assert defaults is not None
    lines = defaults[0].splitlines()
    groups = [line for line in map(_describe_group, lines) if line]
    parts = [head.strip(), "\n".join(groups), rest[defaults.end() :].strip()]
    if "  - train" in lines:
        parts.append("All settings of train, too: python -m anime_dcgan.train --help")
    parts.append("Set any as setting=value. --cfg job shows all settings with their values.")
    return "\n\n".join(filter(None, parts))


def _describe_group(line: str) -> str | None:
    """Return a config group of the defaults list with its options; None for other lines."""
    match = GROUP.fullmatch(line)
    if match is None or match["group"].startswith("hydra"):
        return None
    return f"{match['group']}={match['choice']}: one of {', '.join(options(match['group']))}"
