/**
 * The invites of a rep: those to come, then the past ones on demand. Each row opens to
 * who joined, what became of the mails, and what can be done.
 */
import { h, joined, setText, show, spoken } from '../softphone/dom.js';
import { icon } from '../softphone/icons.js';
import { moment } from '../softphone/format.js';
import { words } from '../softphone/strings.js';
import { inviteIcon } from './icons-invites.js';
import { cityOf, span, timeThere } from './times.js';
import { inviteWords as say } from './words.js';

/**
 * @import {GuestView, InviteView} from '../client/wire.d.ts'
 * @import {RingbridgeClient} from '../client/ringbridge-client.js'
 */

const PAGE = 20;
const SURE_MS = 5_000;
const EXTEND_MINUTES = 15;
const LIVE = new Set(['scheduled', 'open']);
const MAIL_PROBLEMS = new Set(['failed', 'bounced', 'uncertain']);
/** By another address it may arrive. */
const ADDRESS_PROBLEMS = new Set(['failed', 'bounced']);

export class InviteList extends HTMLElement {
  /** @type {RingbridgeClient} */
  client = /** @type {any} */ (null);
  actions = {
    make: () => {},
    now: () => {},
    change: (/** @type {InviteView} */ _invite, /** @type {string} */ _guestId = '') => {},
  };

