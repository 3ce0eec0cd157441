/**
 * The others of a call, one to four: one fills the room, several share it, and one of
 * them can be made big. Used by the window of a call and by the guest's page.
 *
 * Says who comes and goes to those who listen. Knows no call and no client: it shows
 * the people it is told of, and keeps their order.
 */
import { h, setAttribute, setText } from '../softphone/dom.js';
import { around, grid } from './arrange.js';
import { Tile } from './tile.js';

/**
 * @typedef {object} Person somebody else in the call
 * @property {string} id
 * @property {string} name
 * @property {string} letters initials, '' when there are none
 * @property {MediaStream|null} video null: there is no picture to show
 * @property {string} note where there is none, why
 *
 * @typedef {object} GalleryWords
 * @property {string} others what the tiles are, as a whole
 * @property {(name: string) => string} picture
 * @property {(name: string) => string} enlarge
 * @property {(name: string) => string} shrink
 * @property {(name: string) => string} joined
 * @property {(name: string) => string} left
 */

const GAP = 8;

export class Gallery {
  #words;
  #cutsAlone;
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  /** @type {readonly Person[]} */
  #people = [];
  #call = '';
  /** @type {string|null} */
  #big = null;
  #room = h('div', { class: 'rb-gallery-room', tabindex: -1 });
  #said = h('p', { class: 'rb-gallery-said', role: 'status' });
  #life = new AbortController();
  #size = new ResizeObserver(() => this.#arrange());

  /**
   * @param {object} options
   * @param {GalleryWords} options.words
   * @param {boolean} options.cutsAlone whether the picture of the only one may be cut a
   *   little to fill the room, too
   */
  constructor({ words, cutsAlone }) {
    this.#words = words;
    this.#cutsAlone = cutsAlone;
    this.element = h('div', { class: 'rb-gallery' }, this.#room, this.#said);
    this.#size.observe(this.#room);
    document.addEventListener('keydown', (event) => this.#key(event), { signal: this.#life.signal });
  }

  close() {
    this.#life.abort();
    this.#size.disconnect();
    this.update('', []);
  }

  get hasPicture() {
    return [...this.#tiles.values()].some((tile) => tile.hasPicture);
  }

  /** What a picture in picture shows: the big one, else the first there is. @returns {HTMLVideoElement|null} */
  get leading() {
    const tiles = [...this.#tiles.values()];
    const big = this.#big === null ? undefined : this.#tiles.get(this.#big);
    const tile = big?.hasPicture ? big : tiles.find((each) => each.hasPicture);
    return tile?.video ?? null;
  }

  /**
   * @param {string} call an other one begins anew: nobody has come or gone
   * @param {readonly Person[]} people in their order; none: nothing is shown
   */
  update(call, people) {
    const isSame = call === this.#call && people.length > 0 && this.#people.length > 0;
    const former = isSame ? this.#people : people;
    this.#call = call;
    this.#people = people;
    const isAlone = people.length === 1;
    if (!isSame || isAlone || !people.some(({ id }) => id === this.#big)) this.#big = null;
    this.#keep(people);
    setAttribute(this.element, 'data-count', people.length);
    setAttribute(this.#room, 'role', isAlone || people.length === 0 ? null : 'list');
    setAttribute(this.#room, 'aria-label', isAlone || people.length === 0 ? null : this.#words.others);
    this.#draw();
    if (isSame) this.#tell(former, people);
    else setText(this.#said, '');
  }

  /** A tile for each, in their order. @param {readonly Person[]} people */
  #keep(people) {
    const ids = new Set(people.map(({ id }) => id));
    let hadFocus = false;
    for (const [id, tile] of this.#tiles) {
      if (ids.has(id)) continue;
      hadFocus ||= tile.element.contains(document.activeElement);
      tile.video.srcObject = null;
      tile.element.remove();
      this.#tiles.delete(id);
    }
    people.forEach(({ id }, index) => {
      const tile = this.#tiles.get(id) ?? new Tile({ words: this.#words, press: () => this.#enlarge(this.#big === id ? null : id) });
      this.#tiles.set(id, tile);
      const at = this.#room.children[index];
      // Pictures stop when they are moved, so none is that is in its place.
      if (at !== tile.element) this.#room.insertBefore(tile.element, at ?? null);
    });
    if (hadFocus) this.#room.focus({ preventScroll: true });
  }

  #draw() {
    const isAlone = this.#people.length === 1;
    setAttribute(this.element, 'data-big', this.#big !== null);
    for (const person of this.#people) {
      this.#tiles.get(person.id)?.update(person, { isAlone, isBig: person.id === this.#big });
    }
    this.#arrange();
  }

  #arrange() {
    const { clientWidth: width, clientHeight: height } = this.#room;
    const count = this.#people.length;
    if (count === 0 || height === 0) return;
    const room = { width, height, gap: GAP };
    const big = this.#people.findIndex(({ id }) => id === this.#big);
    const boxes = big < 0 ? grid(count, room) : around(count, big, room);
    this.#people.forEach(({ id }, index) => {
      const box = boxes[index];
      // A picture that was asked for big is seen whole.
      if (box) this.#tiles.get(id)?.place(box, count === 1 ? this.#cutsAlone : index !== big);
    });
  }

  /** @param {string|null} id */
  #enlarge(id) {
    this.#big = id;
    this.#draw();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== 'Escape' || this.#big === null || event.defaultPrevented) return;
    if (event.target instanceof Element && event.target.closest('[role="dialog"]')) return;
    this.#enlarge(null);
  }

  /** @param {readonly Person[]} former @param {readonly Person[]} people */
  #tell(former, people) {
    const has = (/** @type {readonly Person[]} */ those, /** @type {Person} */ person) => those.some(({ id }) => id === person.id);
    const said = [
      ...people.filter((person) => !has(former, person)).map(({ name }) => this.#words.joined(name)),
      ...former.filter((person) => !has(people, person)).map(({ name }) => this.#words.left(name)),
    ];
    if (said.length > 0) setText(this.#said, said.join('. '));
  }
}
