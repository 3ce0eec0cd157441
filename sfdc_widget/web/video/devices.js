import { Microphone } from '../client/microphone.js';
import { h, show } from '../softphone/dom.js';
import { words } from '../softphone/strings.js';
import { videoWords } from './words.js';

/** @import {RingbridgeClient} from '../client/ringbridge-client.js' */

/** Which camera, microphone and speaker; also in mid-call. A `close` event on Escape. */
export class DevicePanel extends HTMLElement {
  /** @type {RingbridgeClient} */
  client = /** @type {any} */ (null);

  #camera = this.#select((id) => this.client.chooseCamera(id));
  #microphone = this.#select((id) => this.client.chooseMicrophone(id));
  #speaker = this.#select((id) => this.client.chooseSpeaker(id));
  #labels = {
    camera: h('label', {}, videoWords.camera, this.#camera),
    microphone: h('label', {}, words.menu.microphone, this.#microphone),
    speaker: h('label', {}, words.menu.speaker, this.#speaker),
  };

  connectedCallback() {
    if (this.firstChild) return;
    this.hidden = true;
    this.id = 'rb-devices';
    this.classList.add('rb-menu', 'rb-devices');
    this.setAttribute('role', 'dialog');
    this.setAttribute('aria-label', videoWords.devices);
    this.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      this.dispatchEvent(new CustomEvent('close'));
    });
    navigator.mediaDevices?.addEventListener?.('devicechange', () => {
      if (!this.hidden) void this.#list();
    });
    this.append(...Object.values(this.#labels));
  }

  async open() {
    await this.#list();
    show(this, true);
    /** @type {HTMLElement|null} */ (this.querySelector('label:not([hidden]) select'))?.focus();
  }

  async #list() {
    const { client } = this;
    const [cameras, { microphones, speakers }] = await Promise.all([client.camera.devices(), Microphone.devices()]);
    fill(this.#camera, cameras, client.camera.deviceId);
    fill(this.#microphone, microphones, client.microphone.deviceId);
    fill(this.#speaker, speakers, client.speakerId);
    show(this.#labels.camera, cameras.length > 0);
    show(this.#labels.microphone, microphones.length > 0);
    show(this.#labels.speaker, speakers.length > 0 && 'setSinkId' in HTMLMediaElement.prototype);
  }

  /** @param {(id: string) => unknown} choose */
  #select(choose) {
    /** @type {HTMLSelectElement} */
    const select = h('select', {
      // What fails is in the client's state, and shown from there.
      on: { change: () => void Promise.resolve(choose(select.value)).catch(() => undefined) },
    });
    return select;
  }
}
customElements.define('ringbridge-devices', DevicePanel);

/** @param {HTMLSelectElement} select @param {MediaDeviceInfo[]} devices @param {string} chosen */
function fill(select, devices, chosen) {
  select.replaceChildren(
    h('option', { value: '' }, words.menu.systemDefault),
    ...devices
      .filter(({ deviceId }) => deviceId !== 'default' && deviceId !== 'communications')
      .map(({ deviceId, label }) => h('option', { value: deviceId, selected: deviceId === chosen }, label)),
  );
}
