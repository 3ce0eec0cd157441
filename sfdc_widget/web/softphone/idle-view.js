/** Between calls: one field to search or dial, and the last calls. */
import { h, joined, number, setAttribute, setText, show, spoken } from './dom.js';
import { company, dialable, duration, elapsed, moment, peerNumber, person, who } from './format.js';
import { icon } from './icons.js';
import { Keypad } from './keypad.js';
import { ProblemCard } from './problem-card.js';
import { targetOf, targetOfEntry } from './presses.js';
import { words } from './strings.js';

/** @import {CallView, DirectoryEntry} from '../client/wire.d.ts' */
/** @import {Target} from './presses.js' */
/** @import {Problem} from './problem-card.js' */
/** @import {IconName} from './icons.js' */

const SKELETON_AFTER_MS = 300;

/**
 * What is loaded later, and where it goes.
 *
 * @typedef {object} Places
 * @property {HTMLElement} people found as one types
 * @property {HTMLElement} favourites
 * @property {HTMLElement} device
 * @property {(text: string) => void} typed
 * @property {() => readonly DirectoryEntry[]} found
 */

/** @typedef {'recents'|'favourites'|'invites'} TabName */

/**
 * @typedef {object} IdleModel
 * @property {readonly CallView[]|null} recent
 * @property {Problem|null} problem
 * @property {string} crm
 * @property {boolean} canDial
 * @property {boolean} hasInvites
 * @property {readonly DirectoryEntry[]|null} favourites
 * @property {number} now server time in ms
 */

export class IdleScreen extends HTMLElement {
  actions = {
    dial: (/** @type {Target} */ _target, /** @type {boolean} */ _isVideo) => {},
    star: (/** @type {CallView} */ _call, /** @type {boolean} */ _isFavourite) => {},
    open: (/** @type {CallView} */ _call) => {},
    invites: (/** @type {HTMLElement} */ _panel) => {},
  };

