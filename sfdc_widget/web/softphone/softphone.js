/**
 * The softphone: draws a client's state, turns presses into the client's methods.
 * Screens are made once and stay: what is typed survives a call passing through.
 *
 * What each part is about is in its own module. What shows calls, and the menu, is
 * loaded after the first picture (`control/load.js`), while the session is opened.
 */
import { focused, isHere, isTalking, together, waiting } from '../client/focus.js';
import { Banners } from './banners.js';
import { h, setText, show } from './dom.js';
import { who } from './format.js';
import { Header } from './header.js';
import { IdleScreen } from './idle-view.js';
import { InvitesDoor } from './invites-door.js';
import { Preferences } from './preferences.js';
import { entryOf, Presses, recordOf, targetOf } from './presses.js';
import { callProblem, idleProblem, problemOf } from './problems.js';
import { Sounds } from './sounds.js';
import { stateInWords } from './status.js';
import { moreWords, words } from './strings.js';
import { chooseToSpeak } from '../words/index.js';

/**
 * @import {CallView, Record as CrmRecord} from '../client/wire.d.ts'
 * @import {ClientState} from '../client/ringbridge-client.js'
 * @import {WindowedClient} from '../video/windowed.js'
 * @import {HostAdapter, PhoneMood} from '../hosts/adapter.js'
 * @import {CallScreen} from './call-view.js'
 * @import {Control} from './control/control.js'
 * @import {ElsewhereScreen} from './elsewhere-view.js'
 * @import {Problem} from './problem-card.js'
 * @import {SignInScreen, SignInWay} from './sign-in-view.js'
 */

/** How long an ended call stays on show. */
const DONE_AFTER_MS = 6_000;
const READ_AFTER_MS = 15_000;
/** … and while in use. */
const BUSY_MS = 4_000;
const PLAIN_ENDS = new Set(['hung_up_here', 'hung_up_there', 'cancelled_here', 'declined_here', 'declined_elsewhere', 'transferred']);
/** Reconnecting for less than this is not worth a word. */
const BANNER_AFTER_MS = 700;
/** Before another try to load what comes later. */
const LOAD_AGAIN_MS = 5_000;

/** @typedef {'connecting'|'signed-out'|'superseded'|'idle'|'call'} ViewName */

export class Softphone extends HTMLElement {
  /** @type {WindowedClient} */
  client = /** @type {any} */ (null);
  /** @type {HostAdapter} */
  host = /** @type {any} */ (null);
  /** Whom this address serves, '' when the user must say. */
  tenant = '';
  /** To sign in here. @type {readonly SignInWay[]} */
  ways = ['password'];
  sounds = new Sounds();

