/** People under the dial field as one types, favourites, and which phone is to call. */
import { h, setAttribute, show } from '../dom.js';
import { targetOfEntry } from '../presses.js';
import { words } from '../strings.js';
import { Favourites } from './favourites.js';
import { PeopleList } from './people-list.js';
import { PeopleSearch } from './people-search.js';

/**
 * @import {WindowedClient} from '../../video/windowed.js'
 * @import {IdleScreen} from '../idle-view.js'
 * @import {Preferences} from '../preferences.js'
 * @import {Presses, Target} from '../presses.js'
 */

export class DialPeople {
  #client;
  #idle;
  #preferences;
  #search;
  #list;
  #favourites;
  #devices;
  #isLoaded = false;

  /** @param {{client: WindowedClient, presses: Presses, preferences: Preferences, idle: IdleScreen}} options */
  constructor({ client, presses, preferences, idle }) {
    this.#client = client;
    this.#idle = idle;
    this.#preferences = preferences;
    const dial = (/** @type {Target} */ target) => idle.actions.dial(target, false);
    this.#search = new PeopleSearch((text) => client.searchDirectory(text), () => this.#draw());
    this.#list = new PeopleList({
      field: idle.primary,
      onChoose: (entry) => dial(targetOfEntry(entry)),
      onStar: (entry, isFavourite) => void this.#star(presses.favourite(entry, isFavourite)),
      onLeave: () => idle.focusList(),
    });
    this.#favourites = new Favourites(presses, dial);
    this.#devices = [this.#device('here', words.people.here), this.#device('desk_phone', words.people.deskPhone)];
    idle.place({
      people: this.#list.element,
      favourites: this.#favourites.element,
      device: h('div', { class: 'rb-device', role: 'radiogroup', 'aria-label': words.people.device }, h('span', { 'aria-hidden': 'true' }, words.people.device), ...this.#devices),
      typed: (text) => (text.trim() === '' ? this.#search.stop() : this.#search.ask(text)),
      found: () => this.#search.found.entries,
    });
  }

  update() {
    const { state } = this.#client;
    // Once for each time that the phone comes up; without it they are only not there.
    const isReady = state.status === 'ready';
    if (isReady && !this.#isLoaded) this.#client.searchDirectory('').catch(() => undefined);
    this.#isLoaded = isReady;
    this.#favourites.update(state.favourites, state.status === 'ready');
    const hasChoice = state.rules?.desk_phone ?? false;
    this.#idle.isAtDesk = hasChoice && this.#preferences.get('device') === 'desk_phone';
    for (const choice of this.#devices) {
      const isChosen = (choice.dataset['device'] === 'desk_phone') === this.#idle.isAtDesk;
      choice.setAttribute('aria-checked', String(isChosen));
      choice.tabIndex = isChosen ? 0 : -1;
    }
    const group = this.#devices[0]?.parentElement;
    if (group) show(group, hasChoice);
    this.#draw();
  }

  /** The rows show the star that was pressed. @param {Promise<void>} pressed */
  async #star(pressed) {
    await pressed;
    this.#search.ask(this.#idle.primary.value, true);
  }

  #draw() {
    const { state } = this.#client;
    const text = this.#idle.primary.value.trim();
    this.#list.update(this.#search.found, { crm: state.crm, isWanted: false });
    setAttribute(this.#list.element, 'data-empty', text === '' || null);
    this.#idle.redraw();
  }

  /** @param {'here'|'desk_phone'} device @param {string} label */
  #device(device, label) {
    const choose = () => {
      this.#preferences.set('device', device);
      this.update();
    };
    return h(
      'button',
      {
        type: 'button',
        class: 'rb-choice',
        role: 'radio',
        'data-device': device,
        on: {
          click: choose,
          keydown: (/** @type {KeyboardEvent} */ event) => {
            if (!event.key.startsWith('Arrow')) return;
            event.preventDefault();
            const other = this.#devices.find((each) => each.dataset['device'] !== device);
            other?.focus();
            other?.click();
          },
        },
      },
      label,
    );
  }
}
