import { h, setAttribute, setText, show } from '../softphone/dom.js';
import { DevicePickers } from './device-pickers.js';
import { icon } from './icons.js';
import { fixFor } from './platform.js';

/**
 * @import {Devices, DeviceState} from './devices.js'
 * @import {SoundCheck} from './sound-check.js'
 * @import {Words, Advice} from './strings/en.js'
 */

/** Do I look all right, am I heard, do I hear? And what to do where not. */
export class DeviceCheck {
  #devices;
  #sound;
  #words;
  #pickers;
  #isHeard = false;
  #video = /** @type {HTMLVideoElement} */ (
    h('video', { autoplay: true, playsinline: true, class: 'g-mirrored' })
  );
  #veil = h('div', { class: 'g-veil' });
  #microphone;
  #camera;
  #bar = h('div', { class: 'g-level-bar' });
  #meter;
  #heard = h('p', { class: 'g-soft', role: 'status' });
  #problems = h('div', { class: 'g-problems' });
  #drawn = '';

  /**
   * @param {object} options
   * @param {Devices} options.devices
   * @param {SoundCheck} options.sound
   * @param {Words} options.words
   */
  constructor({ devices, sound, words }) {
    this.#devices = devices;
    this.#sound = sound;
    this.#words = words;
    this.#pickers = new DevicePickers({ devices, sound, words });
    this.#video.muted = true;
    setAttribute(this.#video, 'aria-label', words.check.preview);
    this.#microphone = toggle(() => void devices.setMicrophone(!devices.microphone.isWanted));
    this.#camera = toggle(() => void devices.setCamera(!devices.camera.isWanted));
    this.#meter = h(
      'div',
      {
        class: 'g-level',
        role: 'meter',
        'aria-label': words.check.level,
        'aria-valuemin': '0',
        'aria-valuemax': '100',
        'aria-valuenow': '0',
      },
      this.#bar,
    );
    this.element = h(
      'section',
      { class: 'g-check', 'aria-labelledby': 'g-check-title' },
      h('h2', { id: 'g-check-title', class: 'g-live' }, words.check.title),
      h(
        'div',
        { class: 'g-preview' },
        this.#video,
        this.#veil,
        h('div', { class: 'g-preview-bar' }, this.#microphone, this.#camera),
      ),
      this.#problems,
      h('div', { class: 'g-heard' }, this.#meter, this.#heard),
      this.#pickers.element,
    );
  }

  /** @param {number} level 0 to 1 @param {boolean} isHeard */
  setLevel(level, isHeard) {
    this.#bar.style.setProperty('--level', String(Math.round(level * 100) / 100));
    setAttribute(this.#meter, 'aria-valuenow', String(Math.round(level * 10) * 10));
    if (isHeard && !this.#isHeard) {
      this.#isHeard = true;
      this.update();
    }
  }

  update() {
    const { camera, microphone, isOpening, mustAsk } = this.#devices;
    const { check } = this.#words;
    const shown = /** @type {MediaStream|null} */ (this.#video.srcObject)?.getTracks()[0] ?? null;
    if (shown !== camera.track) {
      this.#video.srcObject = camera.track && new MediaStream([camera.track]);
    }
    show(this.#video, camera.track !== null);
    this.#drawVeil(mustAsk, isOpening);
    const isMuted = !microphone.isWanted;
    drawToggle(this.#microphone, isMuted ? 'mic-off' : 'mic', isMuted ? check.unmuteMicrophone : check.muteMicrophone, isMuted);
    const isDark = !camera.isWanted || camera.problem !== null;
    drawToggle(this.#camera, isDark ? 'video-off' : 'video', camera.isWanted ? check.stopCamera : check.startCamera, isDark);
    show(this.#microphone, !mustAsk && microphone.problem === null);
    show(this.#camera, !mustAsk && camera.problem === null);

    this.#sound.measure(microphone.track);
    show(this.#meter, microphone.track !== null);
    show(this.#heard, microphone.track !== null);
    if (!microphone.track || isMuted) this.#bar.style.setProperty('--level', '0');
    setText(this.#heard, isMuted ? check.muted : this.#isHeard ? check.heard : check.speak);
    setAttribute(this.#heard, 'data-heard', this.#isHeard && !isMuted);
    this.#drawProblems();
    this.#pickers.update();
  }

  /** What is in the picture's place. @param {boolean} mustAsk @param {boolean} isOpening */
  #drawVeil(mustAsk, isOpening) {
    const { check } = this.#words;
    const { camera } = this.#devices;
    const state = mustAsk
      ? 'ask'
      : isOpening && !camera.track && camera.isWanted
        ? 'opening'
        : camera.track
          ? ''
          : 'off';
    if (this.#veil.dataset['state'] === state) return;
    this.#veil.dataset['state'] = state;
    show(this.#veil, state !== '');
    switch (state) {
      case 'ask':
        this.#veil.replaceChildren(
          h(
            'button',
            { type: 'button', class: 'g-button g-neutral', on: { click: () => void this.#devices.open() } },
            icon('video'),
            check.turnOn,
          ),
          h('p', {}, check.turnOnText),
        );
        break;
      case 'opening':
        this.#veil.replaceChildren(h('p', { role: 'status' }, check.asking));
        break;
      default:
        this.#veil.replaceChildren(icon('video-off'), h('p', {}, check.cameraOff));
    }
  }

  #drawProblems() {
    const cards = this.#cards();
    const drawn = JSON.stringify(cards);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const hadFocus = this.#problems.contains(document.activeElement);
    this.#problems.replaceChildren(
      ...cards.map(({ title, text, fix }) =>
        h(
          'div',
          { class: 'g-problem', role: 'alert' },
          icon('triangle-alert'),
          h('div', {}, h('p', { class: 'g-strong' }, title), h('p', {}, text), fix ? h('p', {}, fix) : null),
          h(
            'button',
            { type: 'button', class: 'g-button g-neutral', on: { click: () => void this.#devices.open() } },
            this.#words.problem.retry,
          ),
        ),
      ),
    );
    if (hadFocus) this.#problems.querySelector('button')?.focus();
  }

  /** @returns {(Advice & {fix: string})[]} */
  #cards() {
    const { camera, microphone } = this.#devices;
    const { problem } = this.#words;
    const fix = (/** @type {DeviceState} */ { message }) =>
      problem.fix[fixFor(message, navigator.userAgent, navigator.maxTouchPoints)] ?? problem.fix['other'] ?? '';
    if (isBlocked(camera) && isBlocked(microphone)) return [{ ...problem.both, fix: fix(camera) }];
    const cards = [];
    if (microphone.problem) {
      const advice = problem.microphone[keyOf(microphone)] ?? problem.both;
      cards.push({ ...advice, fix: isBlocked(microphone) ? fix(microphone) : '' });
    }
    if (camera.problem) {
      const advice = problem.camera[keyOf(camera)] ?? problem.both;
      cards.push({ ...advice, fix: isBlocked(camera) ? fix(camera) : '' });
    }
    return cards;
  }
}

/** @param {DeviceState} state */
function isBlocked({ problem }) {
  return problem === 'denied';
}

/** @param {DeviceState} state */
function keyOf({ problem }) {
  return problem === 'denied' || problem === 'no_device' || problem === 'device_busy' ? problem : 'other';
}

/** @param {() => void} press */
function toggle(press) {
  return h('button', { type: 'button', class: 'g-round', on: { click: press } });
}

/**
 * @param {HTMLButtonElement} button
 * @param {import('./icons.js').IconName} name
 * @param {string} label what a press does
 * @param {boolean} isOff
 */
export function drawToggle(button, name, label, isOff) {
  setAttribute(button, 'aria-label', label);
  setAttribute(button, 'title', label);
  setAttribute(button, 'data-off', isOff);
  if (button.dataset['icon'] === name) return;
  button.dataset['icon'] = name;
  button.replaceChildren(icon(name));
}
