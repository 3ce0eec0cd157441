import { h, setText, show } from '../softphone/dom.js';
import { icon } from './icons.js';

/**
 * @import {Devices} from './devices.js'
 * @import {SoundCheck} from './sound-check.js'
 * @import {Words} from './strings/en.js'
 */

const KINDS = /** @type {const} */ (['camera', 'microphone', 'speaker']);

/** Which camera, microphone and speaker; and whether the speaker is heard. */
export class DevicePickers {
  #devices;
  #words;
  #selects = KINDS.map((kind) => this.#select(kind));
  #tested = h('p', { class: 'g-soft g-tested', role: 'status' });

  /**
   * @param {object} options
   * @param {Devices} options.devices
   * @param {SoundCheck} options.sound
   * @param {Words} options.words
   */
  constructor({ devices, sound, words }) {
    this.#devices = devices;
    this.#words = words;
    const test = () => {
      void sound.chime(devices.chosen.speaker);
      setText(this.#tested, words.check.tested);
    };
    this.element = h(
      'div',
      { class: 'g-pickers' },
      ...this.#selects.map(({ label }) => label),
      h('button', { type: 'button', class: 'g-button g-neutral', on: { click: test } }, icon('volume'), words.check.test),
      this.#tested,
    );
    KINDS.forEach((kind, index) => setText(/** @type {Element} */ (this.#selects[index]?.text), words.check[kind]));
    this.update();
  }

  /** @param {'camera'|'microphone'|'speaker'} kind */
  #select(kind) {
    const text = h('span');
    const select = h('select', {
      'data-kind': kind,
      on: { change: () => void this.#choose(kind, select.value) },
    });
    return { kind, select, text, label: h('label', { class: 'g-field' }, text, select), drawn: '' };
  }

  /** @param {'camera'|'microphone'|'speaker'} kind @param {string} deviceId */
  async #choose(kind, deviceId) {
    if (kind === 'camera') await this.#devices.chooseCamera(deviceId);
    else if (kind === 'microphone') await this.#devices.chooseMicrophone(deviceId);
    else this.#devices.chooseSpeaker(deviceId);
  }

  update() {
    const { lists, chosen } = this.#devices;
    for (const each of this.#selects) {
      const devices = lists[/** @type {const} */ (`${each.kind}s`)];
      show(each.label, devices.length > (each.kind === 'speaker' ? 1 : 0));
      // Rebuilt only when it differs: a list that is open would close.
      const drawn = devices.map(({ deviceId, label }) => `${deviceId} ${label}`).join('\n');
      if (each.drawn !== drawn) {
        each.drawn = drawn;
        const standard = devices.some(({ deviceId }) => deviceId === 'default')
          ? []
          : [h('option', { value: '' }, this.#words.check.standard)];
        each.select.replaceChildren(
          ...standard,
          ...devices.map(({ deviceId, label }) => h('option', { value: deviceId }, label)),
        );
      }
      const value = chosen[each.kind];
      const isListed = devices.some(({ deviceId }) => deviceId === value);
      const wanted = isListed ? value : each.select.options[0]?.value ?? '';
      if (each.select.value !== wanted) each.select.value = wanted;
    }
  }
}
