import { h, setAttribute, show } from '../softphone/dom.js';

/** @import {Words} from './strings/en.js' */

const CORNERS = /** @type {const} */ (['end-bottom', 'end-top', 'start-top', 'start-bottom']);
/** A press moves no further than this; more is a drag. */
const PRESS_PX = 6;

/**
 * One's own picture, small, in a corner of one's choice: dragged there, or by a press
 * or the arrow keys, for those who cannot drag.
 */
export class SelfView {
  #video = /** @type {HTMLVideoElement} */ (
    h('video', { autoplay: true, playsinline: true, class: 'g-mirrored', tabindex: '-1' })
  );
  /** @type {{id: number, x: number, y: number, isDrag: boolean}|null} */
  #pointer = null;

  /** @param {Words} words */
  constructor(words) {
    this.#video.muted = true;
    this.element = h(
      'button',
      {
        type: 'button',
        class: 'g-self',
        'aria-label': words.call.own,
        'data-corner': CORNERS[0],
        hidden: true,
        on: {
          pointerdown: (/** @type {PointerEvent} */ event) => this.#down(event),
          pointermove: (/** @type {PointerEvent} */ event) => this.#move(event),
          pointerup: (/** @type {PointerEvent} */ event) => this.#up(event),
          pointercancel: () => this.#settle(),
          keydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
        },
      },
      this.#video,
    );
    // From the keyboard, or a screen reader's "press"; pointers are seen above.
    this.element.addEventListener('click', (event) => event.detail === 0 && this.#next());
  }

  /** @param {MediaStream|null} stream */
  update(stream) {
    if (this.#video.srcObject !== stream) this.#video.srcObject = stream;
    show(this.element, stream !== null);
  }

  get #corner() {
    return /** @type {typeof CORNERS[number]} */ (this.element.dataset['corner']);
  }

  set #corner(corner) {
    setAttribute(this.element, 'data-corner', corner);
  }

  #next() {
    this.#corner = CORNERS[(CORNERS.indexOf(this.#corner) + 1) % CORNERS.length] ?? CORNERS[0];
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const isRtl = getComputedStyle(this.element).direction === 'rtl';
    let [across = 'end', down = 'bottom'] = this.#corner.split('-');
    switch (event.key) {
      case 'ArrowUp':
        down = 'top';
        break;
      case 'ArrowDown':
        down = 'bottom';
        break;
      case 'ArrowLeft':
        across = isRtl ? 'end' : 'start';
        break;
      case 'ArrowRight':
        across = isRtl ? 'start' : 'end';
        break;
      default:
        return;
    }
    event.preventDefault();
    this.#corner = /** @type {typeof CORNERS[number]} */ (`${across}-${down}`);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    this.#pointer = { id: event.pointerId, x: event.clientX, y: event.clientY, isDrag: false };
    this.element.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const from = this.#pointer;
    if (from?.id !== event.pointerId) return;
    const [x, y] = [event.clientX - from.x, event.clientY - from.y];
    from.isDrag ||= Math.hypot(x, y) > PRESS_PX;
    if (from.isDrag) this.element.style.translate = `${x}px ${y}px`;
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (this.#pointer?.id !== event.pointerId) return;
    const { isDrag } = this.#pointer;
    const around = this.element.offsetParent?.getBoundingClientRect();
    if (!isDrag) {
      this.#next();
    } else if (around) {
      const box = this.element.getBoundingClientRect();
      const isLeft = box.left + box.width / 2 < around.left + around.width / 2;
      const isTop = box.top + box.height / 2 < around.top + around.height / 2;
      const isRtl = getComputedStyle(this.element).direction === 'rtl';
      this.#corner = `${isLeft === isRtl ? 'end' : 'start'}-${isTop ? 'top' : 'bottom'}`;
    }
    this.#settle();
  }

  #settle() {
    this.#pointer = null;
    this.element.style.translate = '';
  }
}
