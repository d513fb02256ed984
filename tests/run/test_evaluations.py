"""The file of measured rows, with real processes that add to it at once."""

import subprocess
import sys
from pathlib import Path

from anime_dcgan.run.evaluations import add_row, find_row
from anime_dcgan.system.reader import read_list

ADD = """
import sys
from pathlib import Path
from anime_dcgan.run.evaluations import add_row
for number in range(20):
    add_row(Path(sys.argv[1]), {"key": f"{sys.argv[2]}-{number}"})
"""


def test_all_rows_of_several_processes_are_kept(tmp_path: Path):
    add_row(tmp_path, {"key": "earlier", "epoch": 3})
    programs = [[sys.executable, "-c", ADD, str(tmp_path), writer] for writer in "abc"]
    processes = [subprocess.Popen(program) for program in programs]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    keys = {row["key"] for row in read_list(tmp_path / "evaluations.json", "rows")}
    expected = {f"{writer}-{number}" for writer in "abc" for number in range(20)}
    assert keys == {"earlier", *expected}


def test_a_key_has_one_row(tmp_path: Path):
    row = {"key": "a", "epoch": 1, "images": 1000, "values": {"swd/mean": 2.5}}
    add_row(tmp_path, row)
    add_row(tmp_path, row | {"epoch": 2})
    assert find_row(tmp_path, "a") == row
    assert find_row(tmp_path, "b") is None
