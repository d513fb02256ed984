"""Several folders and archives as one source."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path

from PIL import Image

from anime_dcgan.data.folder import FolderFaces
from anime_dcgan.data.labels import FOLDERS
from anime_dcgan.data.source import HasLabels, HasOtherFiles, Pictures
from anime_dcgan.system.errors import UserError


class ConcatPictures:
    """Concatenation of the pictures of several sources."""

    def __init__(self, sources: list[Pictures]) -> None:
        assert sources
        self.sources = sources
        self._ends = list(accumulate(map(len, sources)))

    def __len__(self) -> int:
        return self._ends[-1]

    def locate(self, index: int) -> tuple[int, int]:
        """Return the number of the source of picture `index`, and its index there."""
        assert 0 <= index < len(self), index
        source = bisect_right(self._ends, index)
        return source, index - (self._ends[source - 1] if source else 0)

    def name(self, index: int) -> str:
        source, own = self.locate(index)
        return self.sources[source].name(own)

    def read(self, index: int, image_size: int) -> Image.Image:
        source, own = self.locate(index)
        return self.sources[source].read(own, image_size)

    def picture(self, index: int) -> Image.Image:
        source, own = self.locate(index)
        return self.sources[source].picture(own)

    def bytes(self, index: int) -> int:
        source, own = self.locate(index)
        return self.sources[source].bytes(own)

    def classes(self, labels: str) -> Iterator[str]:
        """Yield the class of each picture; raise `UserError`.

        With `folders`, one of several folders or archives is itself the class of the pictures that
        lie directly in it.
        """
        for source in self.sources:
            if not isinstance(source, HasLabels):
                raise UserError(f"data.labels={labels}: {type(source).__name__} has no labels")
            of_source = ""
            if labels == FOLDERS and len(self.sources) > 1 and isinstance(source, FolderFaces):
                of_source = source.path.name if source.path.is_dir() else source.path.stem
            for name in source.classes(labels):
                yield name or of_source

    def passed_over(self) -> Counter[str]:
        """Return the number of files that are not pictures, by file extension."""
        counts = [each.passed_over() for each in self.sources if isinstance(each, HasOtherFiles)]
        return sum(counts, Counter())

    def identity(self) -> dict[str, object]:
        return {"kind": "joined", "sources": [source.identity() for source in self.sources]}


def concat_folders(paths: Iterable[str | Path], setting: str) -> ConcatPictures:
    """Concatenate folders and archives; a `UserError` names the invalid one by `setting`."""
    try:
        return ConcatPictures([FolderFaces(path) for path in paths])
    except UserError as error:
        raise UserError(str(error).replace("data.path=", setting)) from None
