import { h, setAttribute, setText, show } from '../softphone/dom.js';
import { initials } from '../softphone/initials.js';
import { Gallery } from '../video/gallery.js';
import { drawToggle } from './device-check.js';
import { DevicePickers } from './device-pickers.js';
import { icon } from './icons.js';
import { SelfView } from './self-view.js';
import { countdown } from './times.js';

/**
 * @import {Person} from '../video/gallery.js'
 * @import {Devices} from './devices.js'
 * @import {SoundCheck} from './sound-check.js'
 * @import {Words} from './strings/en.js'
 *
 * @typedef {object} StageModel
 * @property {'returning'|'calling'|'ringing'|'connecting'|'call'|'reconnecting'} state
 * @property {string} host
 * @property {string} company
 * @property {string} callId
 * @property {readonly Person[]} people everybody else in the call
 * @property {string} who they are, in words
 * @property {number} elapsedMs in the call
 * @property {MediaStream|null} own
 * @property {boolean} isMuted
 * @property {boolean} isCameraOn
 * @property {boolean} hasMicrophone
 * @property {boolean} isPlaybackBlocked
 * @property {number} minutesLeft warning that is due, 0 for none
 * @property {boolean} isVideoOffered the other side would like to have video
 * @property {string} problem what did not work just now, in words
 *
 * @typedef {object} StageActions
 * @property {() => void} toggleMicrophone
 * @property {() => void} toggleCamera
 * @property {() => void} acceptVideo
 * @property {() => void} connectMicrophone
 * @property {() => void} hear
 * @property {() => void} leave
 */

const FADE_AFTER_MS = 4_000;

/** The call: the others fill the screen; one's own picture; five controls. */
export class StageView {
  #words;
  #devices;
  #self;
  #pickers;
  #gallery;
  #face = h('div', { class: 'g-face', 'aria-hidden': 'true' });
  #person = h('div', { class: 'g-person' });
  #name = h('p', { class: 'g-person-name' });
  #about = h('p', { class: 'g-person-about' });
  #title = h('h1', { class: 'g-live', tabindex: '-1' });
  #top = h('div', { class: 'g-top' });
  #topName = h('bdi', { class: 'g-top-name' });
  #time = h('span', { class: 'g-top-time', role: 'timer' });
  #status = h('p', { class: 'g-status', role: 'status' });
  #warning = h('div', { class: 'g-warning', role: 'alert' });
  #hear;
  #mute = h('div', { class: 'g-warning' });
  #offer = h('div', { class: 'g-warning', role: 'status' });
  #problem = h('p', { class: 'g-status', role: 'alert' });
  #bar;
  #microphone;
  #camera;
  #settings;
  #full;
  #leave;
  #panel;
  #spoken = h('p', { class: 'g-live', role: 'status' });
  #dismissed = 0;
  #life = new AbortController();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #fadeTimer;
  /** @type {StageModel|null} */
  #model = null;

