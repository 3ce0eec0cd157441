import { h, setAttribute, setText, show } from './dom.js';
import { duration, elapsed } from './format.js';
import { icon } from './icons.js';
import { words } from './strings.js';

/**
 * @import {CallView} from '../client/wire.d.ts'
 * @import {ClientState} from '../client/ringbridge-client.js'
 */

/** The top line: the state in words, whose phone it is or how long it lasts, two switches. */
export class Header {
  #state = h('span', { class: 'rb-state' });
  #aside = h('span', { class: 'rb-aside', dir: 'auto' });
  #presence = h(
    'button',
    {
      type: 'button',
      class: 'rb-icon-button rb-presence',
      'aria-label': words.status.doNotDisturb,
      'aria-pressed': 'false',
      title: words.status.doNotDisturb,
      on: { click: () => this.actions.presence() },
    },
    icon('moon'),
  );
  menuButton = h(
    'button',
    {
      type: 'button',
      class: 'rb-icon-button',
      'aria-label': words.menu.open,
      title: words.menu.open,
      'aria-expanded': 'false',
      'aria-controls': 'rb-menu',
      on: { click: () => this.actions.menu() },
    },
    icon('ellipsis-vertical'),
  );
  element = h(
    'div',
    { class: 'rb-header' },
    h('span', { class: 'rb-dot', 'aria-hidden': 'true' }),
    this.#state,
    this.#aside,
    this.#presence,
    this.menuButton,
  );
  actions = { presence: () => {}, menu: () => {} };

  /**
   * @param {ClientState} state
   * @param {CallView|null} shown in a call's screen
   * @param {string} text
   * @param {boolean} hasControls
   * @returns {boolean} the text is new
   */
  update(state, shown, text, hasControls) {
    const now = Date.now() + state.clockOffsetMs;
    const time = shown ? timeOf(state, shown, now) : '';
    setText(this.#aside, shown ? time : state.user?.name ?? '');
    this.#aside.title = shown ? '' : [state.user?.name, state.user?.number].filter(Boolean).join(' · ');
    this.#aside.classList.toggle('rb-timer', shown !== null);
    setAttribute(this.#aside, 'role', shown ? 'timer' : null);
    setAttribute(this.#aside, 'aria-live', shown ? 'off' : null);
    setAttribute(this.#presence, 'aria-pressed', String(state.presence === 'do_not_disturb'));
    show(this.#presence, hasControls);
    this.#presence.disabled = state.status !== 'ready';
    show(this.menuButton, hasControls);
    if (this.#state.textContent === text) return false;
    setText(this.#state, text);
    return true;
  }

  /** @param {boolean} isOpen */
  set isMenuOpen(isOpen) {
    this.menuButton.setAttribute('aria-expanded', String(isOpen));
    const label = isOpen ? words.menu.close : words.menu.open;
    this.menuButton.setAttribute('aria-label', label);
    this.menuButton.title = label;
  }
}

/** How long it has been so. @param {ClientState} state @param {CallView} call @param {number} now */
function timeOf(state, call, now) {
  const heldSince = state.heldSince[call.call_id];
  if (call.state === 'active' && heldSince !== undefined) return duration((now - heldSince) / 1000);
  return call.state !== 'ended' || call.answered_at ? duration(elapsed(call, now)) : '';
}
