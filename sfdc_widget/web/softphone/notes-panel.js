/**
 * What the rep writes down about a call, while it goes on and in wrap-up. Nothing has to
 * be saved by hand: what is typed is sent soon after, and again if that failed.
 */
import { h, setText, show, takeFields } from './dom.js';
import { duration } from './format.js';
import { notesWords } from './notes-words.js';
import { words } from './strings.js';

/** @import {CallView, Record as CrmRecord, WidgetRules, WorkChange} from '../client/wire.d.ts' */
/** @import {RingbridgeClient} from '../client/ringbridge-client.js' */

const SEND_AFTER_MS = 400;
const MAX_NOTES = 16_000;
const PEOPLE = new Set(['Contact', 'Lead']);

/** @typedef {Partial<Omit<WorkChange, 'op_id'|'call_id'>>} Change */

export class NotesPanel extends HTMLElement {
  /** @type {RingbridgeClient} */
  client = /** @type {any} */ (null);

  /** @type {CallView|null} */
  #call = null;
  /** What is typed and not yet on its way. @type {Change} */
  #pending = {};
  #isSending = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #shownDispositions = '';
  #shownAbout = '';
  /** Whose fields are to be taken over, when there are the same ones. @type {NotesPanel|null} */
  #former = null;

  #notes = h('textarea', {
    rows: 3,
    maxlength: MAX_NOTES,
    dir: 'auto',
    on: { input: () => this.#changed({ notes: this.#notes.value }), blur: () => void this.flush() },
  });
  #disposition = h('select', {
    on: {
      change: () => this.#changed(this.#disposition.value === '' ? { clear: ['disposition'] } : { disposition: this.#disposition.value }, 0),
    },
  });
  #dispositionText = h('span', {});
  #dispositionField = h('label', {}, this.#dispositionText, this.#disposition);
  #about = h('select', { on: { change: () => this.#choseAbout() } });
  #aboutField = h('label', {}, notesWords.about, this.#about);
  #step = h('input', { maxlength: 255, autocomplete: 'off', dir: 'auto', on: { input: () => this.#changedStep() } });
  #stepDay = h('input', { type: 'date', on: { input: () => this.#changedStep() } });
  #nextStep = h(
    'details',
    { class: 'rb-next-step' },
    h('summary', {}, notesWords.nextStep),
    h('label', {}, notesWords.stepSubject, this.#step),
    h('label', {}, notesWords.stepDay, this.#stepDay),
  );
  #state = h('p', { class: 'rb-notes-state' });
  #head = h('div', { class: 'rb-row rb-notes-head', hidden: true }, this.#state);
  #keep = h('button', { type: 'button', class: 'rb-link', on: { click: () => void this.#keepOpen() } }, notesWords.keepOpen);
  #error = h('p', { class: 'rb-error', role: 'alert', hidden: true });

  connectedCallback() {
    if (this.firstChild) return;
    this.classList.add('rb-notes', 'rb-form');
    this.#head.append(this.#keep);
    this.append(
      this.#head,
      h('label', {}, notesWords.notes, this.#notes),
      this.#dispositionField,
      this.#aboutField,
      this.#nextStep,
      this.#error,
    );
  }

  /** @param {CallView} call @param {WidgetRules} rules @param {number} now the gateway's clock, Unix ms */
  update(call, rules, now) {
    if (call.call_id !== this.#call?.call_id) {
      void this.flush();
      this.#call = call;
      this.#showError('');
      this.#nextStep.open = call.work.next_step !== undefined;
    }
    this.#call = call;
    const { work } = call;
    this.#fill(this.#notes, work.notes, this.#pending.notes);
    this.#drawDispositions(rules, work.disposition);
    this.#drawAbout(call);
    this.#fill(this.#step, work.next_step?.subject ?? '', this.#pending.next_step?.subject);
    this.#fill(this.#stepDay, work.next_step?.on ?? '', this.#pending.next_step?.on);
    if (this.#former) {
      takeFields(this.#former, this);
      this.#nextStep.open = this.#former.#nextStep.open;
      this.#former = null;
    }
    const isWrapUp = work.state === 'wrap_up';
    const left = work.saves_at === undefined ? null : Math.max(0, work.saves_at - now);
    setText(this.#state, isWrapUp ? (left === null ? notesWords.keptOpen : notesWords.savesIn(duration(Math.ceil(left / 1000)))) : '');
    show(this.#head, isWrapUp);
    show(this.#keep, isWrapUp && left !== null);
    if (this.#hasPending && this.#timer === undefined && !this.#isSending) this.#later();
  }

  /** What was written in the panel in whose place this one is. @param {NotesPanel} former */
  take(former) {
    clearTimeout(former.#timer);
    this.#call = former.#call;
    this.#pending = former.#pending;
    former.#pending = {};
    this.#former = former;
  }

  /** Whether the rep is writing just now. */
  get isInUse() {
    return this.contains(document.activeElement) || this.#hasPending;
  }

  get #hasPending() {
    return Object.keys(this.#pending).length > 0;
  }

  /** Sends what is typed; false if it could not be. */
  async flush() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const call = this.#call;
    if (!call || !this.#hasPending) return true;
    const change = this.#pending;
    this.#pending = {};
    this.#isSending = true;
    try {
      await this.client.changeWork(call.call_id, change);
      this.#showError('');
      return true;
    } catch (error) {
      this.#failed(error, call, change);
      return false;
    } finally {
      this.#isSending = false;
    }
  }

  /** Ends wrap-up now; false if the rules still ask for something. */
  async save() {
    const call = this.#call;
    if (!call || !(await this.flush())) return false;
    try {
      await this.client.saveWork(call.call_id);
      return true;
    } catch (error) {
      const { field = '' } = /** @type {{field?: string}} */ (error);
      if (field === 'disposition') {
        this.#showError(notesWords.dispositionNeeded);
        this.#disposition.setAttribute('aria-invalid', 'true');
        this.#disposition.focus();
      } else this.#sayFailed(error);
      return false;
    }
  }

  /** @param {unknown} error @param {CallView} call @param {Change} change */
  #failed(error, call, change) {
    const { retryable = false, kind = '' } = /** @type {{retryable?: boolean, kind?: string}} */ (error);
    // What was typed since counts.
    if ((retryable || kind === 'cancelled') && call.call_id === this.#call?.call_id) {
      this.#pending = { ...change, ...this.#pending };
      this.#showError(notesWords.notYet);
    } else this.#sayFailed(error);
  }

  /** @param {unknown} error */
  #sayFailed(error) {
    const { kind } = /** @type {{kind?: keyof typeof words.error}} */ (error);
    const advice = words.error[kind ?? 'internal'] ?? words.error.internal;
    this.#showError([advice.title, advice.text].filter(Boolean).join(' '));
  }

  /** @param {Change} change @param {number} [afterMs] */
  #changed(change, afterMs = SEND_AFTER_MS) {
    const clear = [...(this.#pending.clear ?? []), ...(change.clear ?? [])].filter((name) => !(name in change));
    const kept = Object.fromEntries(Object.entries({ ...this.#pending, ...change }).filter(([name]) => !clear.includes(name)));
    this.#pending = { ...kept, ...(clear.length > 0 ? { clear } : {}) };
    if (clear.length === 0) delete this.#pending.clear;
    this.#disposition.removeAttribute('aria-invalid');
    this.#later(afterMs);
  }

  #later(afterMs = SEND_AFTER_MS) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.flush(), afterMs);
  }

  #changedStep() {
    const subject = this.#step.value.trim();
    const on = this.#stepDay.value;
    if (subject !== '' && on !== '') this.#changed({ next_step: { subject, on } });
    else if (this.#call?.work.next_step && subject === '' && on === '') this.#changed({ clear: ['next_step'] });
  }

  #choseAbout() {
    const record = this.#candidates().find(({ id }) => id === this.#about.value);
    this.#changed(record ? { about: record } : { clear: ['about'] }, 0);
  }

  async #keepOpen() {
    this.#changed({ keep_open: true }, 0);
    await this.flush();
    this.#notes.focus();
  }

  /** @returns {CrmRecord[]} */
  #candidates() {
    const { visited = [], about } = this.#call?.work ?? {};
    const records = [...visited, ...(about ? [about] : [])].filter(({ kind }) => !PEOPLE.has(kind));
    return [...new Map(records.map((record) => [record.id, record])).values()].reverse();
  }

  /** @param {WidgetRules} rules @param {string} chosen */
  #drawDispositions({ dispositions, disposition_required: isRequired }, chosen) {
    show(this.#dispositionField, dispositions.length > 0 || chosen !== '');
    setText(this.#dispositionText, isRequired ? notesWords.dispositionRequired : notesWords.disposition);
    const values = dispositions.includes(chosen) || chosen === '' ? dispositions : [chosen, ...dispositions];
    const key = JSON.stringify(values);
    if (key !== this.#shownDispositions) {
      this.#shownDispositions = key;
      this.#disposition.replaceChildren(
        h('option', { value: '' }, notesWords.noDisposition),
        ...values.map((value) => h('option', { value }, value)),
      );
    }
    this.#fill(this.#disposition, chosen, this.#pending.disposition);
  }

  /** @param {CallView} call */
  #drawAbout(call) {
    const candidates = this.#candidates();
    show(this.#aboutField, candidates.length > 0);
    const key = JSON.stringify(candidates.map(({ id, name }) => [id, name]));
    if (key !== this.#shownAbout) {
      this.#shownAbout = key;
      this.#about.replaceChildren(
        h('option', { value: '' }, notesWords.aboutLast),
        ...candidates.map(({ id, kind, name }) => h('option', { value: id }, `${kind}: ${name}`)),
      );
    }
    this.#fill(this.#about, call.work.about?.id ?? '', this.#pending.about?.id);
  }

  /**
   * As the gateway has it, but what is being typed stays.
   *
   * @param {HTMLTextAreaElement|HTMLInputElement|HTMLSelectElement} field
   * @param {string} value
   * @param {string|undefined} pending
   */
  #fill(field, value, pending) {
    if (pending !== undefined || this.#isSending || document.activeElement === field) return;
    if (field.value !== value) field.value = value;
  }

  /** @param {string} text */
  #showError(text) {
    setText(this.#error, text);
    show(this.#error, text !== '');
  }
}
customElements.define('ringbridge-notes', NotesPanel);
