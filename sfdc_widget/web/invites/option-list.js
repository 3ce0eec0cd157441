/**
 * What a search found, under the field that is typed into: chosen by arrows and Enter, or
 * by a press; Escape closes it and nothing else.
 */
import { h, setAttribute, setText, show } from '../softphone/dom.js';

let made = 0;

/** @template T */
export class OptionList {
  list;
  status = h('span', { class: 'rb-live', role: 'status' });

  #field;
  #words;
  #onChoose;
  #enterTakesFirst;
  #id = `rb-options-${(made += 1)}`;
  /** @type {readonly T[]} */
  #found = [];
  #active = -1;

  /**
   * @param {object} options
   * @param {HTMLInputElement} options.field becomes its combobox
   * @param {string} options.label
   * @param {(item: T) => [string, string]} options.words name and detail
   * @param {(item: T) => void} options.onChoose
   * @param {boolean} [options.enterTakesFirst] while none is marked
   */
  constructor({ field, label, words, onChoose, enterTakesFirst = false }) {
    this.#field = field;
    this.#words = words;
    this.#onChoose = onChoose;
    this.#enterTakesFirst = enterTakesFirst;
    this.list = h('ul', { class: 'rb-options', id: this.#id, role: 'listbox', 'aria-label': label, hidden: true });
    for (const [name, value] of Object.entries({ 'role': 'combobox', 'aria-expanded': 'false', 'aria-controls': this.#id, 'aria-autocomplete': 'list' })) {
      field.setAttribute(name, value);
    }
    field.addEventListener('keydown', (event) => this.#keyed(event));
  }

  /** @param {readonly T[]} found @param {string} said to those who do not see it */
  show(found, said) {
    this.#found = found;
    this.#active = -1;
    this.#draw();
    setText(this.status, said);
  }

  close() {
    this.show([], '');
  }

  #draw() {
    const isOpen = this.#found.length > 0;
    this.list.replaceChildren(
      ...this.#found.map((item, index) => {
        const [name, detail] = this.#words(item);
        return h(
          'li',
          {
            role: 'option',
            id: `${this.#id}-${index}`,
            'aria-selected': String(index === this.#active),
            class: 'rb-option',
            on: {
              // Before the field loses the focus, and the list with it.
              pointerdown: (/** @type {Event} */ event) => {
                event.preventDefault();
                this.#onChoose(item);
              },
            },
          },
          h('span', { class: 'rb-record-name', dir: 'auto' }, name),
          h('span', { class: 'rb-record-detail', dir: 'auto' }, detail),
        );
      }),
    );
    show(this.list, isOpen);
    this.#field.setAttribute('aria-expanded', String(isOpen));
    setAttribute(this.#field, 'aria-activedescendant', this.#active >= 0 ? `${this.#id}-${this.#active}` : null);
    this.list.children[this.#active]?.scrollIntoView({ block: 'nearest' });
  }

  /** @param {KeyboardEvent} event */
  #keyed(event) {
    if (this.list.hidden) return;
    const count = this.#found.length;
    const marked = this.#found[this.#active < 0 && this.#enterTakesFirst ? 0 : this.#active];
    if (event.key === 'ArrowDown') this.#active = (this.#active + 1) % count;
    else if (event.key === 'ArrowUp') this.#active = (Math.max(0, this.#active) - 1 + count) % count;
    else if (event.key === 'Enter' && marked !== undefined) this.#onChoose(marked);
    else if (event.key === 'Escape') this.close();
    else return;
    event.preventDefault();
    if (!this.list.hidden) this.#draw();
  }
}
