import { h, show } from '../dom.js';
import { icon } from '../icons.js';
import { targetOfEntry } from '../presses.js';
import { words } from '../strings.js';
import { personCells } from './people-list.js';

/**
 * @import {DirectoryEntry, Peer} from '../../client/wire.d.ts'
 * @import {Presses, Target} from '../presses.js'
 */

/** @param {readonly DirectoryEntry[]|null} favourites @param {Peer} peer */
export function isFavourite(favourites, peer) {
  return favourites?.some(({ number }) => number === peer.e164 || number === peer.number) ?? false;
}

/** Those whom a rep calls often. */
export class Favourites {
  #presses;
  #dial;
  #list = h('ul', { class: 'rb-recents' });
  #empty = h(
    'div',
    { class: 'rb-empty', hidden: true },
    h('p', { class: 'rb-empty-title' }, words.people.noFavourites),
    h('p', {}, words.people.noFavouritesText),
  );
  element = h('div', {}, this.#list, this.#empty);
  #drawn = '';

  /** @param {Presses} presses @param {(target: Target) => void} dial */
  constructor(presses, dial) {
    this.#presses = presses;
    this.#dial = dial;
  }

  /** @param {readonly DirectoryEntry[]|null} favourites @param {boolean} canDial */
  update(favourites, canDial) {
    show(this.#empty, favourites?.length === 0);
    const key = JSON.stringify([favourites, canDial]);
    if (key === this.#drawn) return;
    this.#drawn = key;
    const hadFocus = this.#list.contains(document.activeElement);
    this.#list.replaceChildren(...(favourites ?? []).map((entry) => this.#row(entry, canDial)));
    if (hadFocus) this.#list.querySelector('button')?.focus();
  }

  /** @param {DirectoryEntry} entry @param {boolean} canDial */
  #row(entry, canDial) {
    const [call, unstar] = [words.idle.callBack(entry.name), words.people.unstar(entry.name)];
    return h(
      'li',
      { class: 'rb-recent', 'data-number': entry.number },
      h(
        'button',
        { type: 'button', class: 'rb-recent-main', title: call, disabled: !canDial, on: { click: () => this.#dial(targetOfEntry(entry)) } },
        ...personCells(entry),
      ),
      h(
        'button',
        { type: 'button', class: 'rb-icon-button rb-star', 'data-on': true, 'aria-label': unstar, title: unstar, on: { click: () => void this.#presses.favourite(entry, false) } },
        icon('star'),
      ),
    );
  }
}
