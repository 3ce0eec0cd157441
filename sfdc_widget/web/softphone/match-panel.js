/**
 * What the CRM knows of the other party, and the next step from there: open the
 * record, say which of several it is, or add a contact.
 */
import { h, joined, setText, show, takeFields } from './dom.js';
import { isWithheld, peerNumber, person, splitName } from './format.js';
import { icon } from './icons.js';
import { words } from './strings.js';

/** @import {CallView, Record as CrmRecord} from '../client/wire.d.ts' */
/** @import {RingbridgeClient} from '../client/ringbridge-client.js' */
/** @import {HostAdapter} from '../hosts/adapter.js' */

export class MatchPanel extends HTMLElement {
  /** @type {RingbridgeClient} */
  client = /** @type {any} */ (null);
  /** @type {HostAdapter} */
  host = /** @type {any} */ (null);
  /** The CRM's name for people. */
  crm = '';

  /** @type {CallView|null} */
  #call = null;
  /** The call that the form, the error and the duplicates belong to. */
  #callId = '';
  #shownRecords = '';
  /** @type {readonly CrmRecord[]} */
  #duplicates = [];
  /** The CRM only warns of them. */
  #mayAddAnyway = false;
  #wasTyped = false;

  #note = h('p', { class: 'rb-match-note' });
  #list = h('ul', { class: 'rb-records' });
  #addText = h('span', {});
  #add = h(
    'button',
    { type: 'button', class: 'rb-button rb-neutral rb-wide rb-add', on: { click: () => void this.#addContact() } },
    icon('user-plus'),
    this.#addText,
  );
  #anyway = h(
    'button',
    { type: 'button', class: 'rb-link', hidden: true, on: { click: () => void this.#save(true) } },
    words.match.addAnyway,
  );
  #otherName = h(
    'button',
    { type: 'button', class: 'rb-link', on: { click: () => this.#openForm() } },
    words.match.otherName,
  );
  #first = h('input', { name: 'first', maxlength: 40, autocomplete: 'off' });
  #last = h('input', { name: 'last', maxlength: 80, autocomplete: 'off', required: true, 'aria-describedby': 'rb-contact-error' });
  #company = h('input', { name: 'company', maxlength: 255, autocomplete: 'off' });
  #saveButton = h('button', { type: 'submit', class: 'rb-button rb-brand' }, words.match.save);
  #form = h(
    'form',
    {
      class: 'rb-form',
      novalidate: true,
      hidden: true,
      on: {
        submit: (/** @type {Event} */ event) => {
          event.preventDefault();
          void this.#save();
        },
        keydown: (/** @type {KeyboardEvent} */ event) => {
          if (event.key !== 'Escape') return;
          event.stopPropagation();
          this.#closeForm();
        },
      },
    },
    h('label', {}, words.match.firstName, this.#first),
    h('label', {}, words.match.lastName, this.#last),
    h('label', {}, words.match.company, this.#company),
    h(
      'div',
      { class: 'rb-row' },
      this.#saveButton,
      h(
        'button',
        { type: 'button', class: 'rb-button rb-neutral', on: { click: () => this.#closeForm() } },
        words.match.cancel,
      ),
    ),
  );
  #error = h('p', { class: 'rb-error', id: 'rb-contact-error', role: 'alert', hidden: true });
  #hostForm = h(
    'button',
    {
      type: 'button',
      class: 'rb-link',
      hidden: true,
      on: { click: () => void this.host.popNewContact(this.#defaults()) },
    },
    '',
  );

  connectedCallback() {
    if (this.firstChild) return;
    this.classList.add('rb-match');
    this.append(
      this.#note,
      this.#list,
      this.#anyway,
      this.#add,
      this.#otherName,
      this.#form,
      this.#error,
      this.#hostForm,
    );
  }

  /** A form that is open goes on. @param {MatchPanel} former */
  take(former) {
    this.#callId = former.#callId;
    this.#duplicates = former.#duplicates;
    this.#mayAddAnyway = former.#mayAddAnyway;
    this.#wasTyped = former.#wasTyped;
    takeFields(former.#form, this.#form);
    show(this.#form, !former.#form.hidden);
  }

  /** @param {CallView} call */
  update(call) {
    this.#call = call;
    if (call.call_id !== this.#callId) {
      this.#callId = call.call_id;
      this.#duplicates = [];
      this.#mayAddAnyway = this.#wasTyped = false;
      show(this.#form, false);
      this.#showError('');
    }
    this.#draw();
  }

  #draw() {
    const call = this.#call;
    if (!call) return;
    const { state, records } = call.match;
    const isFormOpen = !this.#form.hidden;
    const candidates = this.#duplicates.length > 0 && state !== 'found' ? this.#duplicates : records;
    const crm = this.crm || 'CRM';
    this.dataset['state'] = state;

    let note = '';
    if (this.#duplicates.length > 0 && state !== 'found') note = words.match.duplicates;
    else if (state === 'searching') note = words.match.searching(crm);
    else if (state === 'failed') note = words.match.failed(crm);
    else if (records.length > 1) note = words.match.several(records.length);
    setText(this.#note, note);
    show(this.#note, note !== '');
    this.#note.classList.toggle('rb-busy', state === 'searching');

    this.#drawRecords(candidates);
    show(this.#anyway, this.#mayAddAnyway && this.#duplicates.length > 0 && state !== 'found');

    const canAdd =
      this.crm !== '' &&
      state === 'none' &&
      !isWithheld(call.peer) &&
      this.#duplicates.length === 0 &&
      !isFormOpen;
    const name = person(call);
    setText(this.#addText, name ? words.match.addNamed(name) : words.match.add);
    show(this.#add, canAdd);
    show(this.#otherName, canAdd && name !== '');
  }

  /** @param {readonly CrmRecord[]} records */
  #drawRecords(records) {
    // The one record is the person shown above: only the way to it is news.
    const isOnly = records.length === 1 && records !== this.#duplicates;
    const key = JSON.stringify([records, isOnly]);
    show(this.#list, records.length > 0);
    if (key === this.#shownRecords) return;
    this.#shownRecords = key;
    const hadFocus = this.#list.contains(document.activeElement);
    this.#list.replaceChildren(...records.map((record) => this.#row(record, isOnly)));
    if (hadFocus) this.#list.querySelector('button')?.focus();
  }

  /** @param {CrmRecord} record @param {boolean} isOnly */
  #row(record, isOnly) {
    const facts = [
      record.kind,
      record.company,
      record.certainty === 'possible' ? words.match.possible : '',
    ].filter(Boolean);
    return h(
      'li',
      {},
      h(
        'button',
        {
          type: 'button',
          class: 'rb-record',
          title: words.match.open(record.name),
          on: { click: () => void this.#choose(record) },
        },
        h(
          'span',
          { class: 'rb-record-text' },
          h('span', { class: 'rb-record-name', dir: 'auto' }, isOnly ? words.match.openIn(this.crm) : record.name),
          isOnly ? null : h('span', { class: 'rb-record-detail' }, ...joined(facts)),
        ),
        icon(isOnly ? 'external-link' : 'chevron-right'),
      ),
    );
  }

  /** @param {CrmRecord} record */
  async #choose(record) {
    void this.host.popRecord(record).catch(() => undefined);
    const call = this.#call;
    if (!call || (call.match.state === 'found' && call.match.records.length === 1)) return;
    this.#duplicates = [];
    try {
      await this.client.chooseRecord(call.call_id, record.id);
    } catch (error) {
      this.#failed(error);
    }
  }

  #defaults() {
    const typed = !this.#form.hidden || (this.#wasTyped && this.#mayAddAnyway);
    const { first_name, last_name } = typed
      ? { first_name: this.#first.value.trim(), last_name: this.#last.value.trim() }
      : splitName(this.#call ? person(this.#call) : '');
    const peer = this.#call?.peer;
    return {
      firstName: first_name,
      lastName: last_name,
      phone: peer?.e164 || (peer ? peerNumber(peer) : ''),
      company: typed ? this.#company.value.trim() : '',
    };
  }

  async #addContact() {
    if (this.#call && person(this.#call)) await this.#save();
    else this.#openForm();
  }

  #openForm() {
    const { firstName, lastName } = this.#defaults();
    this.#first.value = firstName;
    this.#last.value = lastName;
    this.#company.value = '';
    show(this.#form, true);
    this.#draw();
    this.#last.focus();
  }

  #closeForm() {
    show(this.#form, false);
    this.#showError('');
    this.#draw();
    if (this.#add.checkVisibility?.() ?? !this.#add.hidden) this.#add.focus();
  }

  /** @param {boolean} [allowDuplicate] */
  async #save(allowDuplicate = false) {
    const call = this.#call;
    if (!call) return;
    const { firstName, lastName, phone, company } = this.#defaults();
    if (lastName === '') {
      this.#showError(words.match.lastNameNeeded);
      this.#last.setAttribute('aria-invalid', 'true');
      this.#last.focus();
      return;
    }
    this.#last.removeAttribute('aria-invalid');
    this.#showError('');
    this.#setBusy(true);
    try {
      const record = await this.client.createContact({
        last_name: lastName,
        first_name: firstName,
        phone,
        company,
        call_id: call.call_id,
        ...(allowDuplicate ? { allow_duplicate: true } : {}),
      });
      this.#duplicates = [];
      this.#mayAddAnyway = false;
      show(this.#form, false);
      this.dispatchEvent(new CustomEvent('announce', { bubbles: true, detail: words.match.added }));
      await this.host.popRecord(record).catch(() => undefined);
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#setBusy(false);
      this.#draw();
    }
  }

  /** @param {unknown} error */
  #failed(error) {
    const { kind, records, field } = /** @type {{kind?: keyof typeof words.error, records?: readonly CrmRecord[], field?: string}} */ (error);
    this.#mayAddAnyway = kind === 'crm.duplicate' && field === 'allow_duplicate';
    if (kind === 'crm.duplicate' && records && records.length > 0) {
      // What was typed is wanted once more, should it be somebody else.
      this.#wasTyped = !this.#form.hidden;
      this.#duplicates = records;
      show(this.#form, false);
      return;
    }
    const advice = words.error[kind ?? 'internal'] ?? words.error.internal;
    this.#showError([advice.title, advice.text].filter(Boolean).join('. ').replace('..', '.'));
    setText(this.#hostForm, words.match.openForm(this.crm));
    show(this.#hostForm, this.host.hasOwnForm);
  }

  /** @param {string} text */
  #showError(text) {
    setText(this.#error, text);
    show(this.#error, text !== '');
    if (text === '') show(this.#hostForm, false);
  }

  /** @param {boolean} isBusy */
  #setBusy(isBusy) {
    this.#add.disabled = this.#saveButton.disabled = isBusy;
    setText(this.#saveButton, isBusy ? words.match.saving : words.match.save);
    if (isBusy) setText(this.#addText, words.match.saving);
  }
}
customElements.define('ringbridge-match', MatchPanel);
