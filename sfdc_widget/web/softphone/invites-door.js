import { show } from './dom.js';
import { soonOver } from './format.js';
import { words } from './strings.js';

/**
 * @import {CallView} from '../client/wire.d.ts'
 * @import {WindowedClient} from '../video/windowed.js'
 * @import {HostAdapter} from '../hosts/adapter.js'
 * @import {InvitesPanel} from '../invites/invites-panel.js'
 * @import {Problem} from './problem-card.js'
 *
 * @typedef {object} Around
 * @property {WindowedClient} client
 * @property {HostAdapter} host
 * @property {HTMLElement} main
 * @property {() => string} shownCall id of the call on show
 * @property {(problem: Problem|null) => void} problem
 * @property {() => void} changed
 */

/** The invites, which are loaded with their first use: their list, and their dialog. */
export class InvitesDoor {
  #around;
  /** @type {Promise<InvitesPanel>|null} */
  #loading = null;
  /** @type {InvitesPanel|null} */
  #panel = null;
  /** @type {HTMLElement|null} */
  #place = null;
  /** It says what it says in the language of before. */
  #isFormer = false;
  /** The call that the dialog was opened in. */
  #openedIn = '';

  /** @param {Around} around */
  constructor(around) {
    this.#around = around;
  }

  /** Others are around it, who speak another language. @param {Around} around */
  move(around) {
    this.#around = around;
    this.#isFormer = true;
    // What is being typed stays as it is until it is sent or left.
    if (this.#panel && this.isOpen) around.main.append(this.#panel.sheet);
    else this.#forget();
  }

  #forget() {
    this.#panel?.sheet.remove();
    this.#panel?.list.remove();
    this.#loading = this.#panel = null;
    this.#isFormer = false;
  }

  get isAllowed() {
    return Boolean(this.#around.client.state.user?.invites_from);
  }

  get isOpen() {
    return this.#panel?.isOpen ?? false;
  }

  /** @returns {Promise<InvitesPanel|null>} */
  async #load() {
    const { client, host, main, problem } = this.#around;
    const onToggle = () => {
      this.#openedIn = this.#around.shownCall();
      this.#around.changed();
    };
    try {
      this.#loading ??= import('../invites/load.js').then(({ load }) => load({ client, host, onToggle }));
      const panel = await this.#loading;
      if (!panel.sheet.isConnected) main.append(panel.sheet);
      this.#panel = panel;
      return panel;
    } catch {
      this.#loading = null;
      problem({ title: words.invite.loadFailed, text: words.invite.loadFailedText });
      return null;
    }
  }

  /** @param {HTMLElement} place for the list */
  async showList(place) {
    const panel = await this.#load();
    if (!panel) return;
    this.#place = place;
    if (!panel.list.isConnected) place.append(panel.list);
    await panel.list.load();
  }

  /** The dialog, for somebody. @param {Partial<import('../client/wire.d.ts').Record>|null} record */
  async make(record) {
    const { problem } = this.#around;
    problem(this.isAllowed ? null : { title: words.invite.off, text: words.invite.offText });
    if (this.isAllowed) await (await this.#load())?.make('make', record);
  }

  /** More time for the invite that is soon over. */
  async extend() {
    const { client } = this.#around;
    const { state } = client;
    const ending = soonOver(state, Date.now() + state.clockOffsetMs);
    if (ending) await client.invites.extend(ending.inviteId, words.ending.minutes);
  }

  /**
   * A call that comes in lies over the dialog until it is over.
   *
   * @param {CallView|null} focus
   * @param {boolean} isIdle
   * @returns {boolean} the dialog is on show
   */
  update(focus, isIdle) {
    if (this.#isFormer && !this.isOpen) {
      this.#forget();
      if (this.#place?.checkVisibility()) void this.showList(this.#place);
    }
    if (!this.#panel) return false;
    const isFree = focus === null || (focus.call_id === this.#openedIn && focus.state === 'active');
    const isShown = this.#panel.isOpen && isFree;
    show(this.#panel.sheet, isShown);
    if (isIdle) this.#panel.list.update();
    return isShown;
  }
}
