/**
 * The invite dialog: whom, when, about what. New, changed, or good at once.
 *
 * What is typed stays until it is sent or left: a call that comes in between hides
 * the form and does not empty it. A `done` event carries the invite, `close` nothing.
 */
import { uuid7 } from '../client/identifiers.js';
import { h, setText, show } from '../softphone/dom.js';
import { words } from '../softphone/strings.js';
import { labelled, setFieldError } from './fields.js';
import { GuestFields } from './guest-fields.js';
import { inviteIcon } from './icons-invites.js';
import { checkWindow, cityOf, fromField, isEmail, startOf, timeHere, timeThere, toField, USUAL_MS, zone, zoneInWords } from './times.js';
import { languageInUse } from '../words/index.js';
import { directionOf, FALLBACK, LANGUAGES, MAIL_LANGUAGES } from '../words/languages.js';
import { inviteWords as say } from './words.js';

/**
 * @import {GuestDraft, InviteDraft, InviteView, Record as CrmRecord} from '../client/wire.d.ts'
 * @import {RingbridgeClient} from '../client/ringbridge-client.js'
 * @import {Preset} from './times.js'
 *
 * @typedef {'make'|'now'|'change'} FormMode
 *
 * @typedef {object} Prefill
 * @property {Partial<CrmRecord>|null} [contact] whom to invite
 * @property {Partial<CrmRecord>|null} [about] the record it is made from
 */

const MAX_GUESTS = 4;
const PEOPLE = new Set(['Contact', 'Lead']);

export class InviteForm extends HTMLElement {
  /** @type {RingbridgeClient} */
  client = /** @type {any} */ (null);

  /** @type {FormMode} */
  #mode = 'make';
  /** @type {InviteView|null} */
  #former = null;
  #inviteId = '';
  #isBusy = false;
  /** Moved by the form itself, so that the length stays. */
  #length = USUAL_MS;
  /** Where to begin, if not at the top. @type {HTMLElement|null} */
  #wanted = null;
  /** @type {CrmRecord|null} */
  #about = null;

