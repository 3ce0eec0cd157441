/** One other person of a call: their picture, or who they are and why there is none. */
import { h, setAttribute, setText, show } from '../softphone/dom.js';
import { icon } from '../softphone/icons.js';

/**
 * @import {Box} from './arrange.js'
 * @import {GalleryWords, Person} from './gallery.js'
 */

/** A picture is cut to fill its tile when no more than this part of it is lost. */
const CUT = 0.25 + 1e-3;
/** Cameras are asked for no more than this; what is larger is a screen, to be read. */
const CAMERA_PX = 1280;

export class Tile {
  #words;
  #video = h('video', { class: 'rb-remote', autoplay: true, playsinline: true, tabindex: -1 });
  #letters = h('span', { class: 'rb-tile-letters', 'aria-hidden': 'true' });
  #note = h('p', { class: 'rb-tile-note' });
  #absent = h('div', { class: 'rb-tile-absent' }, this.#letters, this.#note);
  #name = h('span', { dir: 'auto' });
  #label = h('p', { class: 'rb-tile-name' }, this.#name);
  #press;
  #mayCut = true;
  #placed = '';
  /** @type {string|null} */
  #shownLetters = null;

  /**
   * @param {object} options
   * @param {GalleryWords} options.words
   * @param {() => void} options.press
   */
  constructor({ words, press }) {
    this.#words = words;
    this.#press = h('button', { type: 'button', class: 'rb-tile-press', on: { click: press } });
    // The sound comes by the call's own element; two would be an echo.
    this.#video.muted = true;
    this.#video.addEventListener('resize', () => this.#fit());
    this.element = h('div', { class: 'rb-tile' }, this.#video, this.#absent, this.#label, this.#press);
  }

  get video() {
    return this.#video;
  }

  get button() {
    return this.#press;
  }

  get hasPicture() {
    return !this.#video.hidden;
  }

  /**
   * @param {Person} person
   * @param {object} options
   * @param {boolean} options.isAlone there is no other to choose from
   * @param {boolean} options.isBig
   */
  update({ name, letters, video, note }, { isAlone, isBig }) {
    if (this.#video.srcObject !== video) {
      this.#video.srcObject = video;
      // Muted video may always play; what fails here is a stream that was replaced.
      if (video) this.#video.play().catch(() => undefined);
    }
    show(this.#video, video !== null);
    show(this.#absent, video === null);
    setAttribute(this.#video, 'aria-label', this.#words.picture(name));
    if (this.#shownLetters !== letters) {
      this.#shownLetters = letters;
      this.#letters.replaceChildren(letters === '' ? icon('user-round') : letters);
    }
    setText(this.#note, note);
    setText(this.#name, name);
    show(this.#label, !isAlone && name !== '');
    show(this.#press, !isAlone);
    setAttribute(this.#press, 'aria-label', isBig ? this.#words.shrink(name) : this.#words.enlarge(name));
    setAttribute(this.#press, 'title', name);
    setAttribute(this.element, 'role', isAlone ? null : 'listitem');
    this.element.classList.toggle('rb-is-big', isBig);
  }

  /** @param {Box} box @param {boolean} mayCut */
  place({ start, top, width, height }, mayCut) {
    const placed = [start, top, width, height, mayCut].join(' ');
    if (this.#placed === placed) return;
    this.#placed = placed;
    const { style } = this.element;
    style.insetInlineStart = `${start}px`;
    style.insetBlockStart = `${top}px`;
    style.inlineSize = `${width}px`;
    style.blockSize = `${height}px`;
    this.#mayCut = mayCut;
    this.#fit();
  }

  /** Fills the tile where little is lost by it; a shared screen is seen whole. */
  #fit() {
    const { videoWidth, videoHeight } = this.#video;
    const { clientWidth, clientHeight } = this.element;
    if (!videoWidth || !videoHeight || !clientHeight) return;
    const ratio = videoWidth / videoHeight / (clientWidth / clientHeight);
    const isCamera = Math.max(videoWidth, videoHeight) <= CAMERA_PX;
    this.#video.classList.toggle('rb-is-cut', this.#mayCut && isCamera && 1 - Math.min(ratio, 1 / ratio) <= CUT);
  }
}