  /** The page around is to say who this is: a form here means that it did not. */
  isVouchedFor = false;
  #header = new Header();
  #banners = new Banners();
  #preferences = new Preferences();
  #over = h('div', { class: 'rb-place' });
  #menuPlace = h('div', { class: 'rb-place' });
  #idle = new IdleScreen();
  /** Most reps never see it: it is loaded with its first use. */
  #signIn = /** @type {SignInScreen} */ (document.createElement('ringbridge-sign-in'));
  #elsewhere = /** @type {ElsewhereScreen} */ (document.createElement('ringbridge-elsewhere'));
  /** What is loaded with its first use: whether it is there. @type {Map<string, boolean>} */
  #parts = new Map();
  #connecting = h(
    'div',
    { class: 'rb-view rb-connecting', 'aria-busy': 'true' },
    h('div', { class: 'rb-skeleton' }, ...[0, 1, 2, 3].map(() => h('div', { class: 'rb-skeleton-row' }))),
  );
  #main = h('main', { class: 'rb-main' }, this.#connecting, this.#signIn, this.#elsewhere, this.#idle);
  #polite = h('div', { class: 'rb-live', role: 'status', 'aria-live': 'polite' });
  #assertive = h('div', { class: 'rb-live', role: 'alert', 'aria-live': 'assertive' });

  #presses = /** @type {Presses} */ (/** @type {any} */ (null));
  #invites = /** @type {InvitesDoor} */ (/** @type {any} */ (null));
  /** @type {Control|null} */
  #control = null;
  /** @type {CallScreen|null} */
  #call = null;
  /** @type {Promise<void>|null} */
  #loading = null;
  /** @type {ViewName|null} */
  #view = null;
  /** @type {CallView|null} the last call, while it is still on show */
  #ended = null;
  #endedUntil = 0;
  #busyUntil = 0;
  /** @type {Problem|null} */
  #failure = null;
  #registrationSince = 0;
  #offlineSince = 0;
  #announcedCall = '';
  /** @type {string|null} */
  #panelOpenedFor = null;
  /** @type {Notification|null} */
  #notification = null;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #clock;
  /** @type {HTMLElement|null} */
  #lastFocused = null;
  #life = new AbortController();
  /** In whose place this one is, until all is taken over. @type {Softphone|null} */
  #former = null;

  connectedCallback() {
    if (this.firstChild) return;
    this.classList.add('rb-softphone');
    const { client, host } = this;
    this.#presses = new Presses({
      client,
      announce: (text) => this.#announce(text),
      fail: (error) => this.#fail(error),
      problem: (problem) => this.#setFailure(problem),
      hush: () => this.sounds.play(null),
      keepNumber: (number, error) => {
        this.#idle.setNumber(number);
        this.#idle.showError(error);
        this.update();
      },
    });
    const around = {
      client,
      host,
      main: this.#main,
      shownCall: () => this.#shown?.call_id ?? '',
      problem: (/** @type {Problem|null} */ problem) => this.#setFailure(problem),
      changed: () => this.update(),
    };
    if (this.#former) (this.#invites = this.#former.#invites).move(around);
    else this.#invites = new InvitesDoor(around);
    this.append(this.#header.element, this.#menuPlace, ...this.#banners.elements, this.#over, this.#main, this.#polite, this.#assertive);
    for (const view of this.#views().values()) view.hidden = true;
    this.#wire();
    this.#act();
    if (this.#former) this.#idle.take(this.#former.#idle);
    void this.#later();
    this.update();
  }

  /**
   * Makes another in the words that are now in use, and puts it in this one's place.
   * What is typed and what goes on go along.
   *
   * @returns {Softphone}
   */
  renew() {
    const next = new Softphone();
    const { client, host, tenant, ways, isVouchedFor, sounds } = this;
    Object.assign(next, { client, host, tenant, ways, isVouchedFor, sounds });
    next.#former = this;
    next.#ended = this.#ended;
    next.#endedUntil = this.#endedUntil;
    next.#panelOpenedFor = this.#panelOpenedFor;
    next.#announcedCall = this.#announcedCall;
    this.replaceWith(next);
    return next;
  }

  /** @param {string} wanted */
  async #speak(wanted) {
    try {
      if (!(await chooseToSpeak(wanted))) return;
    } catch {
      this.#announce(words.menu.languageFailed);
      return;
    }
    // What cannot be sent now goes along.
    await this.#call?.notes?.flush();
    const next = this.renew();
    await next.#later();
    next.#toggleMenu(true);
    next.#control?.menu.openAtLanguage();
  }

  disconnectedCallback() {
    this.#life.abort();
    clearInterval(this.#clock);
    this.sounds.play(null);
  }

  #views() {
    /** @type {[ViewName, HTMLElement|null][]} */
    const views = [
      ['connecting', this.#connecting],
      ['signed-out', this.#signIn],
      ['superseded', this.#elsewhere],
      ['idle', this.#idle],
      ['call', this.#call],
    ];
    return new Map(/** @type {[ViewName, HTMLElement][]} */ (views.filter(([, element]) => element !== null)));
  }

  #wire() {
    const { signal } = this.#life;
    const { client, host } = this;
    client.on('change', () => this.update(), { signal });
    client.on('incoming', (call) => this.#incoming(call), { signal });
    client.on('ended', (call) => this.#callEnded(call), { signal });
    client.on('logged', () => host.refresh(), { signal });
    host.onNavigate((record) => {
      if (signal.aborted) return;
      if (client.state.calls.length > 0) client.visit(record).catch(() => undefined);
    });
    host.onClickToDial(({ number, record, isInvite }) => {
      if (signal.aborted) return;
      host.setPanelVisible(true);
      if (isInvite) void this.invite(record);
      else void this.dial(number, record);
    });
    this.#signIn.addEventListener('sign-in', (event) => {
      client.signIn(/** @type {CustomEvent} */ (event).detail).catch(() => undefined);
    });
    this.#signIn.addEventListener('cancel', () => client.cancelSignIn());
    this.addEventListener('redraw', () => this.update());
    this.addEventListener('announce', (event) => this.#announce(/** @type {CustomEvent<string>} */ (event).detail));
    this.addEventListener('key-sound', (event) => this.sounds.key(/** @type {CustomEvent<string>} */ (event).detail));
    this.addEventListener('focusin', (event) => {
      this.#lastFocused = /** @type {HTMLElement} */ (event.target);
    });
    this.addEventListener('pointerdown', () => this.#touched());
    this.addEventListener('keydown', (event) => {
      this.#touched();
      if (event.key === 'Escape' && this.#view === 'call' && this.#ended && !isWrapUp(this.#ended)) this.#dismiss();
    });
    document.addEventListener('keydown', (event) => this.#control?.shortcut(event, focused(client.state)), { signal });
    document.addEventListener(
      'pointerdown',
      (event) => {
        const target = /** @type {Node} */ (event.target);
        const menu = this.#control?.menu;
        if (menu && !menu.hidden && !menu.contains(target) && !this.#header.menuButton.contains(target)) this.#toggleMenu(false);
      },
      { signal },
    );
    this.#clock = setInterval(() => this.#tick(), 500);
  }

  #touched() {
    this.sounds.unlock();
    this.#busyUntil = Date.now() + BUSY_MS;
  }

  /** What presses on the screens mean. */
  #act() {
    const { host } = this;
    const presses = this.#presses;
    this.#header.actions = {
      presence: () => void presses.presence(),
      menu: () => void this.#later().then(() => this.#toggleMenu()),
    };
    this.#banners.actions.extend = () =>
      void this.#invites.extend().then(
        () => this.#announce(words.ending.extended),
        (error) => this.#fail(error),
      );
    this.#idle.actions = {
      dial: (target, isVideo) => void presses.dial(target, { isVideo, isAtDesk: this.#idle.isAtDesk }),
      star: (call, isFavourite) => void presses.favourite(entryOf(call), isFavourite),
      open: (call) => {
        const record = recordOf(call);
        if (record) void host.popRecord(record).catch(() => undefined);
      },
      invites: (panel) => void this.#invites.showList(panel),
    };
  }

  /** @param {CallScreen} screen */
  #actOn(screen) {
    const { client } = this;
    const presses = this.#presses;
    const withCall = (/** @type {(call: CallView) => unknown} */ act) => () => {
      const call = focused(client.state);
      if (call) void act(call);
    };
    screen.actions = {
      answer: withCall((call) => this.#answer(call)),
      video: withCall((call) => presses.video(call)),
      showWindow: () => client.callWindow.show(),
      bringBack: () => client.callWindow.bringBack(),
      invite: () => this.#inviteShown(),
      decline: withCall((call) => presses.decline(call)),
      busy: withCall((call) => presses.decline(call, 'busy')),
      end: withCall((call) => presses.end(call)),
      mute: withCall((call) => presses.mute(call)),
      hold: withCall((call) => presses.hold(call)),
      again: () => {
        const call = this.#ended;
        this.#ended = null;
        if (call) void presses.dial(targetOf(call));
      },
      done: () => void this.#done(),
      digit: (digit) => {
        this.sounds.key(digit);
        withCall((call) => presses.digit(call, digit))();
      },
      openActivity: () => this.#ended && this.#openActivity(this.#ended),
      retryActivity: () => {
        if (this.#ended) client.retryActivity(this.#ended.call_id).catch((error) => this.#fail(error));
      },
    };
  }

  #inviteShown() {
    const call = this.#shown;
    if (call) void this.invite(recordOf(call));
  }

  /** Loads what is not in the first picture. */
  #later() {
    this.#loading ??= import('./control/load.js')
      .then(({ load }) =>
        load({
          client: this.client,
          host: this.host,
          presses: this.#presses,
          preferences: this.#preferences,
          idle: this.#idle,
          invite: () => this.#inviteShown(),
          canInvite: () => this.#invites.isAllowed,
          announce: (text) => this.#announce(text),
        }),
      )
      .then((control) => {
        this.#control = control;
        this.#call = control.call;
        this.#call.hidden = true;
        this.#actOn(this.#call);
        this.#main.append(this.#call);
        if (this.#former && this.#former.#call) this.#call.take(this.#former.#call);
        this.#former = null;
        this.#over.append(control.over);
        this.#menuPlace.append(control.menu);
        control.menu.isRingtoneOn = this.sounds.isRingtoneOn;
        control.menu.addEventListener('language', (event) => void this.#speak(/** @type {CustomEvent<string>} */ (event).detail));
        control.menu.addEventListener('setting', (event) => this.#set(/** @type {CustomEvent} */ (event).detail));
        this.update();
      })
      .catch(() => {
        setTimeout(() => {
          this.#loading = null;
          void this.#later();
        }, LOAD_AGAIN_MS);
      });
    return this.#loading;
  }

  /** @param {() => void} act */
  #whenLoaded(act) {
    void this.#later().then(() => this.#control && act());
  }

  /** A choice in the menu. @param {{name: string, value: boolean}} setting */
  #set({ name, value }) {
    if (name === 'close') this.#toggleMenu(false);
    if (name === 'ringtone' && this.#control) {
      this.sounds.isRingtoneOn = this.#control.menu.isRingtoneOn = value;
      this.#playSounds();
    }
    if (name === 'sign-out') {
      this.#toggleMenu(false);
      void this.client.signOut();
    }
  }

  // What to show

  /** The call that the screen is about. */
  get #shown() {
    return focused(this.client.state) ?? this.#ended;
  }

  update() {
    const { state } = this.client;
    this.#offlineSince = state.status === 'reconnecting' ? this.#offlineSince || Date.now() : 0;
    if (state.registration.state !== 'failed') this.#registrationSince = 0;
    else this.#registrationSince ||= Date.now();
    if (this.#ended) {
      this.#ended = state.recent?.find(({ call_id }) => call_id === this.#ended?.call_id) ?? this.#ended;
    }
    const focus = focused(state);
    if (focus) this.#ended = null;
    // After a reload too, and after a call that came in between.
    else this.#ended ??= state.recent?.find(isWrapUp) ?? null;
    if (focus && focus.call_id !== this.#panelOpenedFor) {
      // After a reload too.
      this.#panelOpenedFor = focus.call_id;
      this.host.setPanelVisible(true);
    }
    this.#control?.update(focus);
    this.#drawScreen(state, focus);
    const isCovered = this.#invites.update(focus, this.#view === 'idle');
    this.#idle.inert = isCovered;
    if (this.#call) this.#call.inert = isCovered;
    this.#drawHeader(state, focus);
    const said = this.#banners.update(state, state.status === 'reconnecting' && this.#isOfflineForLong);
    if (said !== '') this.#announce(said);
    this.#tellHost(state, focus);
    this.#playSounds();
    if (!state.calls.some((call) => call.state === 'ringing')) {
      this.#notification?.close();
      this.#notification = null;
    }
  }

  /** @param {ClientState} state @param {CallView|null} focus */
  #drawScreen(state, focus) {
    const shown = focus ?? this.#ended;
    /** @type {ViewName} */
    let view = 'idle';
    if (state.status === 'superseded') {
      const isThere = this.#hasPart('elsewhere', () => import('./elsewhere-view.js'));
      view = isThere ? 'superseded' : 'connecting';
    } else if (state.status === 'signed_out' || (state.status === 'signing_in' && !this.#isByHost)) {
      const isThere = this.#hasPart('sign-in', () => import('./sign-in-view.js'));
      view = isThere ? 'signed-out' : 'connecting';
    }
    else if (!state.user) view = 'connecting';
    else if (shown) view = this.#call ? 'call' : 'connecting';

    if (view === 'call' && shown && this.#call) this.#drawCall(this.#call, state, shown);
    else if (view === 'idle') {
      this.#idle.update({
        recent: state.recent,
        // Loaded with what shows calls, as its words are.
        problem: this.#control && idleProblem(this.client, { registrationSince: this.#registrationSince, failure: this.#failure, onFail: (error) => this.#fail(error) }),
        crm: state.crm,
        canDial: state.status === 'ready',
        hasInvites: this.#invites.isAllowed,
        favourites: state.favourites,
        now: Date.now() + state.clockOffsetMs,
      });
    } else if (view === 'superseded') {
      this.#elsewhere.update(this.client, state.isInWindow);
    } else if (view === 'signed-out') {
      this.#signIn.update({
        isBusy: state.status === 'signing_in',
        problem: state.signInProblem,
        note: this.isVouchedFor ? words.signInByHost : '',
        tenant: this.tenant,
        ways: this.ways,
      });
    }
    this.#showView(view, shown);
  }

  /** @param {CallScreen} screen @param {ClientState} state @param {CallView} call */
  #drawCall(screen, state, call) {
    const { callWindow } = this.client;
    const { isMuted, isConnected, isRestored } = this.client.localState(call.call_id);
    const answer = () => void this.#answer(call);
    screen.update({
      call,
      conference: together(state.calls, call),
      isMuted,
      isConnected: isConnected || call.device === 'desk_phone' || state.isObserver,
      isObserver: state.isObserver,
      isRestored,
      crm: state.crm,
      problem: callProblem(this.client, call, { failure: this.#failure, answer }),
      isOnline: state.status === 'ready' || callWindow.mirror !== null,
      isInWindow: callWindow.mirror !== null,
      isWindowSilent: callWindow.isSilent,
      canInvite: this.#invites.isAllowed,
      rules: state.rules,
      now: Date.now() + state.clockOffsetMs,
    });
  }

  /**
   * Asks for a part that few need, if it is not there. Its words come first: the element
   * is on the page already, and is made of them when its module arrives.
   *
   * @param {'elsewhere'|'sign-in'} name
   * @param {() => Promise<unknown>} load
   */
  #hasPart(name, load) {
    if (!this.#parts.has(name)) {
      this.#parts.set(name, false);
      moreWords(name).then(load).then(
        () => {
          this.#parts.set(name, true);
          this.update();
        },
        () =>
          setTimeout(() => {
            this.#parts.delete(name);
            this.update();
          }, LOAD_AGAIN_MS),
      );
    }
    return this.#parts.get(name);
  }

  get #isByHost() {
    return this.#view === 'connecting' || this.#view === null ? this.host.hasOwnForm : false;
  }

  /** @param {ViewName} view @param {CallView|null} shown */
  #showView(view, shown) {
    const key = view === 'call' && shown ? (shown.state === 'ringing' ? 'ringing' : shown.state === 'ended' ? 'ended' : 'up') : view;
    const hadKey = this.dataset['screen'];
    this.dataset['view'] = view;
    this.dataset['state'] = shown && view === 'call' ? shown.state : '';
    if (hadKey === key && this.#view === view) return;
    this.dataset['screen'] = key;
    if (this.#view !== view) {
      for (const [name, element] of this.#views()) show(element, name === view);
      this.#view = view;
    }
    // The browser lets go of what is hidden, now or a moment ago.
    const last = this.#lastFocused;
    const active = document.activeElement;
    const isGone = last !== null && !last.checkVisibility() && (active === last || active === document.body);
    if (!isGone && !(view === 'idle' && hadKey === 'ended' && document.hasFocus())) return;
    const screen = { call: this.#call, idle: this.#idle, 'signed-out': this.#signIn, superseded: this.#elsewhere }[
      /** @type {'call'|'idle'|'signed-out'|'superseded'} */ (view)
    ];
    // Enter meant for a field must not answer a call that came in meanwhile.
    if (screen) (last instanceof HTMLInputElement && view === 'call' ? screen.heading : screen.primary).focus({ preventScroll: true });
  }

  /** @param {ClientState} state @param {CallView|null} focus */
  #drawHeader(state, focus) {
    const shown = focus ?? this.#ended;
    const { text, tone } = stateInWords(state, shown, {
      isMuted: shown !== null && this.client.localState(shown.call_id).isMuted,
      isOfflineForLong: this.#isOfflineForLong,
    });
    this.dataset['tone'] = tone;
    const isCall = shown !== null && this.#view === 'call';
    const isNew = this.#header.update(state, isCall ? shown : null, text, state.user !== null && this.#view !== 'signed-out');
    // Ringing is announced by name instead, where it rings.
    if (isNew && (focus?.state !== 'ringing' || state.isObserver) && this.#view !== 'connecting') this.#announce(text);
  }

  get #isOfflineForLong() {
    return this.#offlineSince > 0 && Date.now() - this.#offlineSince >= BANNER_AFTER_MS;
  }

  /** @param {ClientState} state @param {CallView|null} focus */
  #tellHost(state, focus) {
    /** @type {[string, PhoneMood]} */
    let [label, mood] = [words.label.idle, 'idle'];
    if (focus) {
      const name = who(focus);
      if (focus.state === 'ringing') [label, mood] = [words.label.ringing(name), 'ringing'];
      else if (focus.state === 'active') [label, mood] = [words.label.active(name), 'active'];
      else [label, mood] = [words.label.outgoing(name), 'outgoing'];
    } else if (state.status !== 'ready' || state.registration.state === 'failed') {
      [label, mood] = [words.label.off, 'off'];
    }
    this.host.setLabel(label, mood);
  }

  #playSounds() {
    const { state } = this.client;
    const focus = focused(state);
    const isTold = waiting(state) !== null;
    if (state.isObserver || (focus && !isHere(focus))) this.sounds.play(null);
    else if (focus?.state === 'ringing') this.sounds.play('ringtone');
    else if (isTold && focus) this.sounds.play(isTalking(focus) || focus.state !== 'active' ? 'waiting' : 'ringtone');
    else if (focus?.state === 'alerting' && !this.client.localState(focus.call_id).hasEarlyMedia) this.sounds.play('ringback');
    else this.sounds.play(null);
  }

  // What is pressed

  /** @param {Problem|null} problem of what was pressed last */
  #setFailure(problem) {
    if (problem === null && this.#failure === null) return;
    this.#failure = problem;
    if (problem) this.#announce([problem.title, problem.text].filter(Boolean).join('. '));
    this.update();
  }

  /** @param {unknown} error */
  #fail(error) {
    if (!this.#control) {
      this.#whenLoaded(() => this.#fail(error));
      return;
    }
    const problem = problemOf(error);
    if (problem) this.#setFailure(problem);
  }

  /**
   * @param {string} number
   * @param {Partial<CrmRecord>|null} [record]
   */
  async dial(number, record = null) {
    this.#ended = null;
    await this.#presses.dial({ number, record }, { isAtDesk: this.#idle.isAtDesk });
  }

  /** The dialog, for somebody. @param {Partial<CrmRecord>|null} record */
  async invite(record) {
    await this.#invites.make(record);
  }

  /** @param {CallView} call */
  async #answer(call) {
    if (call.state !== 'ringing') return;
    await this.#presses.answer(call);
    this.update();
  }

  /** @param {CallView} call */
  #openActivity(call) {
    const { record_id: id = '', url = '' } = call.activity ?? {};
    if (id) {
      void this.host
        .popRecord({ id, kind: '', name: '', url, company: '', phone: '', email: '', certainty: 'exact' })
        .catch(() => undefined);
    }
  }

  // What happens

  /** @param {CallView} call */
  #incoming(call) {
    this.#failure = null;
    this.#toggleMenu(false);
    if (this.#announcedCall !== call.call_id) {
      this.#announcedCall = call.call_id;
      const isVideo = call.video?.state === 'offered';
      setText(this.#assertive, isVideo ? words.video.wants(who(call)) : words.announce.incoming(who(call)));
    }
    this.#notify(call);
  }

  /** @param {CallView} call */
  #notify(call) {
    if (!('Notification' in globalThis) || Notification.permission !== 'granted' || document.hasFocus()) return;
    try {
      this.#notification = new Notification(words.label.ringing(who(call)), { tag: call.call_id, requireInteraction: true });
      this.#notification.onclick = () => {
        window.focus();
        this.host.setPanelVisible(true);
      };
    } catch {
      // Some browsers only allow them from a service worker.
    }
  }

  /** @param {CallView} call */
  #callEnded(call) {
    if (!this.#control) {
      this.#whenLoaded(() => this.#callEnded(call));
      return;
    }
    setText(this.#assertive, '');
    const { state } = this.client;
    const advice = words.endReason[call.end_reason ?? 'failed'] ?? words.endReason.failed;
    if (focused(state)) {
      this.#endedBeside(call, advice.title);
      return;
    }
    this.#ended = call;
    const isPlain = PLAIN_ENDS.has(call.end_reason ?? '');
    this.#endedUntil = Date.now() + (isPlain ? DONE_AFTER_MS : READ_AFTER_MS);
    this.update();
    this.#announce([advice.title, advice.text].filter(Boolean).join('. '));
  }

  /** Others go on, so that there is no screen for it. @param {CallView} call @param {string} why */
  #endedBeside(call, why) {
    const about = this.client.state.calls.find(({ call_id }) => call_id === call.consults_for);
    const isByThem = !['hung_up_here', 'cancelled_here', 'transferred'].includes(call.end_reason ?? '');
    if (about && isByThem) {
      this.#setFailure({ title: words.control.askedEnded(who(call), why, who(about)), text: '', isMild: true });
    } else {
      this.#announce(`${who(call)}: ${why}`);
    }
  }

  async #done() {
    const notes = this.#control?.call.notes;
    if (this.#ended && isWrapUp(this.#ended) && notes && !(await notes.save())) return;
    await notes?.flush();
    this.#dismiss();
  }

  #dismiss() {
    this.#ended = null;
    this.#failure = null;
    this.update();
  }

  #tick() {
    const { state } = this.client;
    if (this.#ended && isWrapUp(this.#ended)) {
      this.#endedUntil = Date.now() + DONE_AFTER_MS;
      this.update();
      return;
    }
    const isInUse = this.#call?.notes?.isInUse || Date.now() <= Math.max(this.#endedUntil, this.#busyUntil);
    if (this.#ended && !isInUse && !this.#control?.match.querySelector('form:not([hidden])') && !this.#invites.isOpen) {
      this.#dismiss();
      return;
    }
    if (state.calls.length > 0 || state.status === 'reconnecting' || state.registration.retry_in_s) this.update();
  }

  /** @param {boolean} [isOpen] else the other way round */
  #toggleMenu(isOpen) {
    const menu = this.#control?.menu;
    const wanted = isOpen ?? menu?.hidden;
    if (!menu || wanted === !menu.hidden) return;
    const hadFocus = menu.contains(document.activeElement);
    if (wanted) menu.open();
    else menu.hidden = true;
    this.#header.isMenuOpen = Boolean(wanted);
    if (!wanted && hadFocus) this.#header.menuButton.focus();
  }

  /** @param {string} text */
  #announce(text) {
    setText(this.#polite, text);
  }
}
customElements.define('ringbridge-softphone', Softphone);

/** @param {CallView} call */
function isWrapUp({ work }) {
  return work.state === 'wrap_up';
}
