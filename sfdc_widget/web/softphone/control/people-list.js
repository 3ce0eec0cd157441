/**
 * Those whom a search found, under its field: a combobox with a grid (ARIA APG), because
 * a row has a star beside the person. Arrows choose while the field keeps the focus.
 */
import { h, joined, number, setAttribute, setText, show } from '../dom.js';
import { icon } from '../icons.js';
import { words } from '../strings.js';

/**
 * @import {DirectoryEntry} from '../../client/wire.d.ts'
 * @import {Found} from './people-search.js'
 *
 * @typedef {object} ListOptions
 * @property {HTMLInputElement} field becomes the combobox
 * @property {(entry: DirectoryEntry) => void} onChoose
 * @property {((entry: DirectoryEntry, isFavourite: boolean) => void)|null} onStar null: no stars
 * @property {() => boolean} [onLeave] down past the last row; true: taken
 */

let made = 0;

export class PeopleList {
  #options;
  #id = `rb-people-${(made += 1)}`;
  #grid = h('div', { class: 'rb-people', id: this.#id, role: 'grid', 'aria-label': words.people.results, hidden: true });
  #note = h('p', { class: 'rb-people-note', hidden: true });
  #status = h('span', { class: 'rb-live', role: 'status' });
  element = h('div', { class: 'rb-people-box' }, this.#grid, this.#note, this.#status);
  /** @type {readonly DirectoryEntry[]} */
  #entries = [];
  #row = -1;
  #isOnStar = false;
  #drawn = '';

  /** @param {ListOptions} options */
  constructor(options) {
    this.#options = options;
    const { field } = options;
    const facts = { role: 'combobox', 'aria-expanded': 'false', 'aria-controls': this.#id, 'aria-haspopup': 'grid', 'aria-autocomplete': 'list' };
    for (const [name, value] of Object.entries(facts)) field.setAttribute(name, value);
    // Before what else the field's owner makes of the keys.
    field.addEventListener('keydown', (event) => this.#keyed(event), true);
  }

  /** @returns {DirectoryEntry|null} who is marked */
  get marked() {
    return this.#isOnStar ? null : this.#entries[this.#row] ?? null;
  }

  get isEmpty() {
    return this.#entries.length === 0;
  }

  /** @param {Found} found @param {{crm: string, isWanted: boolean}} known `isWanted`: something was asked for */
  update({ entries, isSearching, isComplete, hasFailed }, { crm, isWanted }) {
    const key = JSON.stringify(entries);
    const isNew = key !== this.#drawn;
    if (isNew) {
      this.#drawn = key;
      const kept = this.#entries[this.#row]?.number;
      this.#entries = entries;
      this.#row = kept === undefined ? -1 : entries.findIndex(({ number }) => number === kept);
      if (this.#row < 0) this.#isOnStar = false;
      this.#draw();
    }
    let note = '';
    if (hasFailed) note = words.people.failed;
    else if (isSearching) note = words.people.searching;
    else if (!isComplete) note = words.people.incomplete(crm || 'CRM');
    else if (isWanted && entries.length === 0) note = words.people.none;
    setText(this.#note, note);
    show(this.#note, note !== '');
    const said = entries.length > 0 ? words.people.count(entries.length) : '';
    if (isNew || note !== '') setText(this.#status, [said, note].filter(Boolean).join('. '));
  }

  #draw() {
    this.#grid.replaceChildren(...this.#entries.map((entry, index) => this.#drawRow(entry, index)));
    show(this.#grid, this.#entries.length > 0);
    this.#options.field.setAttribute('aria-expanded', String(this.#entries.length > 0));
    this.#mark();
  }

  /** @param {DirectoryEntry} entry @param {number} index */
  #drawRow(entry, index) {
    const { onStar, onChoose } = this.#options;
    const label = entry.is_favourite ? words.people.unstar(entry.name) : words.people.star(entry.name);
    // Before the field loses the focus.
    const keep = (/** @type {Event} */ event) => event.preventDefault();
    return h(
      'div',
      { class: 'rb-person-row', role: 'row', 'data-number': entry.number },
      h(
        'div',
        { class: 'rb-person-main', role: 'gridcell', id: `${this.#id}-${index}`, on: { pointerdown: keep, click: () => onChoose(entry) } },
        ...personCells(entry),
      ),
      onStar &&
        h(
          'div',
          {
            class: 'rb-star',
            role: 'gridcell',
            id: `${this.#id}-${index}-star`,
            'aria-label': label,
            title: label,
            'data-on': entry.is_favourite,
            on: { pointerdown: keep, click: () => onStar(entry, !entry.is_favourite) },
          },
          icon('star'),
        ),
    );
  }

  #mark() {
    const { field } = this.#options;
    for (const [index, row] of [...this.#grid.children].entries()) {
      const isMarked = index === this.#row;
      row.setAttribute('aria-selected', String(isMarked));
      row.classList.toggle('rb-on-star', isMarked && this.#isOnStar);
      if (isMarked) row.scrollIntoView?.({ block: 'nearest' });
    }
    const cell = this.#row < 0 ? null : `${this.#id}-${this.#row}${this.#isOnStar ? '-star' : ''}`;
    setAttribute(field, 'aria-activedescendant', cell);
  }

  /** @param {KeyboardEvent} event */
  #keyed(event) {
    if (this.isEmpty || event.altKey || event.ctrlKey || event.metaKey) return;
    const { onChoose, onStar, onLeave, field } = this.#options;
    const entry = this.#entries[this.#row];
    const isRtl = getComputedStyle(field).direction === 'rtl';
    const forward = isRtl ? 'ArrowLeft' : 'ArrowRight';
    const backward = isRtl ? 'ArrowRight' : 'ArrowLeft';
    if (event.key === 'ArrowDown') {
      if (this.#row === this.#entries.length - 1) {
        if (onLeave?.()) this.#row = -1;
      } else {
        this.#row += 1;
      }
    } else if (event.key === 'ArrowUp') {
      if (this.#row < 0) return;
      this.#row -= 1;
      if (this.#row < 0) this.#isOnStar = false;
    } else if (entry && onStar && !this.#isOnStar && event.key === forward) this.#isOnStar = true;
    else if (entry && this.#isOnStar && event.key === backward) this.#isOnStar = false;
    else if (entry && event.key === 'Enter') {
      if (this.#isOnStar) onStar?.(entry, !entry.is_favourite);
      else onChoose(entry);
    } else if (entry && event.key === 'Escape') this.#row = -1;
    else return;
    if (this.#row < 0) this.#isOnStar = false;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.#mark();
  }
}

/** A person: name, and what else is known. @param {DirectoryEntry} entry */
export function personCells(entry) {
  const { state = 'unknown' } = entry;
  const kind = entry.kind === 'colleague' ? words.people.colleague : entry.record?.kind ?? '';
  const facts = joined([words.people.state[state], entry.company || kind].filter(Boolean));
  const line = entry.name === entry.number ? [] : [facts.length > 0 ? ' · ' : '', number(entry.number)];
  return [
    h('span', { class: 'rb-phone-state', 'data-phone': entry.kind === 'colleague' ? state : null, 'aria-hidden': 'true' }),
    h(
      'span',
      { class: 'rb-record-text' },
      h('span', { class: 'rb-record-name', dir: 'auto', title: entry.name }, entry.name),
      h('span', { class: 'rb-record-detail' }, ...facts, ...line),
    ),
  ];
}