  #title = h('h1', { class: 'rb-title', tabindex: -1 });
  #lead = h('p', { class: 'rb-form-note' });
  #summary = h('p', { class: 'rb-error', role: 'alert', hidden: true });
  #first = this.#newGuest(true);
  #aboutText = h('p', { class: 'rb-chip', dir: 'auto', hidden: true });
  #subject = h('input', { name: 'subject', maxlength: 120, autocomplete: 'off', dir: 'auto' });
  #starts = h('input', { name: 'starts_at', type: 'datetime-local' });
  #ends = h('input', { name: 'ends_at', type: 'datetime-local' });
  #presets = h(
    'div',
    { class: 'rb-presets', role: 'group', 'aria-label': say.form.presets },
    .../** @type {Preset[]} */ (['now', 'soon', 'hour']).map((preset) =>
      h('button', { type: 'button', class: 'rb-pill', 'data-preset': preset, on: { click: () => this.#usePreset(preset) } }, say.form.preset[preset]),
    ),
  );
  #zone = h('p', { class: 'rb-form-note' });
  #bothTimes = h('div', { class: 'rb-form-note rb-both-times', role: 'status', hidden: true });
  #text = h('textarea', { name: 'text', rows: 2, maxlength: 1000, dir: 'auto' });
  #language = h(
    'select',
    { name: 'language' },
    ...MAIL_LANGUAGES.map((value) => h('option', { value, lang: value, dir: directionOf(value) }, LANGUAGES[value])),
  );
  #further = h('div', { class: 'rb-further' });
  #addGuest = h(
    'button',
    { type: 'button', class: 'rb-button rb-neutral', on: { click: () => this.#moreGuests() } },
    inviteIcon('user-round-plus'),
    say.form.addGuest,
  );
  #when = h(
    'fieldset',
    {},
    h('legend', {}, say.form.when),
    this.#presets,
    labelled(say.form.starts, this.#starts),
    labelled(say.form.ends, this.#ends),
    this.#zone,
    this.#bothTimes,
  );
  #more = h('fieldset', {}, h('legend', {}, say.form.further), this.#further, this.#addGuest);
  #textLabel = labelled(say.form.text, this.#text);
  #languageLabel = h('label', {}, say.form.language, this.#language);
  #send = h('button', { type: 'submit', class: 'rb-button rb-brand rb-big' });
  #back = h(
    'button',
    { type: 'button', class: 'rb-icon-button', 'aria-label': say.form.close, title: say.form.close, on: { click: () => this.#close() } },
    inviteIcon('chevron-left'),
  );

  connectedCallback() {
    if (this.firstChild) return;
    this.classList.add('rb-invite-form');
    this.setAttribute('role', 'dialog');
    this.#title.id = 'rb-invite-title';
    this.setAttribute('aria-labelledby', 'rb-invite-title');
    this.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || event.defaultPrevented) return;
      event.stopPropagation();
      this.#close();
    });
    this.#starts.addEventListener('change', () => this.#startMoved());
    this.#ends.addEventListener('change', () => this.#endMoved());
    this.addEventListener('zone-changed', () => this.#drawZone());
    this.addEventListener('guest-removed', (event) => this.#removeGuest(/** @type {GuestFields} */ (event.target)));
    this.append(
      h('div', { class: 'rb-sheet-head' }, this.#back, this.#title),
      h(
        'form',
        {
          class: 'rb-form',
          novalidate: true,
          on: {
            submit: (/** @type {Event} */ event) => {
              event.preventDefault();
              void this.#submit();
            },
          },
        },
        h('div', { class: 'rb-sheet-body' }, this.#lead, this.#first, this.#aboutText, labelled(say.form.subject, this.#subject), this.#when, this.#textLabel, this.#languageLabel, this.#more),
        h('div', { class: 'rb-sheet-foot' }, this.#summary, this.#send),
      ),
    );
  }

  // Opening

  /** @param {FormMode} mode @param {Prefill} [prefill] */
  open(mode, { contact = null, about = null } = {}) {
    this.#begin(mode, null);
    const { user } = this.client.state;
    this.#subject.value = say.form.usualSubject(user?.company ?? '');
    this.#text.value = '';
    this.#language.value = MAIL_LANGUAGES.find((each) => each === languageInUse()) ?? FALLBACK;
    this.#first.clear();
    this.#usePreset(mode === 'now' ? 'now' : 'soon');
    this.#setAbout(about && about.id ? whole(about) : null);
    if (contact) void this.#first.usePerson(contact);
  }

  /** @param {InviteView} invite @param {string} [guestId] whose address is to be corrected */
  change(invite, guestId = '') {
    this.#begin('change', invite);
    this.#inviteId = invite.invite_id;
    this.#subject.value = invite.subject;
    this.#text.value = invite.text;
    this.#language.value = invite.language;
    this.#length = invite.ends_at - invite.starts_at;
    this.#starts.value = toField(invite.starts_at);
    this.#ends.value = toField(invite.ends_at);
    this.#markPreset('');
    const [first, ...others] = invite.guests;
    if (first) this.#first.useGuest(first, invite.contact ?? null);
    for (const guest of others) this.#moreGuests().useGuest(guest, null);
    this.#wanted = this.#guests.find((fields) => guestId !== '' && fields.guestId === guestId)?.emailField ?? null;
    this.#setAbout(invite.about ?? null);
    this.#drawZone();
  }

  /** @param {FormMode} mode @param {InviteView|null} former */
  #begin(mode, former) {
    this.#mode = mode;
    this.#former = former;
    this.#wanted = null;
    // The same again after a failure: it is made once.
    this.#inviteId = uuid7();
    this.#further.replaceChildren();
    this.#clearErrors();
    this.#setBusy(false);
    setText(this.#title, say.form[mode]);
    setText(this.#lead, say.form.nowText);
    const isNow = mode === 'now';
    show(this.#lead, isNow);
    for (const part of [this.#when, this.#textLabel, this.#languageLabel, this.#more]) show(part, !isNow);
    this.#first.needsEmail = !isNow;
    this.#first.hasZone = !isNow;
    this.#first.crm = this.client.state.crm;
    show(this.#addGuest, true);
    show(this, true);
    this.querySelector('.rb-sheet-body')?.scrollTo(0, 0);
  }

  /** Where to begin. */
  get primary() {
    return this.#wanted ?? (this.#first.isEmpty ? this.#first : this.#title);
  }

  #close() {
    this.dispatchEvent(new CustomEvent('close', { bubbles: true }));
  }

  /** @param {CrmRecord|null} record */
  #setAbout(record) {
    this.#about = record;
    setText(this.#aboutText, record ? say.form.about(record.name) : '');
    show(this.#aboutText, record !== null);
  }

  // When

  get #now() {
    return Date.now() + this.client.state.clockOffsetMs;
  }

  /** @param {Preset} preset */
  #usePreset(preset) {
    const starts = startOf(preset, this.#now);
    this.#length = USUAL_MS;
    this.#starts.value = toField(starts);
    this.#ends.value = toField(starts + USUAL_MS);
    this.#markPreset(preset);
    this.#drawZone();
    setFieldError(this.#starts, '');
    setFieldError(this.#ends, '');
  }

  /** @param {string} preset */
  #markPreset(preset) {
    for (const button of this.#presets.querySelectorAll('button')) {
      button.setAttribute('aria-pressed', String(button.dataset['preset'] === preset));
    }
  }

  #startMoved() {
    this.#markPreset('');
    const starts = fromField(this.#starts.value);
    if (starts !== null) this.#ends.value = toField(starts + this.#length);
    this.#drawZone();
    setFieldError(this.#starts, '');
    setFieldError(this.#ends, '');
  }

  #endMoved() {
    const [starts, ends] = [fromField(this.#starts.value), fromField(this.#ends.value)];
    if (starts !== null && ends !== null && ends > starts) this.#length = ends - starts;
    setFieldError(this.#ends, '');
  }

  get #start() {
    return fromField(this.#starts.value) ?? this.#now;
  }

  /** What the clocks of all show then. */
  #drawZone() {
    const at = this.#start;
    setText(this.#zone, say.form.zone(zoneInWords(zone(), at)));
    for (const guest of this.#guests) guest.timeChanged();
    const zones = [...new Set(this.#guests.map(({ timeZone }) => timeZone))];
    const lines = zones.flatMap((name) => {
      const theirs = name === '' ? null : timeThere(at, name);
      return theirs === null ? [] : [say.form.bothTimes(timeHere(at), theirs, cityOf(name))];
    });
    if (lines.join('\n') !== [...this.#bothTimes.children].map(({ textContent }) => textContent).join('\n')) {
      this.#bothTimes.replaceChildren(...lines.map((line) => h('p', {}, line)));
    }
    show(this.#bothTimes, lines.length > 0);
  }

  // Whom

  /** @param {boolean} isFirst */
  #newGuest(isFirst) {
    return new GuestFields({
      isFirst,
      search: (text) => this.client.invites.searchRecords(text),
      at: () => this.#start,
    });
  }

  #moreGuests() {
    const fields = this.#newGuest(false);
    this.#further.append(fields);
    show(this.#addGuest, this.#guests.length < MAX_GUESTS);
    if (!this.hidden && this.#former === null) fields.focus();
    return fields;
  }

  /** @param {GuestFields} fields */
  #removeGuest(fields) {
    const next = /** @type {GuestFields|null} */ (fields.nextElementSibling ?? fields.previousElementSibling);
    fields.remove();
    show(this.#addGuest, true);
    this.#drawZone();
    if (next) next.focus();
    else this.#addGuest.focus();
  }

  /** @returns {GuestFields[]} */
  get #guests() {
    return [this.#first, .../** @type {Iterable<GuestFields>} */ (this.#further.children)];
  }

  // Checking

  /** @returns {number} how many fields are wrong */
  #check() {
    this.#clearErrors();
    /** @type {HTMLElement[]} */
    const wrong = [];
    const isNow = this.#mode === 'now';
    const seen = new Set();
    for (const guest of this.#guests) {
      if (guest.name === '' && !isNow) wrong.push(guest.setError('name', say.error.name));
      const address = guest.email.toLowerCase();
      if (address === '' && !isNow) wrong.push(guest.setError('email', say.error.email));
      else if (address !== '' && !isEmail(address)) wrong.push(guest.setError('email', say.error.badEmail));
      else if (address !== '' && seen.has(address)) wrong.push(guest.setError('email', say.error.sameEmail));
      seen.add(address);
      if (guest.hasWrongZone && !isNow) wrong.push(guest.setError('time_zone', say.error.zone));
    }
    if (this.#subject.value.trim() === '') wrong.push(setFieldError(this.#subject, say.error.subject));
    if (!isNow) {
      const former = this.#former;
      const [starts, ends] = [fromField(this.#starts.value), fromField(this.#ends.value)];
      const problem = checkWindow(starts, ends, this.#now);
      // One that runs already is changed with the start that it has.
      const isAsBefore = former !== null && problem?.problem === 'past' && toField(former.starts_at) === this.#starts.value;
      if (problem && !isAsBefore) wrong.push(setFieldError(problem.field === 'starts_at' ? this.#starts : this.#ends, say.error[problem.problem]));
    }
    return this.#showWrong(wrong);
  }

  /** @param {HTMLElement[]} wrong */
  #showWrong(wrong) {
    setText(this.#summary, wrong.length > 0 ? say.error.summary(wrong.length) : '');
    show(this.#summary, wrong.length > 0);
    wrong[0]?.focus();
    return wrong.length;
  }

  #clearErrors() {
    for (const guest of this.#guests) {
      guest.setError('name', '');
      guest.setError('email', '');
      // A zone that is none stays wrong until another is chosen.
      if (!guest.hasWrongZone) guest.setError('time_zone', '');
    }
    for (const input of [this.#subject, this.#starts, this.#ends, this.#text]) setFieldError(input, '');
    show(this.#summary, false);
  }

  // Sending

  /** @returns {InviteDraft} */
  #draft() {
    const isNow = this.#mode === 'now';
    const starts = isNow ? startOf('now', this.#now) : Number(fromField(this.#starts.value));
    const former = this.#former;
    const isSameStart = former !== null && toField(former.starts_at) === this.#starts.value;
    const guests = this.#guests.map((fields) => this.#guestDraft(fields));
    const contact = this.#first.record;
    return {
      subject: this.#subject.value.trim(),
      text: this.#text.value.trim(),
      // The field has whole minutes: what was not touched keeps its seconds.
      starts_at: isSameStart ? former.starts_at : starts,
      ends_at: isNow ? starts + USUAL_MS : Number(fromField(this.#ends.value)),
      time_zone: zone(),
      language: this.#language.value,
      guests,
      send_mail: !isNow,
      ...(contact ? { contact } : {}),
      ...(this.#about ? { about: this.#about } : {}),
    };
  }

  /** @param {GuestFields} fields @returns {GuestDraft} */
  #guestDraft(fields) {
    const known = fields.guestId ? { guest_id: fields.guestId } : {};
    const there = fields.timeZone ? { time_zone: fields.timeZone } : {};
    return { name: fields.name || say.form.guest, email: fields.email, role: fields.guestRole, ...there, ...known };
  }

  async #submit() {
    if (this.#isBusy || this.#check() > 0) return;
    this.#setBusy(true);
    try {
      const { invites } = this.client;
      const draft = this.#draft();
      const invite =
        this.#mode === 'change'
          ? await invites.change(this.#inviteId, draft)
          : await invites.create(draft, this.#inviteId);
      this.dispatchEvent(new CustomEvent('done', { bubbles: true, detail: { invite, mode: this.#mode } }));
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#setBusy(false);
    }
  }

  /** @param {unknown} error */
  #failed(error) {
    const { kind = 'internal', field = '', message = '' } = /** @type {any} */ (error);
    const target = field === '' ? null : this.#inputOf(field.replace(/^invite\./, ''));
    if (target) {
      this.#showWrong([target(message)]);
      return;
    }
    const advice = words.error[/** @type {keyof typeof words.error} */ (kind)] ?? words.error.internal;
    setText(this.#summary, [advice.title, advice.text].filter(Boolean).join('. '));
    show(this.#summary, true);
  }

  /** The field that the gateway means. @param {string} path @returns {((text: string) => HTMLElement)|null} */
  #inputOf(path) {
    const [head, index, part] = path.split('.');
    if (head === 'guests') {
      const guest = this.#guests[Number(index ?? 0)] ?? this.#first;
      return (text) => guest.setError(part === 'name' || part === 'time_zone' ? part : 'email', text);
    }
    const input = [this.#subject, this.#starts, this.#ends, this.#text].find(({ name }) => name === head);
    // What is not on show in this form cannot be corrected at its place.
    return input && input.checkVisibility() ? (text) => setFieldError(input, text) : null;
  }

  /** @param {boolean} isBusy */
  #setBusy(isBusy) {
    this.#isBusy = isBusy;
    this.#send.disabled = isBusy;
    const label = { make: say.form.send, change: say.form.save, now: say.form.makeLink }[this.#mode];
    setText(this.#send, isBusy ? say.form.busy : label);
  }
}
customElements.define('ringbridge-invite-form', InviteForm);

/** Whether a record is somebody to invite. @param {Partial<CrmRecord>|null} record */
export function isPerson(record) {
  return PEOPLE.has(record?.kind ?? '');
}

/** @param {Partial<CrmRecord>} record @returns {CrmRecord} */
function whole(record) {
  return { id: '', kind: '', name: '', url: '', company: '', phone: '', email: '', certainty: 'exact', ...record };
}
