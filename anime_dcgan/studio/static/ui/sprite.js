/** Many faces in one picture, and each on its own element. */

/** A sprite of `tiles` in rows of `columns`, laid behind them. The address is freed by the caller. */
export function paint(tiles, blob, columns) {
  const address = URL.createObjectURL(blob);
  const rows = Math.ceil(tiles.length / columns);
  tiles.forEach((one, index) => {
    const across = columns > 1 ? (index % columns) / (columns - 1) : 0;
    const down = rows > 1 ? Math.floor(index / columns) / (rows - 1) : 0;
    one.style.backgroundImage = `url(${address})`;
    one.style.backgroundSize = `${columns * 100}% ${rows * 100}%`;
    one.style.backgroundPosition = `${across * 100}% ${down * 100}%`;
    one.classList.add("painted");
  });
  return address;
}
