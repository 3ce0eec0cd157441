/**
 * A call to look at: the others fill the room, one's own picture is small and
 * can be moved, and a bar of controls fades while nobody needs it. Draws what it is
 * told (`update`); presses are `actions`.
 */
import { h, setText, show } from '../softphone/dom.js';
import { icon } from '../softphone/icons.js';
import { Gallery } from './gallery.js';
import { videoIcon } from './icons-video.js';
import { videoWords as words } from './words.js';

/** @import {Person} from './gallery.js' */

const FADE_AFTER_MS = 3_500;
const CORNERS = /** @type {const} */ (['block-end inline-end', 'block-end inline-start', 'block-start inline-end', 'block-start inline-start']);

/**
 * @typedef {object} StageModel
 * @property {string} callId
 * @property {string} name who is there, in words
 * @property {string} status the state, in words
 * @property {string} timer
 * @property {readonly Person[]} people everybody else
 * @property {MediaStream|null} preview what the others are shown
 * @property {boolean} isMuted
 * @property {boolean} isCameraOn
 * @property {boolean} isSharing
 * @property {boolean} canShare
 * @property {boolean} isLive there is a call to control
 */

export class Stage extends HTMLElement {
  /** What a press means. */
  actions = {
    mute: () => {},
    camera: () => {},
    share: () => {},
    devices: () => {},
    end: () => {},
  };

