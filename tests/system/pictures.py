"""Pictures that carry a number: for a camera to film, and to be read in what is seen.

A picture is a grid of 4 x 4 cells, each black or white: eight bits say who shows it,
eight bits count pictures. Cells are large, so that no codec at any bit rate that
deserves the name blurs one into another; only a frozen, foreign, turned or missing
picture is read wrong.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT, RATE = 320, 240, 15
GRID = 4
# Of luma, inside the video range.
BLACK, WHITE, NEUTRAL = 16, 235, 128

Luma = npt.NDArray[np.uint8]


def draw(who: int, count: int) -> Luma:
    """One picture as (HEIGHT, WIDTH) luma; ``who`` and ``count`` are bytes."""
    bits = np.unpackbits(np.array([who, count % 256], dtype=np.uint8))
    cells = np.where(bits.reshape(GRID, GRID) == 1, WHITE, BLACK).astype(np.uint8)
    return np.kron(cells, np.ones((HEIGHT // GRID, WIDTH // GRID), dtype=np.uint8))


def read(cells: list[int]) -> tuple[int, int]:
    """``(who, count)`` of the brightness (0 to 255) in the middle of each cell."""
    bits = np.array(cells) > 127
    who, count = np.packbits(bits)
    return int(who), int(count)


def write_film(path: Path, who: int, *, seconds: int = 17) -> Path:
    """Write a YUV4MPEG2 file, which Chromium takes for a camera's pictures."""
    colour = bytes([NEUTRAL]) * (WIDTH * HEIGHT // 2)
    with path.open("wb") as file:
        file.write(
            f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{RATE}:1 Ip A1:1 C420jpeg\n".encode()
        )
        for count in range(seconds * RATE):
            file.write(b"FRAME\n" + draw(who, count).tobytes() + colour)
    return path
