/** All of call control that can be seen, in the places that the phone has for it. */
import { isHere, waiting } from '../../client/focus.js';
import { CallScreen } from '../call-view.js';
import { h } from '../dom.js';
import { MatchPanel } from '../match-panel.js';
import { Menu } from '../menu.js';
import { Conference } from './conference.js';
import { DialPeople } from './dial-people.js';
import { Handover } from './handover.js';
import { MorePanel } from './more-panel.js';
import { OtherTab } from './other-tab.js';
import { OtherCalls } from './other-calls.js';
import { pressShortcut } from './shortcuts.js';
import { TargetPanel } from './target-panel.js';
import { WaitingCall } from './waiting-call.js';

/**
 * @import {CallView} from '../../client/wire.d.ts'
 * @import {WindowedClient} from '../../video/windowed.js'
 * @import {IdleScreen} from '../idle-view.js'
 * @import {HostAdapter} from '../../hosts/adapter.js'
 * @import {Preferences} from '../preferences.js'
 * @import {Presses} from '../presses.js'
 *
 * @typedef {object} ControlOptions
 * @property {WindowedClient} client
 * @property {HostAdapter} host
 * @property {Presses} presses
 * @property {Preferences} preferences
 * @property {IdleScreen} idle
 * @property {() => void} invite
 * @property {() => boolean} canInvite
 * @property {(text: string) => void} announce
 */

export class Control {
  menu;
  call = new CallScreen();
  match = new MatchPanel();
  #options;
  #waiting;
  #otherTab;
  #over;
  #others;
  #handover;
  #conference;
  #people;
  #panels;

  /** @param {ControlOptions} options */
  constructor(options) {
    this.#options = options;
    const { client, host, presses, preferences, idle, invite, canInvite, announce } = options;
    this.menu = new Menu(client, preferences);
    this.match.client = client;
    this.match.host = host;
    this.#waiting = new WaitingCall(presses);
    this.#otherTab = new OtherTab(() => client.takeOver());
    this.#over = h('div', {}, this.#otherTab.element, this.#waiting.element);
    this.#others = new OtherCalls(presses);
    this.#handover = new Handover(presses);
    this.#conference = new Conference(presses);
    const { call } = this;
    const done = () => call.closePanel();
    this.#panels = {
      transfer: new TargetPanel({ client, presses, isTransfer: true, done }),
      add: new TargetPanel({ client, presses, isTransfer: false, done }),
      more: new MorePanel({ presses, invite, canInvite, announce, state: () => client.state, done }),
    };
    call.place({
      others: [this.#others.element],
      handover: this.#handover.elements,
      conference: [this.#conference.element],
      match: this.match,
      panels: this.#panels,
    });
    this.#people = new DialPeople({ client, presses, preferences, idle });
  }

  /** Over the screens, at the top. */
  get over() {
    return this.#over;
  }

  /** @param {CallView|null} focus */
  update(focus) {
    const { state } = this.#options.client;
    this.#otherTab.update(state, focus);
    this.#waiting.update(waiting(state), focus);
    this.#others.update(state, focus);
    this.#handover.update(state, focus);
    this.#conference.update(state, focus);
    if (focus && isHere(focus)) for (const panel of Object.values(this.#panels)) panel.update(focus);
    this.#people.update();
  }

  /** @param {KeyboardEvent} event @param {CallView|null} focus */
  shortcut(event, focus) {
    const { preferences, presses, client } = this.#options;
    if (preferences.get('shortcuts') !== 'on') return;
    if (pressShortcut(event, { focus, waiting: waiting(client.state) }, presses)) event.preventDefault();
  }
}