  #gallery = new Gallery({ words: words.gallery, cutsAlone: false });
  #preview = h('video', { class: 'rb-preview-video', autoplay: true, playsinline: true });
  #own = h('div', { class: 'rb-preview', tabindex: 0, role: 'img', 'aria-label': words.own, hidden: true }, this.#preview);
  #name = h('h1', { class: 'rb-stage-name', dir: 'auto', tabindex: -1 });
  #status = h('span', { class: 'rb-stage-status' });
  #timer = h('span', { class: 'rb-stage-timer', role: 'timer', 'aria-live': 'off' });
  #top = h('header', { class: 'rb-stage-top' }, this.#name, h('p', { class: 'rb-stage-line' }, this.#status, ' ', this.#timer));
  #mute = this.#control('mute', icon('mic'), words.mute, () => this.actions.mute());
  #camera = this.#control('camera', videoIcon('video'), words.cameraOff, () => this.actions.camera());
  #share = this.#control('share', videoIcon('screen-share'), words.share, () => this.actions.share());
  #devices = this.#control('devices', videoIcon('settings-2'), words.devices, () => this.actions.devices());
  #pip = this.#control('pip', videoIcon('picture-in-picture-2'), words.pictureInPicture, () => void this.#togglePip());
  #full = this.#control('full', videoIcon('maximize'), words.fullScreen, () => void this.#toggleFull());
  #end = this.#control('end', icon('phone'), words.end, () => this.actions.end());
  #bar = h(
    'div',
    { class: 'rb-stage-bar', role: 'toolbar', 'aria-label': words.controls },
    this.#mute,
    this.#camera,
    this.#share,
    this.#devices,
    this.#pip,
    this.#full,
    this.#end,
  );
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #fadeTimer;
  #isLive = false;
  #life = new AbortController();

  connectedCallback() {
    if (this.firstChild) return;
    this.classList.add('rb-stage');
    this.#preview.muted = true;
    this.#end.classList.add('rb-end');
    this.append(this.#gallery.element, this.#top, this.#own, this.#bar);
    const { signal } = this.#life;
    for (const type of ['pointermove', 'pointerdown', 'keydown', 'focusin']) {
      document.addEventListener(type, () => this.#wake(), { signal });
    }
    document.addEventListener('fullscreenchange', () => this.#drawFull(), { signal });
    this.#bar.addEventListener('keydown', (event) => this.#moveInBar(event));
    this.#makeMovable();
    show(this.#pip, document.pictureInPictureEnabled ?? false);
    show(this.#full, document.fullscreenEnabled ?? false);
    this.dataset['corner'] = CORNERS[0];
    this.#wake();
  }

  disconnectedCallback() {
    this.#life.abort();
    this.#gallery.close();
    clearTimeout(this.#fadeTimer);
  }

  /** @param {StageModel} model */
  update(model) {
    this.#isLive = model.isLive;
    setText(this.#name, model.name);
    setText(this.#status, model.status);
    setText(this.#timer, model.timer);
    this.#gallery.update(model.callId, model.people);
    attach(this.#preview, model.preview);
    show(this.#own, model.preview !== null);
    this.#own.classList.toggle('rb-is-screen', model.isSharing);

    press(this.#mute, model.isMuted, icon(model.isMuted ? 'mic-off' : 'mic'), model.isMuted ? words.unmute : words.mute);
    press(this.#camera, !model.isCameraOn, videoIcon(model.isCameraOn ? 'video' : 'video-off'), model.isCameraOn ? words.cameraOff : words.cameraOn);
    press(this.#share, model.isSharing, videoIcon(model.isSharing ? 'screen-share-off' : 'screen-share'), model.isSharing ? words.stopSharing : words.share);
    show(this.#share, model.canShare);
    this.#pip.disabled = !this.#gallery.hasPicture;
    for (const button of [this.#mute, this.#camera, this.#share, this.#end]) button.disabled = !model.isLive;
    this.dataset['live'] = String(model.isLive);
    if (!model.isLive) this.#wake();
  }

  get devicesButton() {
    return this.#devices;
  }

  get heading() {
    return this.#name;
  }

  // Fading

  #wake() {
    this.classList.remove('rb-faded');
    clearTimeout(this.#fadeTimer);
    this.#fadeTimer = setTimeout(() => this.#fade(), FADE_AFTER_MS);
  }

  #fade() {
    // Nothing that somebody is on, or that a keyboard is at, disappears.
    const isInUse = this.#bar.matches(':hover, :has(:focus-visible)') || this.#own.matches(':focus-visible');
    const isOpen = this.#devices.getAttribute('aria-expanded') === 'true';
    if (!this.#isLive || isInUse || isOpen || !this.#gallery.hasPicture) this.#wake();
    else this.classList.add('rb-faded');
  }

  // The bar: one stop for Tab, arrows within

  /** @param {KeyboardEvent} event */
  #moveInBar(event) {
    const isRtl = getComputedStyle(this).direction === 'rtl';
    const step = { ArrowRight: isRtl ? -1 : 1, ArrowLeft: isRtl ? 1 : -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const buttons = [.../** @type {NodeListOf<HTMLButtonElement>} */ (this.#bar.querySelectorAll('button:not([hidden]):not(:disabled)'))];
    const index = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    buttons[(index + step + buttons.length) % buttons.length]?.focus();
  }

  async #togglePip() {
    try {
      if (document.pictureInPictureElement) await document.exitPictureInPicture();
      else await this.#gallery.leading?.requestPictureInPicture();
    } catch {
      // The browser has its reasons: no picture yet, or another window has it.
    }
  }

  async #toggleFull() {
    try {
      if (document.fullscreenElement) await document.exitFullscreen();
      else await document.documentElement.requestFullscreen();
    } catch {
      // As above.
    }
  }

  #drawFull() {
    const isFull = document.fullscreenElement !== null;
    press(this.#full, isFull, videoIcon(isFull ? 'minimize' : 'maximize'), isFull ? words.leaveFullScreen : words.fullScreen);
  }

  // One's own picture: dragged anywhere, let go of in the nearest corner

  #makeMovable() {
    const own = this.#own;
    /** @type {{x: number, y: number}|null} */
    let grip = null;
    own.addEventListener('pointerdown', (event) => {
      own.setPointerCapture(event.pointerId);
      grip = { x: event.clientX, y: event.clientY };
    });
    own.addEventListener('pointermove', (event) => {
      if (grip) own.style.translate = `${event.clientX - grip.x}px ${event.clientY - grip.y}px`;
    });
    const drop = () => {
      if (!grip) return;
      grip = null;
      const box = own.getBoundingClientRect();
      own.style.translate = '';
      this.#toCorner(box.y + box.height / 2 > innerHeight / 2, box.x + box.width / 2 > innerWidth / 2);
    };
    own.addEventListener('pointerup', drop);
    own.addEventListener('pointercancel', drop);
    own.addEventListener('keydown', (event) => {
      const box = own.getBoundingClientRect();
      const isBelow = box.y > innerHeight / 2 - box.height / 2;
      const isRight = box.x > innerWidth / 2 - box.width / 2;
      if (event.key === 'ArrowUp' || event.key === 'ArrowDown') this.#toCorner(event.key === 'ArrowDown', isRight);
      else if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') this.#toCorner(isBelow, event.key === 'ArrowRight');
      else return;
      event.preventDefault();
    });
  }

  /** @param {boolean} isBelow @param {boolean} isRight */
  #toCorner(isBelow, isRight) {
    const isEnd = isRight !== (getComputedStyle(this).direction === 'rtl');
    this.dataset['corner'] = `block-${isBelow ? 'end' : 'start'} inline-${isEnd ? 'end' : 'start'}`;
  }

  /** @param {string} name @param {SVGSVGElement} image @param {string} label @param {() => void} onPress */
  #control(name, image, label, onPress) {
    return h(
      'button',
      { type: 'button', class: 'rb-control', 'data-control': name, 'aria-label': label, title: label, on: { click: onPress } },
      image,
    );
  }
}
customElements.define('ringbridge-stage', Stage);

/** @param {HTMLVideoElement} video @param {MediaStream|null} stream */
function attach(video, stream) {
  if (video.srcObject === stream) return;
  video.srcObject = stream;
  // Muted video may always play; what fails here is a stream that was replaced.
  if (stream) video.play().catch(() => undefined);
}

/** @param {HTMLButtonElement} button @param {boolean} isPressed @param {SVGSVGElement} image @param {string} label */
function press(button, isPressed, image, label) {
  // The label says what a press does, so it is no `aria-pressed` as well.
  button.classList.toggle('rb-is-off', isPressed);
  if (button.title === label) return;
  button.title = label;
  button.setAttribute('aria-label', label);
  button.replaceChildren(image);
}
