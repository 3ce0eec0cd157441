/**
 * One guest: a name that searches the CRM as it is typed, an e-mail to check and
 * correct, and for further ones what they are. A `guest-removed` event by its button.
 */
import { h, setAttribute, setText, show } from '../softphone/dom.js';
import { labelled, setFieldError } from './fields.js';
import { inviteIcon } from './icons-invites.js';
import { inviteWords as say } from './words.js';

/** @import {GuestRole, GuestView, Record as CrmRecord} from '../client/wire.d.ts' */

const SEARCH_AFTER_MS = 250;
const LEAST_TO_SEARCH = 2;
let made = 0;

export class GuestFields extends HTMLElement {
  #search;
  #isFirst;
  #id = `rb-guest-${(made += 1)}`;
  /** @type {CrmRecord|null} */
  #record = null;
  #guestId = '';
  /** @type {readonly CrmRecord[]} */
  #found = [];
  #active = -1;
  #asked = 0;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  #name;
  #email = h('input', { type: 'email', maxlength: 254, autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', dir: 'ltr' });
  #list;
  #status = h('span', { class: 'rb-live', role: 'status' });
  #role = h(
    'select',
    {},
    h('option', { value: 'colleague' }, say.colleague),
    h('option', { value: 'customer' }, say.customer),
  );

  /**
   * @param {object} options
   * @param {boolean} options.isFirst whom the invite is for
   * @param {(text: string) => Promise<readonly CrmRecord[]>} options.search
   */
  constructor({ isFirst, search }) {
    super();
    this.#isFirst = isFirst;
    this.#search = search;
    const listId = `${this.#id}-list`;
    this.#list = h('ul', { class: 'rb-options', id: listId, role: 'listbox', 'aria-label': say.form.found, hidden: true });
    this.#name = h('input', {
      maxlength: 80,
      autocomplete: 'off',
      role: 'combobox',
      'aria-expanded': 'false',
      'aria-controls': listId,
      'aria-autocomplete': 'list',
      placeholder: say.form.nameHint,
      dir: 'auto',
    });
  }

  connectedCallback() {
    if (this.firstChild) return;
    this.classList.add('rb-guest-fields');
    this.setAttribute('role', 'group');
    this.setAttribute('aria-label', this.#isFirst ? say.form.who : say.form.further);
    this.#name.addEventListener('input', () => this.#typed());
    this.#name.addEventListener('keydown', (event) => this.#keyed(event));
    this.#name.addEventListener('blur', () => this.#closeList());
    this.#email.addEventListener('input', () => this.setError('email', ''));
    this.append(
      labelled(say.form.name, this.#name),
      this.#list,
      this.#status,
      labelled(say.form.email, this.#email),
    );
    if (this.#isFirst) return;
    this.append(
      h(
        'div',
        { class: 'rb-row rb-guest-end' },
        h('label', {}, say.form.role, this.#role),
        h(
          'button',
          {
            type: 'button',
            class: 'rb-icon-button',
            'aria-label': say.form.removeGuest(say.form.guest),
            title: say.form.removeGuest(say.form.guest),
            on: { click: () => this.dispatchEvent(new CustomEvent('guest-removed', { bubbles: true })) },
          },
          inviteIcon('x'),
        ),
      ),
    );
  }

  get name() {
    return this.#name.value.trim();
  }

  get email() {
    return this.#email.value.trim();
  }

  /** @returns {GuestRole} */
  get guestRole() {
    return this.#isFirst ? 'customer' : /** @type {GuestRole} */ (this.#role.value);
  }

  get guestId() {
    return this.#guestId;
  }

  /** The CRM record that was chosen, null for somebody typed. */
  get record() {
    return this.#record;
  }

  get isEmpty() {
    return this.name === '';
  }

  /** @param {boolean} isNeeded */
  set needsEmail(isNeeded) {
    setAttribute(this.#email, 'aria-required', isNeeded ? 'true' : null);
    setAttribute(this.#name, 'aria-required', isNeeded ? 'true' : null);
  }

  focus() {
    this.#name.focus();
  }

  /** What is corrected when a mail came back. */
  get emailField() {
    return this.#email;
  }

  clear() {
    this.#name.value = this.#email.value = '';
    this.#record = null;
    this.#guestId = '';
    this.#closeList();
  }

  /** @param {GuestView} guest @param {CrmRecord|null} record */
  useGuest(guest, record) {
    this.#name.value = guest.name;
    this.#email.value = guest.email;
    this.#role.value = guest.role;
    this.#guestId = guest.guest_id;
    this.#record = record;
  }

  /** Somebody known; their e-mail is looked up where it is missing. @param {Partial<CrmRecord>} person */
  async usePerson(person) {
    const name = person.name ?? '';
    this.#name.value = name;
    this.#email.value = person.email ?? '';
    this.#record = person.id ? { id: '', kind: '', name, url: '', company: '', phone: '', email: '', certainty: 'exact', ...person } : null;
    if (!person.id || person.email || name.length < LEAST_TO_SEARCH) return;
    const found = await this.#search(name).catch(() => []);
    const same = found.find(({ id }) => id.slice(0, 15) === String(person.id).slice(0, 15));
    // Unless it was typed meanwhile.
    if (this.#record?.id !== person.id || this.email !== '') return;
    if (same) this.#record = same;
    if (same?.email) this.#email.value = same.email;
    else this.setError('email', say.form.noEmail);
  }

  /** @param {'name'|'email'} part @param {string} text '' for none @returns {HTMLElement} the field */
  setError(part, text) {
    return setFieldError(part === 'name' ? this.#name : this.#email, text);
  }

  // Searching as one types

  #typed() {
    this.setError('name', '');
    this.#record = null;
    clearTimeout(this.#timer);
    if (this.name.length < LEAST_TO_SEARCH) this.#closeList();
    else this.#timer = setTimeout(() => void this.#look(), SEARCH_AFTER_MS);
  }

  async #look() {
    const asked = (this.#asked += 1);
    const text = this.name;
    try {
      const found = await this.#search(text);
      if (asked !== this.#asked || text !== this.name || document.activeElement !== this.#name) return;
      this.#found = found;
      this.#active = -1;
      this.#draw();
      setText(this.#status, say.form.results(found.length));
    } catch {
      if (asked === this.#asked) setText(this.#status, say.form.searchFailed);
    }
  }

  #draw() {
    const isOpen = this.#found.length > 0;
    this.#list.replaceChildren(
      ...this.#found.map((record, index) =>
        h(
          'li',
          {
            role: 'option',
            id: `${this.#id}-option-${index}`,
            'aria-selected': String(index === this.#active),
            class: 'rb-option',
            on: {
              // Before the field loses the focus, and the list with it.
              pointerdown: (/** @type {Event} */ event) => {
                event.preventDefault();
                this.#choose(index);
              },
            },
          },
          h('span', { class: 'rb-record-name', dir: 'auto' }, record.name),
          h('span', { class: 'rb-record-detail', dir: 'auto' }, [record.company, record.email].filter(Boolean).join(' · ')),
        ),
      ),
    );
    show(this.#list, isOpen);
    this.#name.setAttribute('aria-expanded', String(isOpen));
    setAttribute(this.#name, 'aria-activedescendant', this.#active >= 0 ? `${this.#id}-option-${this.#active}` : null);
    this.#list.children[this.#active]?.scrollIntoView({ block: 'nearest' });
  }

  /** @param {KeyboardEvent} event */
  #keyed(event) {
    if (this.#list.hidden) return;
    const count = this.#found.length;
    if (event.key === 'ArrowDown') this.#active = (this.#active + 1) % count;
    else if (event.key === 'ArrowUp') this.#active = (this.#active - 1 + count) % count;
    else if (event.key === 'Enter' && this.#active >= 0) this.#choose(this.#active);
    else if (event.key === 'Escape') this.#closeList();
    else return;
    event.preventDefault();
    if (!this.#list.hidden) this.#draw();
  }

  /** @param {number} index */
  #choose(index) {
    const record = this.#found[index];
    if (!record) return;
    this.#record = record;
    this.#name.value = record.name;
    this.#email.value = record.email;
    this.setError('name', '');
    this.setError('email', record.email ? '' : say.form.noEmail);
    this.#closeList();
    this.#email.focus();
  }

  #closeList() {
    clearTimeout(this.#timer);
    this.#asked += 1;
    this.#found = [];
    this.#draw();
    setText(this.#status, '');
  }
}
customElements.define('ringbridge-guest-fields', GuestFields);