  #problem = new ProblemCard();
  #field = h('input', {
    class: 'rb-dial-field',
    type: 'text',
    inputmode: 'tel',
    enterkeyhint: 'go',
    autocomplete: 'off',
    spellcheck: 'false',
    'aria-label': words.idle.field,
    'aria-describedby': 'rb-dial-error',
    placeholder: words.idle.field,
    maxlength: 255,
    dir: 'auto',
  });
  #erase = this.#fieldButton('delete', words.idle.backspace, () => this.#eraseLast());
  #toggle = this.#fieldButton('grip', words.idle.showKeypad, () => this.#toggleKeypad());
  #callButton = h(
    'button',
    { type: 'submit', class: 'rb-button rb-brand rb-dial', 'aria-label': words.idle.call, title: words.idle.call },
    icon('phone'),
  );
  #videoButton = h(
    'button',
    {
      type: 'button',
      class: 'rb-button rb-neutral rb-dial rb-dial-video',
      'aria-label': words.idle.videoCall,
      title: words.idle.videoCall,
      on: { click: () => this.#submit(true) },
    },
    icon('video'),
  );
  #error = h('p', { class: 'rb-error', id: 'rb-dial-error', role: 'alert', hidden: true });
  #keypad = new Keypad();
  #keypadPanel = h('div', { class: 'rb-keypad-panel', hidden: true }, this.#keypad);
  #heading = h('h1', { class: 'rb-section', tabindex: -1 }, words.idle.recents);
  #list = h('ul', { class: 'rb-recents' });
  #empty = h(
    'div',
    { class: 'rb-empty', hidden: true },
    h('p', { class: 'rb-empty-title' }, words.idle.empty),
    h('p', {}, words.idle.emptyText),
  );
  #none = h('p', { class: 'rb-empty', hidden: true }, words.idle.noneFound);
  /** @type {Record<TabName, HTMLButtonElement>} */
  #tab = {
    recents: this.#makeTab('recents', words.idle.recentsTab),
    favourites: this.#makeTab('favourites', words.idle.favourites),
    invites: this.#makeTab('invites', words.idle.invites),
  };
  #tabs = h('div', { class: 'rb-tabs', role: 'tablist', 'aria-label': words.idle.lists }, ...Object.values(this.#tab));
  #favourites = h('div', { id: 'rb-panel-favourites', role: 'tabpanel', 'aria-labelledby': 'rb-tab-favourites', hidden: true });
  #people = h('div', { class: 'rb-place' });
  #device = h('div', { class: 'rb-place' });
  /** @type {Places|null} */
  #places = null;
  /** Calls are made by the desk phone. */
  isAtDesk = false;
  #invites = h('div', { id: 'rb-panel-invites', role: 'tabpanel', 'aria-labelledby': 'rb-tab-invites', hidden: true });
  #skeleton = h(
    'div',
    { class: 'rb-skeleton', hidden: true, 'aria-hidden': 'true' },
    ...[0, 1, 2, 3].map(() => h('div', { class: 'rb-skeleton-row' })),
  );
  #recents = h(
    'div',
    { id: 'rb-panel-recents', role: 'tabpanel', 'aria-labelledby': 'rb-tab-recents' },
    this.#heading,
    this.#list,
    this.#skeleton,
    this.#empty,
    this.#none,
  );
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #skeletonTimer;
  #drawn = '';
  /** @type {IdleModel|null} */
  #model = null;

  connectedCallback() {
    if (this.firstChild) return;
    this.classList.add('rb-view', 'rb-idle');
    this.#toggle.setAttribute('aria-expanded', 'false');
    this.#field.addEventListener('input', () => this.#typed());
    this.#field.addEventListener('keydown', (event) => {
      if (event.key === 'ArrowDown') {
        this.focusList();
        event.preventDefault();
      } else if (event.key === 'Escape' && this.#field.value !== '') {
        this.setNumber('');
        event.stopPropagation();
      }
    });
    this.#list.addEventListener('keydown', (event) => this.#moveInList(event));
    this.#keypad.addEventListener('key', (event) => {
      const { detail } = /** @type {CustomEvent<string>} */ (event);
      this.dispatchEvent(new CustomEvent('key-sound', { bubbles: true, detail }));
      this.#field.value += detail;
      this.#typed();
    });
    const form = h(
      'form',
      {
        class: 'rb-dial-form',
        novalidate: true,
        on: {
          submit: (/** @type {Event} */ event) => {
            event.preventDefault();
            this.#submit();
          },
        },
      },
      h('div', { class: 'rb-field' }, this.#field, this.#erase, this.#toggle),
      this.#callButton,
      this.#videoButton,
    );
    this.append(
      form,
      this.#device,
      this.#error,
      h(
        'div',
        { class: 'rb-scroll' },
        this.#keypadPanel,
        this.#problem,
        this.#people,
        this.#tabs,
        this.#favourites,
        this.#invites,
        this.#recents,
      ),
    );
    this.#tabs.addEventListener('keydown', (event) => this.#moveInTabs(event));
    show(this.#erase, false);
  }

  /** @param {IdleModel} model */
  update(model) {
    this.#model = model;
    this.#problem.update(model.problem);
    if (show(this.#tab.invites, model.hasInvites) && !model.hasInvites && this.isOnInvites) this.#choose('recents');
    this.#draw();
  }

  /** What has been loaded meanwhile. @param {Places} places */
  place(places) {
    this.#places = places;
    this.#people.append(places.people);
    this.#favourites.append(places.favourites);
    this.#device.append(places.device);
    if (this.#field.value !== '') places.typed(this.#field.value);
  }

  /** What was typed and chosen on the screen in whose place this one is. @param {IdleScreen} former */
  take(former) {
    if (!former.#keypadPanel.hidden) this.#toggleKeypad();
    this.setNumber(former.#field.value);
    this.showError('');
    const tab = /** @type {TabName} */ (Object.entries(former.#tab).find(([, each]) => each.ariaSelected === 'true')?.[0]);
    if (tab) this.#choose(tab);
  }

  /** Others are found. */
  redraw() {
    this.#draw();
  }

  /** @returns {boolean} there is one */
  focusList() {
    const panel = [this.#recents, this.#favourites].find((each) => !each.hidden);
    const first = panel?.querySelector('li button');
    if (first instanceof HTMLElement) first.focus();
    return first !== null && first !== undefined;
  }

  /** Which list is on show. */
  get isOnInvites() {
    return !this.#invites.hidden;
  }

  /** @param {TabName} name */
  #choose(name) {
    show(this.#recents, name === 'recents');
    show(this.#favourites, name === 'favourites');
    show(this.#invites, name === 'invites');
    for (const [each, tab] of Object.entries(this.#tab)) {
      tab.setAttribute('aria-selected', String(each === name));
      tab.tabIndex = each === name ? 0 : -1;
    }
    if (name === 'invites') this.actions.invites(this.#invites);
  }

  /** @param {KeyboardEvent} event */
  #moveInTabs(event) {
    const isRtl = getComputedStyle(this.#tabs).direction === 'rtl';
    const step = { ArrowLeft: isRtl ? 1 : -1, ArrowRight: isRtl ? -1 : 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const shown = Object.values(this.#tab).filter((tab) => !tab.hidden);
    const index = shown.indexOf(/** @type {HTMLButtonElement} */ (event.target));
    const next = shown.at((index + step) % shown.length);
    next?.focus();
    next?.click();
  }

  /** @param {TabName} name @param {string} label */
  #makeTab(name, label) {
    return h(
      'button',
      {
        type: 'button',
        class: 'rb-tab',
        role: 'tab',
        id: `rb-tab-${name}`,
        'aria-controls': `rb-panel-${name}`,
        'aria-selected': String(name === 'recents'),
        tabindex: name === 'recents' ? 0 : -1,
        on: { click: () => this.#choose(name) },
      },
      label,
    );
  }

  /** Puts a number in the field, ready to be called. @param {string} text */
  setNumber(text) {
    this.#field.value = text;
    this.#typed();
  }

  /** @param {string} text '' for none */
  showError(text) {
    setText(this.#error, text);
    show(this.#error, text !== '');
    setAttribute(this.#field, 'aria-invalid', text !== '' ? 'true' : null);
  }

  get primary() {
    return this.#field;
  }

  get heading() {
    return this.#heading;
  }

  #typed() {
    this.showError('');
    if (this.#recents.hidden) this.#choose('recents');
    this.#places?.typed(this.#field.value);
    show(this.#erase, this.#field.value !== '');
    this.#draw();
  }

  #eraseLast() {
    this.#field.value = [...this.#field.value].slice(0, -1).join('');
    this.#typed();
    this.#field.focus();
  }

  #toggleKeypad() {
    const isShown = Boolean(this.#keypadPanel.hidden);
    show(this.#keypadPanel, isShown);
    this.#toggle.setAttribute('aria-expanded', String(isShown));
    const label = isShown ? words.idle.hideKeypad : words.idle.showKeypad;
    this.#toggle.setAttribute('aria-label', label);
    this.#toggle.title = label;
  }

  #submit(video = false) {
    const typed = this.#field.value.trim();
    if (typed === '') {
      this.#recallLast();
      return;
    }
    const number = dialable(typed);
    // Who is meant by a name, if only one can be.
    const people = [...this.#found().map(targetOf), ...(this.#places?.found() ?? []).map(targetOfEntry)];
    const [only] = people;
    if (number !== null) {
      this.actions.dial({ number }, video);
    } else if (only && new Set(people.map((each) => each.number)).size === 1) {
      this.actions.dial(only, video);
    } else {
      this.showError(words.idle.invalid);
      this.#field.focus();
    }
  }

  /** The number dialled last, to be dialled by a second press. */
  #recallLast() {
    const last = this.#model?.recent?.find(({ direction: way, peer }) => way === 'outbound' && peer.number !== '');
    this.#field.focus();
    if (!last) return;
    this.setNumber(last.peer.e164 || last.peer.number);
    this.#field.select();
    this.dispatchEvent(new CustomEvent('announce', { bubbles: true, detail: words.idle.redial(who(last)) }));
  }

  /** The recent calls that what is typed points at. */
  #found() {
    const recent = this.#model?.recent ?? [];
    const typed = this.#field.value.trim().toLocaleLowerCase();
    if (typed === '') return recent;
    const digits = typed.replace(/\D/gu, '');
    return recent.filter((call) => {
      const names = `${person(call)} ${company(call)}`.toLocaleLowerCase();
      const numbers = `${call.peer.number} ${call.peer.e164 ?? ''} ${call.peer.national ?? ''}`.replace(/[^\d ]/gu, '');
      return names.includes(typed) || (digits !== '' && !/\p{L}/u.test(typed) && numbers.includes(digits));
    });
  }

  #draw() {
    const model = this.#model;
    if (!model) return;
    const isLoading = model.recent === null;
    if (!isLoading) {
      clearTimeout(this.#skeletonTimer);
      this.#skeletonTimer = undefined;
      show(this.#skeleton, false);
    } else {
      this.#skeletonTimer ??= setTimeout(() => show(this.#skeleton, true), SKELETON_AFTER_MS);
    }
    const found = this.#found();
    const isEmpty = model.recent?.length === 0;
    show(this.#empty, isEmpty && this.#field.value === '');
    const isAnybody = found.length > 0 || (this.#places?.found().length ?? 0) > 0;
    show(this.#none, !isLoading && !isEmpty && !isAnybody && dialable(this.#field.value) === null);
    // The tab says it, while nothing else is above.
    show(this.#heading, found.length > 0);
    this.#heading.classList.toggle('rb-live', this.#field.value.trim() === '');
    show(this.#tabs, this.#field.value.trim() === '');
    this.#callButton.disabled = !model.canDial;
    this.#videoButton.disabled = !model.canDial || this.isAtDesk;

    const today = new Date(model.now).toDateString();
    const key = JSON.stringify([found, model.crm, model.canDial, today, model.favourites?.map((each) => each.number)]);
    if (key === this.#drawn) return;
    this.#drawn = key;
    const focused = /** @type {HTMLElement|null} */ (
      this.#list.contains(document.activeElement) ? document.activeElement : null
    );
    const [focusedRow, focusedRole] = [focused?.closest('li')?.dataset['call'], focused?.dataset['role']];
    this.#list.replaceChildren(...found.map((call) => this.#row(call, model)));
    if (focusedRow) {
      const row = [...this.#list.children].find((each) => /** @type {HTMLElement} */ (each).dataset['call'] === focusedRow);
      /** @type {HTMLElement|null|undefined} */ (row?.querySelector(`[data-role="${focusedRole}"]`))?.focus();
    }
  }

  /** @param {CallView} call @param {IdleModel} model */
  #row(call, { crm, canDial, now, favourites }) {
    const kind = direction(call);
    const name = who(call);
    const isPerson = person(call) !== '';
    const [record] = call.match.records;
    const hasRecord = call.match.state === 'found' && call.match.records.length === 1 && record;
    const talked = call.answered_at && call.end_reason !== 'answered_elsewhere' ? duration(elapsed(call, now)) : kind.label;
    const time = moment(call.started_at, now);
    const missedInvite = call.invite && kind.name === 'missed' ? words.video.missedInvite(call.invite.subject) : '';
    const second = [missedInvite, missedInvite ? '' : company(call) || (isPerson ? peerNumber(call.peer) : ''), missedInvite ? '' : talked].filter(Boolean);
    const activity = call.activity?.state ?? 'none';
    return h(
      'li',
      { class: 'rb-recent', 'data-call': call.call_id, 'data-kind': kind.name },
      h(
        'button',
        {
          type: 'button',
          class: 'rb-recent-main',
          'data-role': 'main',
          title: hasRecord ? words.idle.open(name) : words.idle.useNumber(name),
          on: {
            click: () => {
              if (hasRecord) this.actions.open(call);
              else {
                this.setNumber(call.peer.e164 || call.peer.number);
                this.#field.focus();
              }
            },
          },
        },
        h('span', { class: 'rb-recent-icon', title: kind.label }, icon(kind.icon), spoken(kind.label)),
        h(
          'span',
          { class: 'rb-recent-text' },
          h('span', { class: 'rb-recent-name', dir: 'auto', title: name }, isPerson ? name : number(name)),
          h('span', { class: 'rb-recent-detail' }, ...joined(second)),
        ),
        h(
          'span',
          { class: 'rb-recent-meta' },
          h('time', { datetime: new Date(call.started_at).toISOString() }, time),
          activity === 'none' || crm === ''
            ? null
            : h(
                'span',
                { class: 'rb-log', 'data-state': activity, title: call.activity?.problem || words.activity[activity](crm) },
                icon(activity === 'written' ? 'check' : activity === 'failed' ? 'triangle-alert' : 'clock'),
                spoken(words.activity[activity](crm)),
              ),
        ),
      ),
      h(
        'button',
        {
          type: 'button',
          class: 'rb-icon-button',
          'data-role': 'call',
          'aria-label': words.idle.callBack(name),
          title: words.idle.callBack(name),
          disabled: !canDial || call.peer.number === '',
          on: { click: () => this.actions.dial(targetOf(call), false) },
        },
        icon('phone'),
      ),
      favourites && call.peer.number !== '' ? this.#star(call, name, favourites) : null,
    );
  }

  /** @param {CallView} call @param {string} name @param {readonly DirectoryEntry[]} favourites */
  #star(call, name, favourites) {
    const { e164, number: dialled } = call.peer;
    const isOn = favourites.some((each) => each.number === e164 || each.number === dialled);
    const label = isOn ? words.people.unstar(name) : words.people.star(name);
    return h(
      'button',
      {
        type: 'button',
        class: 'rb-icon-button rb-star',
        'data-role': 'star',
        'data-on': isOn,
        'aria-label': label,
        title: label,
        on: { click: () => this.actions.star(call, !isOn) },
      },
      icon('star'),
    );
  }

  /** @param {KeyboardEvent} event */
  #moveInList(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const role = /** @type {HTMLElement} */ (event.target).dataset['role'] ?? 'main';
    const buttons = [.../** @type {NodeListOf<HTMLElement>} */ (this.#list.querySelectorAll(`[data-role="${role}"]`))];
    const index = buttons.indexOf(/** @type {HTMLElement} */ (event.target)) + step;
    if (index < 0) this.#field.focus();
    else buttons[index]?.focus();
  }

  /** @param {IconName} image @param {string} label @param {() => void} onPress */
  #fieldButton(image, label, onPress) {
    return h(
      'button',
      { type: 'button', class: 'rb-icon-button', 'aria-label': label, title: label, on: { click: onPress } },
      icon(image),
    );
  }
}
customElements.define('ringbridge-idle', IdleScreen);

/** @param {CallView} call @returns {{name: string, icon: IconName, label: string}} */
function direction(call) {
  if (call.direction === 'outbound') {
    return call.answered_at
      ? { name: 'outbound', icon: 'phone-outgoing', label: words.history.outbound }
      : { name: 'unanswered', icon: 'phone-outgoing', label: words.history.unanswered };
  }
  switch (call.end_reason) {
    case 'answered_elsewhere':
      return { name: 'elsewhere', icon: 'monitor-smartphone', label: words.history.elsewhere };
    case 'do_not_disturb':
      return { name: 'missed', icon: 'phone-missed', label: words.history.doNotDisturb };
    case 'declined_here':
    case 'declined_elsewhere':
      return { name: 'declined', icon: 'phone-off', label: words.history.declined };
    default:
      return call.answered_at
        ? { name: 'inbound', icon: 'phone-incoming', label: words.history.inbound }
        : { name: 'missed', icon: 'phone-missed', label: words.history.missed };
  }
}
