/**
 * The invites beside the phone: the list as a tab of the idle screen, the dialog as a
 * sheet over everything below the header. Loaded with its first use.
 */
import { h, setText, show } from '../softphone/dom.js';
import { InviteForm, isPerson } from './invite-form.js';
import { InviteList, toClipboard } from './invite-list.js';
import { inviteWords as say } from './words.js';

/**
 * @import {InviteView, Record as CrmRecord} from '../client/wire.d.ts'
 * @import {RingbridgeClient} from '../client/ringbridge-client.js'
 * @import {HostAdapter} from '../hosts/adapter.js'
 * @import {FormMode} from './invite-form.js'
 */

export class InvitesPanel {
  list = new InviteList();
  /** Over the screen, while a form or a link is on show. */
  sheet = h('section', { class: 'rb-sheet', hidden: true });

  #client;
  #host;
  #onToggle;
  #form = new InviteForm();
  #linkField = h('input', { class: 'rb-link-field', readonly: true, dir: 'ltr', 'aria-label': say.link });
  #linkNote = h('p', { class: 'rb-form-note', role: 'status' });
  #copy = h('button', { type: 'button', class: 'rb-button rb-brand', on: { click: () => void this.#copyLink() } }, say.copy);
  #linkTitle = h('h1', { class: 'rb-title', tabindex: -1 }, say.ready);
  #link = h(
    'div',
    { class: 'rb-sheet-link', hidden: true },
    this.#linkTitle,
    this.#linkField,
    this.#linkNote,
    h('div', { class: 'rb-row' }, this.#copy, h('button', { type: 'button', class: 'rb-button rb-neutral', on: { click: () => this.close() } }, say.form.done)),
  );
  /** @type {Element|null} where the focus was */
  #from = null;

  /**
   * @param {object} options
   * @param {RingbridgeClient} options.client
   * @param {HostAdapter} options.host
   * @param {(isOpen: boolean) => void} options.onToggle the sheet came or went
   */
  constructor({ client, host, onToggle }) {
    this.#client = client;
    this.#host = host;
    this.#onToggle = onToggle;
    this.list.client = client;
    this.#form.client = client;
    this.#form.hidden = true;
    this.list.actions = {
      make: () => void this.make('make'),
      now: () => void this.make('now'),
      change: (invite, guestId) => {
        this.#open(() => this.#form.change(invite, guestId));
      },
    };
    this.sheet.append(this.#form, this.#link);
    this.sheet.addEventListener('close', () => this.close());
    this.sheet.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || event.defaultPrevented) return;
      event.stopPropagation();
      this.close();
    });
    this.sheet.addEventListener('done', (event) => void this.#done(/** @type {CustomEvent} */ (event).detail));
  }

  get isOpen() {
    return !this.#form.hidden || !this.#link.hidden;
  }

  /**
   * Opens the dialog, for whom is given, else for the record on show in the host.
   *
   * @param {FormMode} mode
   * @param {Partial<CrmRecord>|null} [record]
   */
  async make(mode, record = null) {
    const shown = record ?? (await this.#host.currentRecord().catch(() => null));
    const prefill = isPerson(shown) || record === null ? { contact: isPerson(shown) ? shown : null } : {};
    const about = shown !== null && !isPerson(shown) ? { about: shown } : {};
    this.#open(() => this.#form.open(mode, { ...prefill, ...about }));
  }

  close() {
    if (!this.isOpen) return;
    const hadFocus = this.sheet.contains(document.activeElement);
    show(this.#form, false);
    show(this.#link, false);
    this.#linkField.value = '';
    show(this.sheet, false);
    this.#onToggle(false);
    if (!hadFocus) return;
    const from = /** @type {HTMLElement|null} */ (this.#from);
    if (from?.isConnected && from.checkVisibility()) from.focus();
    else this.list.primary.focus();
  }

  /** @param {() => void} open */
  #open(open) {
    this.#from = document.activeElement;
    show(this.#link, false);
    open();
    this.#onToggle(true);
    this.#form.primary.focus();
  }

  /** @param {{invite: InviteView, mode: FormMode}} done */
  async #done({ invite, mode }) {
    await this.#client.loadInvites().catch(() => undefined);
    if (mode !== 'now') {
      this.#announce(mode === 'make' ? say.sent : say.changed);
      this.close();
      this.list.reveal(invite.invite_id);
      return;
    }
    show(this.#form, false);
    show(this.#link, true);
    setText(this.#linkNote, '');
    this.#linkTitle.focus();
    try {
      const [guest] = invite.guests;
      this.#linkField.value = await this.#client.invites.link(invite.invite_id, guest?.guest_id ?? '');
      this.#copy.focus();
    } catch {
      setText(this.#linkNote, say.failed);
    }
  }

  async #copyLink() {
    if (await toClipboard(this.#linkField.value)) {
      setText(this.#linkNote, say.copied);
      return;
    }
    this.#linkField.focus();
    this.#linkField.select();
    setText(this.#linkNote, say.copyByHand);
  }

  /** @param {string} text */
  #announce(text) {
    this.list.dispatchEvent(new CustomEvent('announce', { bubbles: true, detail: text }));
    this.sheet.dispatchEvent(new CustomEvent('announce', { bubbles: true, detail: text }));
  }
}
