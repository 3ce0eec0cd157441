/**
 * Where the tiles of a call lie. Pure: a room in, one box for each tile out.
 *
 * @typedef {object} Box in whole CSS pixels, from the room's start and top
 * @property {number} start
 * @property {number} top
 * @property {number} width
 * @property {number} height
 *
 * @typedef {object} Room
 * @property {number} width
 * @property {number} height
 * @property {number} gap between two tiles
 */

/** Between these a camera's picture fills its tile with no more than a quarter cut off. */
const [TALLEST, WIDEST] = [4 / 3, 16 / 9];
/** The part of the room, on its longer side, that the others keep beside a big one. */
const STRIP = 0.22;
const STRIP_MAX = 240;

/**
 * The grid in which the tiles are largest; the last row is centred.
 *
 * @param {number} count
 * @param {Room} room
 * @returns {Box[]}
 */
export function grid(count, { width, height, gap }) {
  if (count === 1) return [{ start: 0, top: 0, width, height }];
  let best = { columns: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const tile = tileIn((width - gap * (columns - 1)) / columns, (height - gap * (rows - 1)) / rows);
    if (tile.width * tile.height > best.width * best.height) best = { columns, ...tile };
  }
  const rows = Math.ceil(count / best.columns);
  const above = (height - total(rows, best.height, gap)) / 2;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / best.columns);
    const inRow = Math.min(best.columns, count - row * best.columns);
    const before = (width - total(inRow, best.width, gap)) / 2;
    return {
      start: Math.floor(before + (index % best.columns) * (best.width + gap)),
      top: Math.floor(above + row * (best.height + gap)),
      width: best.width,
      height: best.height,
    };
  });
}

/**
 * One big tile, the others in a strip: beside it in a wide room, above it in a tall one.
 *
 * @param {number} count
 * @param {number} big its place among them
 * @param {Room} room
 * @returns {Box[]}
 */
export function around(count, big, { width, height, gap }) {
  if (count === 1) return grid(1, { width, height, gap });
  const isWide = width > height;
  const [along, across] = isWide ? [height, width] : [width, height];
  const room = Math.floor((along - gap * (count - 2)) / (count - 1));
  const depth = Math.floor(Math.min(STRIP_MAX, across * STRIP));
  const small = isWide ? tileIn(depth, room) : tileIn(room, depth);
  const [length, strip] = isWide ? [small.height, small.width] : [small.width, small.height];
  const before = Math.floor((along - total(count - 1, length, gap)) / 2);
  let place = 0;
  return Array.from({ length: count }, (_, index) => {
    if (index === big) {
      const from = strip + gap;
      const left = Math.max(0, across - from);
      return isWide ? { start: from, top: 0, width: left, height } : { start: 0, top: from, width, height: left };
    }
    const at = before + place * (length + gap);
    place += 1;
    return isWide ? { start: 0, top: at, ...small } : { start: at, top: 0, ...small };
  });
}

/** The largest tile in a cell. @param {number} width @param {number} height */
function tileIn(width, height) {
  const [w, h] = [Math.max(0, width), Math.max(0, height)];
  const tile = { width: Math.min(w, h * WIDEST), height: Math.min(h, w / TALLEST) };
  return { width: Math.floor(tile.width), height: Math.floor(tile.height) };
}

/** @param {number} count @param {number} size @param {number} gap */
function total(count, size, gap) {
  return count * size + (count - 1) * gap;
}