  /**
   * @param {object} options
   * @param {Words} options.words
   * @param {Devices} options.devices
   * @param {SoundCheck} options.sound
   * @param {StageActions} options.actions
   */
  constructor({ words, devices, sound, actions }) {
    this.#words = words;
    this.#devices = devices;
    const { call } = words;
    this.#gallery = new Gallery({ words: words.gallery, cutsAlone: true });
    this.#self = new SelfView(words);
    this.#pickers = new DevicePickers({ devices, sound, words });
    this.#person.append(this.#face, this.#name, this.#about);
    this.#top.append(this.#topName, this.#time);
    this.#hear = h('button', { type: 'button', class: 'g-button g-brand g-hear', on: { click: actions.hear } }, icon('volume'), call.hear);
    this.#mute.append(
      icon('mic-off'),
      h('p', {}, call.noMicrophone),
      h('button', { type: 'button', class: 'g-button g-neutral', on: { click: actions.connectMicrophone } }, call.connectMicrophone),
    );
    this.#offer.append(
      icon('video'),
      h('p'),
      h('button', { type: 'button', class: 'g-button g-neutral', on: { click: actions.acceptVideo } }, call.startCamera),
    );
    this.#microphone = this.#control(() =>
      this.#model?.hasMicrophone ? actions.toggleMicrophone() : actions.connectMicrophone(),
    );
    this.#camera = this.#control(() => actions.toggleCamera());
    this.#settings = this.#control(() => this.#togglePanel());
    setAttribute(this.#settings, 'aria-expanded', 'false');
    drawToggle(this.#settings, 'settings', call.settings, false);
    this.#full = this.#control(() => void this.#toggleFullScreen());
    this.#leave = h(
      'button',
      { type: 'button', class: 'g-round g-leave', on: { click: actions.leave } },
      icon('phone-off'),
      h('span', { class: 'g-leave-word' }, call.leave),
    );
    this.#bar = h(
      'div',
      { class: 'g-bar', role: 'toolbar', 'aria-label': call.controls },
      this.#microphone,
      this.#camera,
      this.#settings,
      this.#full,
      this.#leave,
    );
    this.#panel = h(
      'div',
      {
        class: 'g-panel',
        role: 'dialog',
        'aria-label': call.settings,
        hidden: true,
        on: { keydown: (/** @type {KeyboardEvent} */ event) => event.key === 'Escape' && this.#togglePanel() },
      },
      this.#pickers.element,
      h('button', { type: 'button', class: 'g-button g-neutral', on: { click: () => this.#togglePanel() } }, words.check.close),
    );
    const wake = () => this.#wake();
    this.element = h(
      'div',
      { class: 'g-stage', on: { pointermove: wake, pointerdown: wake, keydown: wake, focusin: wake } },
      this.#title,
      this.#gallery.element,
      this.#person,
      this.#self.element,
      h('div', { class: 'g-upper' }, this.#top, this.#status, this.#problem, this.#warning, this.#offer, this.#mute, this.#hear),
      h('div', { class: 'g-lower' }, this.#panel, this.#bar),
      this.#spoken,
    );
    const { signal } = this.#life;
    document.addEventListener('fullscreenchange', () => this.#drawFull(), { signal });
    this.#drawFull();
    show(this.#full, document.fullscreenEnabled ?? false);
  }

  get heading() {
    return this.#title;
  }

  /** @param {() => void} press */
  #control(press) {
    return h('button', { type: 'button', class: 'g-round', on: { click: press } });
  }

  /** @param {StageModel} model */
  update(model) {
    const former = this.#model;
    this.#model = model;
    const { call, ringing } = this.#words;
    const isCall = model.state === 'call' || model.state === 'connecting' || model.state === 'reconnecting';
    setAttribute(this.element, 'data-state', model.state);
    const headings = {
      returning: call.restoring,
      calling: ringing.calling(model.host),
      ringing: ringing.ringing(model.host),
      connecting: call.with(model.who),
      call: call.with(model.who),
      reconnecting: call.with(model.who),
    };
    setText(this.#title, headings[model.state]);
    this.#drawPeople(model, isCall, isCall ? model.who : headings[model.state]);
    setText(
      this.#status,
      model.state === 'connecting' ? call.connecting : model.state === 'reconnecting' ? call.reconnecting : '',
    );
    show(this.#status, this.#status.textContent !== '');
    setText(this.#problem, model.problem);
    show(this.#problem, model.problem !== '');
    setText(/** @type {Element} */ (this.#offer.children[1]), call.offered(model.host));
    show(this.#offer, model.isVideoOffered);
    show(this.#hear, model.isPlaybackBlocked);
    show(this.#mute, isCall && !model.hasMicrophone);
    this.#warn(model.minutesLeft);

    const isSilent = model.isMuted || (isCall && !model.hasMicrophone);
    const speak = model.hasMicrophone || !isCall ? call.unmute : call.connectMicrophone;
    drawToggle(this.#microphone, isSilent ? 'mic-off' : 'mic', isSilent ? speak : call.mute, isSilent);
    drawToggle(
      this.#camera,
      model.isCameraOn ? 'video' : 'video-off',
      model.isCameraOn ? call.stopCamera : call.startCamera,
      !model.isCameraOn,
    );
    show(this.#camera, isCall || model.isCameraOn);
    show(this.#bar, model.state !== 'returning');
    const isRinging = model.state === 'calling' || model.state === 'ringing';
    const leave = isRinging ? ringing.cancel : call.leave;
    setText(/** @type {Element} */ (this.#leave.lastElementChild), leave);
    if (former) this.#announce(former, model);
    this.#pickers.update();
    this.#fade();
  }

  /** @param {StageModel} model @param {boolean} isCall @param {string} text who is there, or what happens */
  #drawPeople(model, isCall, text) {
    this.#gallery.update(model.callId, isCall ? model.people : []);
    show(this.#person, !isCall);
    setText(this.#face, initials(model.host));
    setText(this.#name, isCall ? '' : text);
    setText(this.#about, isCall || model.state === 'returning' ? '' : this.#words.ringing.stay);
    show(this.#top, isCall);
    setText(this.#topName, isCall ? text : '');
    setText(this.#time, isCall ? countdown(Math.floor(model.elapsedMs / 1000) * 1000) : '');
    this.#self.update(model.own);
  }

  /** For those who listen: what has changed. @param {StageModel} former @param {StageModel} model */
  #announce(former, model) {
    const { call } = this.#words;
    if (former.isMuted !== model.isMuted) {
      setText(this.#spoken, model.isMuted ? call.microphoneOff : call.microphoneOn);
    } else if (former.isCameraOn !== model.isCameraOn) {
      setText(this.#spoken, model.isCameraOn ? call.cameraOn : call.cameraOff);
    } else if (former.state !== model.state) {
      setText(this.#spoken, this.#title.textContent ?? '');
    }
  }

  /** @param {number} minutes */
  #warn(minutes) {
    if (minutes === 0 || this.#dismissed === minutes) {
      show(this.#warning, false);
      if (minutes === 0) this.#dismissed = 0;
      return;
    }
    const { call } = this.#words;
    const text = call.minutesLeft(minutes);
    show(this.#warning, true);
    if (this.#warning.querySelector('p')?.textContent === text) return;
    const dismiss = () => {
      this.#dismissed = minutes;
      show(this.#warning, false);
    };
    this.#warning.replaceChildren(
      icon('clock'),
      h('p', {}, text),
      h(
        'button',
        { type: 'button', class: 'g-close', 'aria-label': call.dismiss, title: call.dismiss, on: { click: dismiss } },
        icon('x'),
      ),
    );
  }

  // Full screen, settings

  async #toggleFullScreen() {
    try {
      if (document.fullscreenElement) await document.exitFullscreen();
      else await document.documentElement.requestFullscreen({ navigationUI: 'hide' });
    } catch {
      // The browser's to allow; the call is none the worse for it.
    }
  }

  #drawFull() {
    const { call } = this.#words;
    const isFull = document.fullscreenElement !== null;
    drawToggle(this.#full, isFull ? 'minimize' : 'maximize', isFull ? call.exitFullScreen : call.fullScreen, false);
  }

  #togglePanel() {
    const isOpen = this.#panel.hidden === true;
    show(this.#panel, isOpen);
    setAttribute(this.#settings, 'aria-expanded', String(isOpen));
    if (isOpen) void this.#chooseDevices();
    else this.#settings.focus();
    this.#wake();
  }

  /** After a reload nobody has looked yet what there is to choose from. */
  async #chooseDevices() {
    await this.#devices.refresh();
    this.#pickers.update();
    /** @type {HTMLElement|null} */ (this.#panel.querySelector('label:not([hidden]) select, button'))?.focus();
  }

  // The bar fades while nobody does anything, and there is something to see

  #wake() {
    clearTimeout(this.#fadeTimer);
    this.#fadeTimer = undefined;
    this.element.classList.remove('is-quiet');
    this.#fade();
  }

  #fade() {
    const model = this.#model;
    const canFade = model?.state === 'call' && this.#gallery.hasPicture && this.#panel.hidden;
    if (!canFade) {
      clearTimeout(this.#fadeTimer);
      this.#fadeTimer = undefined;
      this.element.classList.remove('is-quiet');
      return;
    }
    this.#fadeTimer ??= setTimeout(() => {
      // Not under the finger of somebody who goes by Tab.
      if (this.#bar.querySelector(':focus-visible')) return;
      this.element.classList.add('is-quiet');
    }, FADE_AFTER_MS);
  }

  /** Not on the screen any more; the next call begins anew. */
  rest() {
    if (this.#model === null) return;
    this.#model = null;
    this.#fade();
    this.#dismissed = 0;
    this.#gallery.update('', []);
    this.#self.update(null);
    show(this.#panel, false);
    setAttribute(this.#settings, 'aria-expanded', 'false');
    setText(this.#spoken, '');
    if (document.fullscreenElement) void document.exitFullscreen().catch(() => undefined);
  }

  close() {
    this.rest();
    this.#gallery.close();
    this.#life.abort();
  }
}
