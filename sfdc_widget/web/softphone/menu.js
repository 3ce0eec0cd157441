import { Microphone } from '../client/microphone.js';
import { h, setText, show } from './dom.js';
import { icon } from './icons.js';
import { languageInUse } from '../words/index.js';
import { directionOf, LANGUAGES } from '../words/languages.js';
import { words } from './strings.js';

/** @import {RingbridgeClient} from '../client/ringbridge-client.js' */
/** @import {Preferences} from './preferences.js' */

/**
 * Who is signed in, devices, sounds, signing out. Choices are `setting` events, and
 * `language` with the one that is wanted.
 */
export class Menu extends HTMLElement {
  client;
  #preferences;
  isRingtoneOn = true;

  #name = h('p', { class: 'rb-menu-name', dir: 'auto' });
  #detail = h('p', { class: 'rb-menu-detail' });
  #microphone = h('select', { on: { change: () => void this.client.chooseMicrophone(this.#microphone.value).catch(() => undefined) } });
  #speaker = h('select', { on: { change: () => this.client.chooseSpeaker(this.#speaker.value) } });
  #speakerLabel = h('label', {}, words.menu.speaker, this.#speaker);
  #microphoneLabel = h('label', {}, words.menu.microphone, this.#microphone);
  #ringtone = h('input', {
    type: 'checkbox',
    on: { change: () => this.#tell('ringtone', this.#ringtone.checked) },
  });
  #shortcuts = h('input', {
    type: 'checkbox',
    'aria-describedby': 'rb-shortcut-keys',
    on: { change: () => this.#setShortcuts(this.#shortcuts.checked) },
  });
  #keys = h(
    'dl',
    { class: 'rb-keys', id: 'rb-shortcut-keys', hidden: true },
    ...words.menu.shortcutKeys.map(([what, keys]) => h('div', {}, h('dt', {}, what), h('dd', {}, h('kbd', { dir: 'ltr' }, keys)))),
  );
  #notifications = h('input', { type: 'checkbox', on: { change: () => void this.#askNotifications() } });
  #notificationsLabel = h('label', { class: 'rb-check' }, this.#notifications, words.menu.notifications);
  #language = h(
    'select',
    { on: { change: () => this.dispatchEvent(new CustomEvent('language', { detail: this.#language.value })) } },
    // Each in its own words, so that whoever cannot read the others finds it.
    ...Object.entries(LANGUAGES).map(([value, name]) =>
      h('option', { value, lang: value, dir: directionOf(value), selected: value === languageInUse() }, name),
    ),
  );
  #signOut = h(
    'button',
    { type: 'button', class: 'rb-button rb-neutral rb-wide', on: { click: () => this.#pressSignOut() } },
    icon('log-out'),
    h('span', {}, words.menu.signOut),
  );
  #isSure = false;

  /** @param {RingbridgeClient} client @param {Preferences} preferences */
  constructor(client, preferences) {
    super();
    this.client = client;
    this.#preferences = preferences;
  }

  connectedCallback() {
    if (this.firstChild) return;
    this.hidden = true;
    this.id = 'rb-menu';
    this.classList.add('rb-menu');
    this.setAttribute('role', 'dialog');
    this.setAttribute('aria-label', words.menu.open);
    this.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        this.#tell('close', true);
      }
    });
    this.append(
      h('p', { class: 'rb-menu-you' }, words.menu.you),
      this.#name,
      this.#detail,
      this.#microphoneLabel,
      this.#speakerLabel,
      h('label', { class: 'rb-check' }, this.#ringtone, words.menu.ringtone),
      this.#notificationsLabel,
      h('label', { class: 'rb-check' }, this.#shortcuts, words.menu.shortcuts),
      this.#keys,
      h('label', {}, words.menu.language, this.#language),
      this.#signOut,
    );
  }

  open() {
    const { user } = this.client.state;
    setText(this.#name, user?.name ?? '');
    setText(this.#detail, [user?.number, user?.company].filter(Boolean).join(' · '));
    this.#isSure = false;
    setText(/** @type {Element} */ (this.#signOut.lastElementChild), words.menu.signOut);
    this.#signOut.classList.remove('rb-end');
    this.#ringtone.checked = this.isRingtoneOn;
    this.#shortcuts.checked = this.#preferences.get('shortcuts') === 'on';
    show(this.#keys, this.#shortcuts.checked);
    const permission = 'Notification' in globalThis ? Notification.permission : 'denied';
    this.#notifications.checked = permission === 'granted';
    this.#notifications.disabled = permission !== 'default';
    // A frame of another origin may not ask.
    show(this.#notificationsLabel, permission === 'granted' || (permission === 'default' && self === top));
    show(this, true);
    void this.#listDevices();
    this.#ringtone.focus();
  }

  /** Opens where the language was chosen. */
  openAtLanguage() {
    this.open();
    this.#language.focus();
  }

  async #listDevices() {
    const { microphones, speakers } = await Microphone.devices();
    this.#fill(this.#microphone, microphones, this.client.microphone.deviceId);
    this.#fill(this.#speaker, speakers, this.client.speakerId);
    show(this.#microphoneLabel, microphones.length > 0);
    show(this.#speakerLabel, speakers.length > 0 && 'setSinkId' in HTMLMediaElement.prototype);
  }

  /** @param {HTMLSelectElement} select @param {MediaDeviceInfo[]} devices @param {string} chosen */
  #fill(select, devices, chosen) {
    select.replaceChildren(
      h('option', { value: '' }, words.menu.systemDefault),
      ...devices
        .filter(({ deviceId }) => deviceId !== 'default' && deviceId !== 'communications')
        .map(({ deviceId, label }) => h('option', { value: deviceId, selected: deviceId === chosen }, label)),
    );
  }

  /** @param {boolean} isOn */
  #setShortcuts(isOn) {
    this.#preferences.set('shortcuts', isOn ? 'on' : 'off');
    show(this.#keys, isOn);
  }

  async #askNotifications() {
    this.#notifications.checked = (await Notification.requestPermission()) === 'granted';
  }

  #pressSignOut() {
    if (this.client.state.calls.length > 0 && !this.#isSure) {
      this.#isSure = true;
      setText(/** @type {Element} */ (this.#signOut.lastElementChild), words.menu.signOutInCall);
      this.#signOut.classList.add('rb-end');
      return;
    }
    this.#tell('sign-out', true);
  }

  /** @param {string} name @param {boolean} value */
  #tell(name, value) {
    this.dispatchEvent(new CustomEvent('setting', { detail: { name, value } }));
  }
}
customElements.define('ringbridge-menu', Menu);