  #error = h('p', { class: 'rb-error', role: 'alert', hidden: true });
  #failed = h(
    'div',
    { class: 'rb-empty', hidden: true },
    h('p', {}, say.failed),
    h('button', { type: 'button', class: 'rb-button rb-neutral', on: { click: () => void this.load() } }, say.retry),
  );
  #loading = h('div', { class: 'rb-skeleton', hidden: true, 'aria-label': say.loading, role: 'status' }, ...[0, 1, 2].map(() => h('div', { class: 'rb-skeleton-row' })));
  #empty = h('div', { class: 'rb-empty', hidden: true }, h('p', { class: 'rb-empty-title' }, say.empty), h('p', {}, say.emptyText));
  #coming = h('ul', { class: 'rb-invites', 'aria-label': say.coming });
  #pastHeading = h('h2', { class: 'rb-section', hidden: true }, say.past);
  #pastEmpty = h('p', { class: 'rb-empty', hidden: true }, say.noPast);
  #past = h('ul', { class: 'rb-invites', 'aria-label': say.past });
  #more = h('button', { type: 'button', class: 'rb-link rb-more', on: { click: () => void this.#loadPast() } }, say.showPast);
  #make = h('button', { type: 'button', class: 'rb-button rb-brand', on: { click: () => this.actions.make() } }, inviteIcon('calendar-plus'), say.make);
  #now = h('button', { type: 'button', class: 'rb-button rb-neutral', on: { click: () => this.actions.now() } }, inviteIcon('link'), say.now);

  /** @type {readonly InviteView[]|null} */
  #pastPages = null;
  #isLastPage = false;
  /** Whose details are open. */
  #open = '';
  /** What asks for a second press. */
  #sure = '';
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #sureTimer;
  #drawn = '';
  #isLoading = false;
  #isFailed = false;

  connectedCallback() {
    if (this.firstChild) return;
    this.classList.add('rb-invite-list');
    this.addEventListener('keydown', (event) => this.#moveInList(event));
    this.append(
      h('div', { class: 'rb-row rb-invite-new' }, this.#make, this.#now),
      this.#error,
      this.#failed,
      this.#loading,
      this.#empty,
      this.#coming,
      this.#pastHeading,
      this.#past,
      this.#pastEmpty,
      this.#more,
    );
  }

  get primary() {
    return this.#make;
  }

  async load() {
    this.#isLoading = true;
    this.#isFailed = false;
    this.update();
    try {
      await this.client.loadInvites();
    } catch {
      this.#isFailed = true;
    } finally {
      this.#isLoading = false;
      this.update();
    }
  }

  async #loadPast() {
    try {
      const last = this.#pastPages?.at(-1)?.invite_id;
      const page = await this.client.invites.list({ past: true, limit: PAGE, ...(last ? { after: last } : {}) });
      this.#pastPages = [...(this.#pastPages ?? []), ...page];
      this.#isLastPage = page.length < PAGE;
      this.#showError('');
    } catch (error) {
      this.#fail(error);
    }
    this.update();
  }

  update() {
    const { invites, crm } = this.client.state;
    const now = Date.now() + this.client.state.clockOffsetMs;
    const coming = (invites ?? []).filter(({ state }) => LIVE.has(state));
    const past = this.#allPast(invites ?? []);
    show(this.#failed, this.#isFailed);
    show(this.#loading, this.#isLoading && invites === null);
    show(this.#empty, invites !== null && coming.length === 0 && !this.#isFailed);
    show(this.#pastHeading, past.length > 0 || this.#pastPages !== null);
    show(this.#pastEmpty, this.#pastPages !== null && past.length === 0);
    show(this.#more, invites !== null && !this.#isLastPage);
    setText(this.#more, this.#pastPages === null ? say.showPast : say.more);
    // Redrawn by the day, for "Today".
    const key = JSON.stringify([coming, past, this.#open, this.#sure, crm, new Date(now).toDateString()]);
    if (key === this.#drawn) return;
    this.#drawn = key;
    const active = /** @type {HTMLElement|null} */ (this.contains(document.activeElement) ? document.activeElement : null);
    const [row, role] = [active?.closest('li[data-invite]'), active?.dataset['role']];
    const focused = row instanceof HTMLElement ? row.dataset['invite'] : '';
    this.#coming.replaceChildren(...coming.map((invite) => this.#row(invite, now)));
    this.#past.replaceChildren(...past.map((invite) => this.#row(invite, now)));
    if (focused) this.#focus(focused, role ?? 'main');
  }

  /** Ended while on show, and loaded. @param {readonly InviteView[]} known */
  #allPast(known) {
    const ended = known.filter(({ state }) => !LIVE.has(state));
    const fresh = new Map(ended.map((invite) => [invite.invite_id, invite]));
    const pages = (this.#pastPages ?? []).map((invite) => fresh.get(invite.invite_id) ?? invite);
    const listed = new Set(pages.map(({ invite_id }) => invite_id));
    return [...ended.filter(({ invite_id }) => !listed.has(invite_id)), ...pages].sort((a, b) => b.starts_at - a.starts_at);
  }

  /** @param {string} inviteId @param {string} role */
  #focus(inviteId, role) {
    const row = [.../** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll('li[data-invite]'))].find((each) => each.dataset['invite'] === inviteId);
    const target = row?.querySelector(`[data-role="${role}"]`) ?? row?.querySelector('[data-role="main"]');
    /** @type {HTMLElement|null|undefined} */ (target)?.focus();
  }

  /** Opens the details of one. @param {string} inviteId */
  reveal(inviteId) {
    this.#open = inviteId;
    this.update();
    this.#focus(inviteId, 'main');
  }

  /** @param {InviteView} invite @param {number} now */
  #row(invite, now) {
    const isOpen = this.#open === invite.invite_id;
    const [first, ...others] = invite.guests;
    const names = `${first?.name ?? ''}${others.length > 0 ? ` ${say.more_guests(others.length)}` : ''}`;
    const problem = invite.guests.find(({ mail }) => MAIL_PROBLEMS.has(mail))?.mail;
    const id = `rb-invite-${invite.invite_id}`;
    return h(
      'li',
      { class: 'rb-invite', 'data-invite': invite.invite_id, 'data-state': invite.state },
      h(
        'button',
        {
          type: 'button',
          class: 'rb-invite-main',
          'data-role': 'main',
          'aria-expanded': String(isOpen),
          'aria-controls': id,
          on: {
            click: () => {
              this.#open = isOpen ? '' : invite.invite_id;
              this.#sure = '';
              this.update();
            },
          },
        },
        h('span', { class: 'rb-recent-text rb-recent-name', dir: 'auto', title: names }, names),
        problem ? h('span', { class: 'rb-invite-alert', title: say.mail[problem] }, icon('triangle-alert'), spoken(say.mail[problem])) : null,
        h('span', { class: 'rb-invite-state' }, say.state[invite.state]),
        h('span', { class: 'rb-recent-detail rb-invite-when' }, ...joined([span(invite.starts_at, invite.ends_at, now, say), invite.subject])),
      ),
      h('div', { class: 'rb-invite-details', id, hidden: !isOpen }, ...(isOpen ? this.#details(invite, now) : [])),
    );
  }

  /** @param {InviteView} invite @param {number} now */
  #details(invite, now) {
    const { crm } = this.client.state;
    const isLive = LIVE.has(invite.state);
    const event = crm === '' || invite.event.state === 'none' ? '' : say.event[invite.event.state](crm);
    const id = invite.invite_id;
    const isSure = this.#sure === id;
    return [
      invite.text ? h('p', { class: 'rb-invite-text', dir: 'auto' }, invite.text) : null,
      h('ul', { class: 'rb-guests' }, ...invite.guests.map((guest, index) => this.#guest(invite, guest, index, isLive, now))),
      event ? h('p', { class: 'rb-form-note', title: invite.event.problem }, event) : null,
      isLive
        ? h(
            'div',
            { class: 'rb-row' },
            invite.state === 'open'
              ? this.#action('extend', say.extend, () => this.#do(() => this.client.invites.extend(id, EXTEND_MINUTES), say.extended))
              : null,
            this.#action('change', say.change, () => this.actions.change(invite)),
            this.#action(
              'cancel',
              isSure ? say.cancelSure : say.cancelInvite,
              () => {
                if (isSure) void this.#do(() => this.client.invites.cancel(id), say.cancelled);
                else this.#askSure(id);
              },
              isSure ? 'rb-end' : 'rb-neutral',
            ),
          )
        : null,
    ].filter((part) => part !== null);
  }

  /** @param {InviteView} invite @param {GuestView} guest @param {number} index @param {boolean} isLive @param {number} now */
  #guest(invite, guest, index, isLive, now) {
    // "sent" with one: delivery is delayed.
    const hasProblem = MAIL_PROBLEMS.has(guest.mail) || (guest.mail === 'sent' && guest.mail_problem !== '');
    const came = guest.is_in_call ? say.inCall : guest.joined_at ? say.joined(moment(guest.joined_at, now)) : say.notJoined;
    const theirTime = guest.time_zone === '' ? null : timeThere(invite.starts_at, guest.time_zone);
    const isTold = hasProblem && guest.mail !== 'uncertain' && guest.mail_problem !== '';
    const mail = isTold ? `${say.mail[guest.mail]}: ${guest.mail_problem}` : say.mail[guest.mail];
    return h(
      'li',
      { class: 'rb-guest' },
      h(
        'div',
        { class: 'rb-recent-text' },
        h('p', { class: 'rb-guest-name', dir: 'auto' }, guest.name, guest.role === 'colleague' ? ` (${say.colleague})` : ''),
        guest.email ? h('p', { class: 'rb-recent-detail', dir: 'ltr' }, guest.email) : null,
        theirTime === null ? null : h('p', { class: 'rb-recent-detail' }, say.theirTime(theirTime, cityOf(guest.time_zone))),
        h('p', { class: 'rb-recent-detail' }, ...joined(isLive || guest.joined_at ? [came] : [])),
        h('p', { class: hasProblem ? 'rb-mail-problem' : 'rb-recent-detail', dir: isTold ? 'auto' : null }, mail),
        isLive && ADDRESS_PROBLEMS.has(guest.mail)
          ? h(
              'button',
              {
                type: 'button',
                class: 'rb-link',
                'data-role': `correct-${index}`,
                'aria-label': say.correctOf(guest.name),
                on: { click: () => this.actions.change(invite, guest.guest_id) },
              },
              say.correct,
            )
          : null,
      ),
      isLive
        ? h(
            'div',
            { class: 'rb-guest-actions' },
            this.#small(`copy-${index}`, inviteIcon('copy'), say.copyFor(guest.name), (button) => void this.#copy(invite, guest, button)),
            guest.email
              ? this.#small(`resend-${index}`, inviteIcon('send'), say.resendTo(guest.name), () =>
                  void this.#do(() => this.client.invites.resend(invite.invite_id, guest.guest_id), say.resent),
                )
              : null,
          )
        : null,
    );
  }

  /** @param {string} role @param {string} label @param {() => void} onPress @param {string} [kind] */
  #action(role, label, onPress, kind = 'rb-neutral') {
    return h('button', { type: 'button', class: `rb-button ${kind}`, 'data-role': role, on: { click: onPress } }, label);
  }

  /** @param {string} role @param {SVGSVGElement} image @param {string} label @param {(button: HTMLElement) => void} onPress */
  #small(role, image, label, onPress) {
    return h(
      'button',
      {
        type: 'button',
        class: 'rb-icon-button',
        'data-role': role,
        'aria-label': label,
        title: label,
        on: { click: (/** @type {Event} */ event) => onPress(/** @type {HTMLElement} */ (event.currentTarget)) },
      },
      image,
    );
  }

  /** @param {InviteView} invite @param {GuestView} guest @param {HTMLElement} button */
  async #copy(invite, guest, button) {
    try {
      const url = await this.client.invites.link(invite.invite_id, guest.guest_id);
      if (await toClipboard(url)) this.#announce(say.copied);
      else this.#showLink(button, url);
      this.#showError('');
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The frame may not write to the clipboard: then by hand. @param {HTMLElement} button @param {string} url */
  #showLink(button, url) {
    const row = button.closest('.rb-guest');
    row?.querySelector('.rb-link-field')?.remove();
    const field = h('input', { class: 'rb-link-field', readonly: true, value: url, 'aria-label': say.link, dir: 'ltr' });
    row?.append(field);
    field.focus();
    field.select();
    this.#announce(say.copyByHand);
  }

  /** @param {string} inviteId */
  #askSure(inviteId) {
    this.#sure = inviteId;
    this.update();
    this.#announce(say.cancelSure);
    clearTimeout(this.#sureTimer);
    this.#sureTimer = setTimeout(() => {
      this.#sure = '';
      this.update();
    }, SURE_MS);
  }

  /** @param {() => Promise<unknown>} action @param {string} said */
  async #do(action, said) {
    this.#sure = '';
    try {
      await action();
      this.#showError('');
      this.#announce(said);
    } catch (error) {
      this.#fail(error);
    }
    this.update();
  }

  /** @param {unknown} error */
  #fail(error) {
    const { kind = 'internal' } = /** @type {any} */ (error);
    const advice = words.error[/** @type {keyof typeof words.error} */ (kind)] ?? words.error.internal;
    this.#showError([advice.title, advice.text].filter(Boolean).join('. '));
  }

  /** @param {string} text */
  #showError(text) {
    setText(this.#error, text);
    show(this.#error, text !== '');
  }

  /** @param {string} text */
  #announce(text) {
    this.dispatchEvent(new CustomEvent('announce', { bubbles: true, detail: text }));
  }

  /** @param {KeyboardEvent} event */
  #moveInList(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const target = /** @type {HTMLElement} */ (event.target);
    if (step === undefined || target.dataset['role'] !== 'main') return;
    event.preventDefault();
    const rows = [.../** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll('[data-role="main"]'))];
    rows[rows.indexOf(target) + step]?.focus();
  }
}
customElements.define('ringbridge-invite-list', InviteList);

/** @param {string} text @returns {Promise<boolean>} */
export async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
