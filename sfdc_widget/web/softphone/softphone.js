/**
 * The softphone: draws a client's state, turns presses into the client's methods.
 * Screens are made once and stay: what is typed survives a call passing through.
 */
import { h, setAttribute, setText, show } from './dom.js';
import { CallScreen } from './call-view.js';
import { duration, elapsed, soonOver, who } from './format.js';
import { icon } from './icons.js';
import { IdleScreen } from './idle-view.js';
import { Menu } from './menu.js';
import { Sounds } from './sounds.js';
import { words } from './strings.js';

/** @import {CallView} from '../client/wire.d.ts' */
/** @import {ClientState} from '../client/ringbridge-client.js' */
/** @import {WindowedClient} from '../video/windowed.js' */
/** @import {Order} from '../video/messages.js' */
/** @import {InvitesPanel} from '../invites/invites-panel.js' */
/** @import {HostAdapter, PhoneMood} from '../hosts/adapter.js' */
/** @import {Problem} from './problem-card.js' */
/** @import {SignInScreen, SignInWay} from './sign-in-view.js' */

/** How long an ended call stays on show. */
const DONE_AFTER_MS = 6_000;
const READ_AFTER_MS = 15_000;
/** … and while in use. */
const BUSY_MS = 4_000;
const PLAIN_ENDS = new Set(['hung_up_here', 'hung_up_there', 'cancelled_here', 'declined_here', 'declined_elsewhere']);
const LOAD_AGAIN_MS = 3_000;
/** Reconnecting for less than this is not worth a word. */
const BANNER_AFTER_MS = 700;

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

  #signInNote = '';
  #dot = h('span', { class: 'rb-dot', 'aria-hidden': 'true' });
  #state = h('span', { class: 'rb-state' });
  #aside = h('span', { class: 'rb-aside', dir: 'auto' });
  #menuButton = h(
    'button',
    {
      type: 'button',
      class: 'rb-icon-button',
      'aria-label': words.menu.open,
      title: words.menu.open,
      'aria-expanded': 'false',
      'aria-controls': 'rb-menu',
      on: { click: () => this.#toggleMenu() },
    },
    icon('ellipsis-vertical'),
  );
  #menu = new Menu();
  #banner = h('p', { class: 'rb-banner', hidden: true });
  #secondText = h('p', { class: 'rb-second-text' });
  #second = h(
    'section',
    { class: 'rb-second', hidden: true },
    this.#secondText,
    h(
      'div',
      { class: 'rb-row' },
      h('button', { type: 'button', class: 'rb-button rb-answer', on: { click: () => void this.#endAndAnswer() } }, words.call.endAndAnswer),
      h('button', { type: 'button', class: 'rb-button rb-neutral', on: { click: () => this.#declineSecond() } }, words.call.decline),
    ),
  );
  #call = new CallScreen();
  #idle = new IdleScreen();
  /** Most reps never see it: it is loaded with its first use. */
  #signIn = /** @type {SignInScreen} */ (document.createElement('ringbridge-sign-in'));
  #hasSignIn = false;
  /** @type {Promise<unknown>|null} */
  #signInLoading = null;
  #connecting = h(
    'div',
    { class: 'rb-view rb-connecting', 'aria-busy': 'true' },
    h('div', { class: 'rb-skeleton' }, ...[0, 1, 2, 3].map(() => h('div', { class: 'rb-skeleton-row' }))),
  );
  #takeOver = h(
    'button',
    { type: 'button', class: 'rb-button rb-brand rb-big', on: { click: () => this.client.takeOver() } },
    words.superseded.takeOver,
  );
  #supersededTitle = h('h1', { class: 'rb-title' });
  #supersededText = h('p', {});
  #showWindow = h(
    'button',
    { type: 'button', class: 'rb-button rb-neutral rb-big', on: { click: () => this.#findWindow() } },
    words.video.show,
  );
  #superseded = h(
    'div',
    { class: 'rb-view rb-superseded' },
    icon('monitor-smartphone'),
    this.#supersededTitle,
    this.#supersededText,
    this.#showWindow,
    this.#takeOver,
  );
  #endingText = h('p', {});
  #ending = h(
    'section',
    { class: 'rb-banner rb-ending', hidden: true },
    this.#endingText,
    h('button', { type: 'button', class: 'rb-button rb-neutral', on: { click: () => void this.#extendInvite() } }, words.ending.extend),
  );
  #polite = h('div', { class: 'rb-live', role: 'status', 'aria-live': 'polite' });
  #assertive = h('div', { class: 'rb-live', role: 'alert', 'aria-live': 'assertive' });

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
  /** @type {Promise<InvitesPanel>|null} */
  #invites = null;
  /** @type {InvitesPanel|null} */
  #panel = null;
  /** The call that the invite dialog was opened in. */
  #sheetFor = '';
  /** @type {HTMLElement|null} */
  #lastFocused = null;
  #life = new AbortController();

  connectedCallback() {
    if (this.firstChild) return;
    this.classList.add('rb-softphone');
    this.#menu.client = this.client;
    this.#call.match.client = this.client;
    this.#call.match.host = this.host;
    this.append(
      h(
        'div',
        { class: 'rb-header' },
        this.#dot,
        this.#state,
        this.#aside,
        this.#menuButton,
      ),
      this.#menu,
      this.#banner,
      this.#ending,
      this.#second,
      h('main', { class: 'rb-main' }, this.#connecting, this.#signIn, this.#superseded, this.#idle, this.#call),
      this.#polite,
      this.#assertive,
    );
    for (const view of this.#views().values()) view.hidden = true;
    this.#wire();
    this.update();
  }

  disconnectedCallback() {
    this.#life.abort();
    clearInterval(this.#clock);
    this.sounds.play(null);
  }

  /** Said under the sign-in form when the host could not vouch. @param {string} note */
  set signInNote(note) {
    this.#signInNote = note;
  }

  #views() {
    /** @type {[ViewName, HTMLElement][]} */
    const views = [
      ['connecting', this.#connecting],
      ['signed-out', this.#signIn],
      ['superseded', this.#superseded],
      ['idle', this.#idle],
      ['call', this.#call],
    ];
    return new Map(views);
  }

  #wire() {
    const { signal } = this.#life;
    const { client, host } = this;
    client.on('change', () => this.update(), { signal });
    client.on('incoming', (call) => this.#incoming(call), { signal });
    client.on('ended', (call) => this.#callEnded(call), { signal });
    client.on('logged', () => host.refresh(), { signal });
    host.onNavigate((record) => {
      if (client.state.calls.length > 0) client.visit(record).catch(() => undefined);
    });
    host.onClickToDial(({ number, record, isInvite }) => {
      host.setPanelVisible(true);
      if (isInvite) void this.invite(record);
      else void this.dial(number, record);
    });
    this.#call.actions = {
      answer: () => void this.#answer(),
      video: () => this.#video(),
      showWindow: () => client.callWindow.show(),
      bringBack: () => client.callWindow.bringBack(),
      invite: () => {
        const call = this.#focused(client.state) ?? this.#ended;
        if (call) void this.invite(recordOf(call));
      },
      decline: () => this.#withCall((call) => client.decline(call.call_id)),
      end: () => this.#withCall((call) => client.hangup(call.call_id)),
      mute: () =>
        this.#withCall((call) => {
          const isMuted = !client.localState(call.call_id).isMuted;
          client.mute(call.call_id, isMuted);
          this.#announce(isMuted ? words.announce.muted : words.announce.unmuted);
        }),
      again: () => {
        const call = this.#ended;
        if (call) void this.dial(call.peer.e164 || call.peer.number, recordOf(call));
      },
      done: () => void this.#done(),
      digit: (digit) => this.#withCall((call) => client.sendDigits(call.call_id, digit)),
      openActivity: () => this.#ended && this.#openActivity(this.#ended),
      retryActivity: () => {
        if (this.#ended) this.client.retryActivity(this.#ended.call_id).catch((error) => this.#fail(error));
      },
    };
    this.#idle.actions = {
      dial: (number, from, video) => void this.dial(number, from ? recordOf(from) : null, video),
      open: (call) => {
        const record = recordOf(call);
        if (record) void host.popRecord(record).catch(() => undefined);
      },
      invites: (panel) => void this.#showInvites(panel),
    };
    this.#signIn.addEventListener('sign-in', (event) => {
      client.signIn(/** @type {CustomEvent} */ (event).detail).catch(() => undefined);
    });
    this.#signIn.addEventListener('cancel', () => client.cancelSignIn());
    this.#menu.addEventListener('setting', (event) => {
      const { name, value } = /** @type {CustomEvent<{name: string, value: boolean}>} */ (event).detail;
      if (name === 'close') this.#toggleMenu(false);
      if (name === 'ringtone') {
        this.sounds.isRingtoneOn = this.#menu.isRingtoneOn = value;
        this.#playSounds();
      }
      if (name === 'desk-phone') this.#menu.isByDeskPhone = value;
      if (name === 'sign-out') {
        this.#toggleMenu(false);
        void client.signOut();
      }
    });
    this.addEventListener('redraw', () => this.update());
    this.addEventListener('announce', (event) => this.#announce(/** @type {CustomEvent<string>} */ (event).detail));
    this.addEventListener('focusin', (event) => {
      this.#lastFocused = /** @type {HTMLElement} */ (event.target);
    });
    this.addEventListener('pointerdown', () => {
      this.sounds.unlock();
      this.#busyUntil = Date.now() + BUSY_MS;
    });
    this.addEventListener('keydown', (event) => {
      this.sounds.unlock();
      this.#busyUntil = Date.now() + BUSY_MS;
      if (event.key === 'Escape' && this.#view === 'call' && this.#ended && this.#ended.work.state !== 'wrap_up') this.#dismiss();
    });
    document.addEventListener(
      'pointerdown',
      (event) => {
        const target = /** @type {Node} */ (event.target);
        if (!this.#menu.hidden && !this.#menu.contains(target) && !this.#menuButton.contains(target)) {
          this.#toggleMenu(false);
        }
      },
      { signal },
    );
    this.#clock = setInterval(() => this.#tick(), 500);
  }

  // What to show

  update() {
    const { state } = this.client;
    this.#offlineSince = state.status === 'reconnecting' ? this.#offlineSince || Date.now() : 0;
    if (state.registration.state !== 'failed') this.#registrationSince = 0;
    else this.#registrationSince ||= Date.now();
    if (this.#ended) {
      this.#ended = state.recent?.find(({ call_id }) => call_id === this.#ended?.call_id) ?? this.#ended;
    }
    const focus = this.#focused(state);
    if (focus) this.#ended = null;
    // After a reload too, and after a call that came in between.
    else this.#ended ??= state.recent?.find(({ work }) => work.state === 'wrap_up') ?? null;
    if (focus && focus.call_id !== this.#panelOpenedFor) {
      // After a reload too.
      this.#panelOpenedFor = focus.call_id;
      this.host.setPanelVisible(true);
    }
    this.#drawScreen(state, focus);
    this.#drawSheet(focus);
    this.#drawHeader(state, focus);
    this.#drawBanner(state, focus);
    this.#drawSecond(state, focus);
    this.#tellHost(state, focus);
    this.#playSounds();
    if (!state.calls.some((call) => call.state === 'ringing')) {
      this.#notification?.close();
      this.#notification = null;
    }
  }

  /** The call that the screen is about. @param {ClientState} state @returns {CallView|null} */
  #focused(state) {
    // What the rep can act on comes before what is on the desk phone.
    const here = state.calls.filter(isHere);
    if (here.length > 0 && here.length < state.calls.length) return this.#focused({ ...state, calls: here });
    return (
      state.calls.find((call) => call.state === 'active' || call.state === 'answering') ??
      state.calls.find((call) => call.direction === 'outbound') ??
      state.calls[0] ??
      null
    );
  }

  /** @param {ClientState} state @param {CallView|null} focus */
  #drawScreen(state, focus) {
    const shown = focus ?? this.#ended;
    /** @type {ViewName} */
    let view = 'idle';
    if (state.status === 'superseded') view = 'superseded';
    else if (state.status === 'signed_out' || (state.status === 'signing_in' && !this.#isByHost)) view = this.#signInView();
    else if (!state.user) view = 'connecting';
    else if (shown) view = 'call';

    if (view === 'call' && shown) {
      const local = this.client.localState(shown.call_id);
      this.#call.update({
        call: shown,
        isMuted: local.isMuted,
        isConnected: local.isConnected,
        isRestored: local.isRestored,
        crm: state.crm,
        problem: this.#callProblem(state, shown),
        isOnline: state.status === 'ready',
        isInWindow: this.client.callWindow.mirror !== null,
        isWindowSilent: this.client.callWindow.isSilent,
        canInvite: this.#canInvite,
        rules: state.rules,
        now: Date.now() + state.clockOffsetMs,
      });
    } else if (view === 'idle') {
      this.#idle.update({
        recent: state.recent,
        problem: this.#idleProblem(state),
        crm: state.crm,
        canDial: state.status === 'ready',
        hasInvites: this.#canInvite,
        now: Date.now() + state.clockOffsetMs,
      });
    } else if (view === 'superseded') {
      const { isInWindow } = state;
      setText(this.#supersededTitle, isInWindow ? words.video.elsewhereTitle : words.superseded.title);
      setText(this.#supersededText, isInWindow ? words.video.elsewhereText : words.superseded.text);
      setText(this.#takeOver, isInWindow ? words.video.back : words.superseded.takeOver);
      show(this.#showWindow, isInWindow);
    } else if (view === 'signed-out') {
      this.#signIn.update({
        isBusy: state.status === 'signing_in',
        problem: state.signInProblem,
        note: this.#signInNote,
        tenant: this.tenant,
        ways: this.ways,
      });
    }
    this.#showView(view, shown);
  }

  /** @returns {ViewName} */
  #signInView() {
    if (this.#hasSignIn) return 'signed-out';
    this.#signInLoading ??= import('./sign-in-view.js').then(
      () => {
        this.#hasSignIn = true;
        this.update();
      },
      () => setTimeout(() => {
        this.#signInLoading = null;
        this.update();
      }, LOAD_AGAIN_MS),
    );
    return 'connecting';
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
    const screen = { call: this.#call, idle: this.#idle, 'signed-out': this.#signIn }[
      /** @type {'call'|'idle'|'signed-out'} */ (view)
    ];
    // Enter meant for a field must not answer a call that came in meanwhile.
    if (screen) (last instanceof HTMLInputElement && view === 'call' ? screen.heading : screen.primary).focus({ preventScroll: true });
    else if (view === 'superseded') this.#takeOver.focus();
  }

  /** @param {ClientState} state @param {CallView|null} focus */
  #drawHeader(state, focus) {
    const shown = focus ?? this.#ended;
    const { text, tone } = this.#stateInWords(state, shown);
    if (this.#state.textContent !== text) {
      setText(this.#state, text);
      // Ringing is announced by name instead.
      if (focus?.state !== 'ringing' && this.#view !== 'connecting') this.#announce(text);
    }
    this.dataset['tone'] = tone;
    const isCall = shown !== null && this.#view === 'call';
    const now = Date.now() + state.clockOffsetMs;
    const talk = isCall && (shown.state !== 'ended' || shown.answered_at) ? duration(elapsed(shown, now)) : '';
    setText(this.#aside, isCall ? talk : state.user?.name ?? '');
    this.#aside.title = isCall ? '' : [state.user?.name, state.user?.number].filter(Boolean).join(' · ');
    this.#aside.classList.toggle('rb-timer', isCall);
    setAttribute(this.#aside, 'role', isCall ? 'timer' : null);
    setAttribute(this.#aside, 'aria-live', isCall ? 'off' : null);
    show(this.#menuButton, state.user !== null && this.#view !== 'signed-out');
  }

  /** @param {ClientState} state @param {CallView|null} shown */
  #stateInWords(state, shown) {
    const say = words.status;
    if (state.status === 'superseded') return { text: state.isInWindow ? say.inWindow : say.elsewhere, tone: 'off' };
    if (state.status === 'signed_out') return { text: say.signedOut, tone: 'off' };
    if (state.status === 'signing_in' || state.status === 'connecting') return { text: say.connecting, tone: 'wait' };
    if (state.status === 'reconnecting' && this.#isOfflineForLong) return { text: say.reconnecting, tone: 'warn' };
    if (shown?.device === 'desk_phone' && shown.state !== 'ended') {
      if (shown.state === 'ringing') return { text: words.desk.ringing, tone: 'ring' };
      return { text: shown.state === 'active' ? words.desk.active : words.desk.calling, tone: 'call' };
    }
    if (shown?.state === 'ended' && shown.work.state === 'wrap_up') return { text: say.wrapUp, tone: 'off' };
    switch (shown?.state) {
      case 'ringing':
        return { text: shown.video?.state === 'offered' ? say.incomingVideo : say.incoming, tone: 'ring' };
      case 'answering':
        return { text: say.answering, tone: 'call' };
      case 'calling':
        return { text: say.calling, tone: 'call' };
      case 'alerting':
        return { text: say.alerting, tone: 'call' };
      case 'active':
        return this.client.localState(shown.call_id).isMuted
          ? { text: say.activeMuted, tone: 'warn' }
          : { text: say.active, tone: 'call' };
      case 'ended':
        return { text: say.ended, tone: 'off' };
      default:
    }
    switch (state.registration.state) {
      case 'registered':
        return { text: say.ready, tone: 'ready' };
      case 'registering':
        return { text: say.phoneConnecting, tone: 'wait' };
      default:
        return { text: say.phoneOff, tone: 'error' };
    }
  }

  get #isOfflineForLong() {
    return this.#offlineSince > 0 && Date.now() - this.#offlineSince >= BANNER_AFTER_MS;
  }

  /** @param {ClientState} state @param {CallView|null} focus */
  #drawBanner(state, focus) {
    const isShown = state.status === 'reconnecting' && this.#isOfflineForLong;
    setText(this.#banner, focus ? words.reconnecting.inCall : words.reconnecting.idle);
    show(this.#banner, isShown);
    const now = Date.now() + state.clockOffsetMs;
    const ending = soonOver(state, now);
    const wasShown = !this.#ending.hidden;
    show(this.#ending, ending !== null);
    if (!ending) return;
    setText(this.#endingText, words.ending.in(Math.ceil((ending.at - now) / 60_000)));
    if (!wasShown) this.#announce(this.#endingText.textContent ?? '');
  }

  async #extendInvite() {
    const { state } = this.client;
    const ending = soonOver(state, Date.now() + state.clockOffsetMs);
    if (!ending) return;
    try {
      await this.client.invites.extend(ending.inviteId, words.ending.minutes);
      this.#announce(words.ending.extended);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @param {ClientState} state @param {CallView|null} focus */
  #drawSecond(state, focus) {
    const second = state.calls.find((call) => call.state === 'ringing' && call !== focus);
    show(this.#second, second !== undefined);
    if (second) setText(this.#secondText, words.call.second(who(second)));
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
    const { calls } = this.client.state;
    const focus = this.#focused(this.client.state);
    if (focus?.device === 'desk_phone') this.sounds.play(null);
    else if (focus?.state === 'ringing') this.sounds.play('ringtone');
    else if (focus?.state === 'alerting' && !this.client.localState(focus.call_id).hasEarlyMedia) this.sounds.play('ringback');
    else if (calls.length === 0 || focus) this.sounds.play(null);
  }

  // Problems

  /** @param {ClientState} state @returns {Problem|null} */
  #idleProblem(state) {
    const { registration } = state;
    if (registration.state === 'failed') {
      const advice = words.registrationProblem[registration.problem ?? 'unavailable'] ?? words.registrationProblem.unavailable;
      const left = registration.retry_in_s
        ? Math.ceil(registration.retry_in_s - (Date.now() - this.#registrationSince) / 1000)
        : 0;
      return {
        title: advice.title,
        text: left > 0 ? `${advice.text} ${words.problem.retryIn(left)}` : advice.text,
        code: [registration.problem, registration.sip_code ? `SIP ${registration.sip_code}` : ''].filter(Boolean).join(', '),
        action: words.problem.retry,
        onAction: () => this.client.retryRegistration().catch((error) => this.#fail(error)),
      };
    }
    const open = () => this.client.tryMicrophone().catch(() => undefined);
    return this.#microphoneProblem(state, open) ?? this.#failure ?? this.#microphoneOffer(state, open);
  }

  /** @param {ClientState} state @param {() => unknown} onAction @returns {Problem|null} */
  #microphoneOffer(state, onAction) {
    if (!state.willAskMicrophone) return null;
    return {
      title: words.problem.askTitle,
      text: words.problem.askText,
      action: words.problem.allow,
      onAction,
      isMild: true,
    };
  }

  /** @param {ClientState} state @param {CallView} call @returns {Problem|null} */
  #callProblem(state, call) {
    if (call.state === 'ended') return this.#failure;
    if (state.isPlaybackBlocked) {
      return {
        title: words.problem.hear,
        text: words.problem.playback,
        action: words.problem.hear,
        onAction: () => this.client.unblockPlayback(),
      };
    }
    const retry =
      call.state === 'ringing'
        ? () => this.#answer()
        : () => this.client.retryMicrophone(call.call_id).catch(() => undefined);
    return this.#microphoneProblem(state, retry) ?? this.#failure;
  }

  /** @param {ClientState} state @param {() => unknown} retry @returns {Problem|null} */
  #microphoneProblem(state, retry) {
    const problem = state.microphoneProblem;
    if (problem === null) return null;
    const { title, text } = words.microphone[problem];
    const canRetry = problem !== 'insecure' && problem !== 'unsupported';
    return {
      title,
      text,
      code: `microphone ${problem}`,
      action: canRetry ? words.problem.retry : '',
      onAction: retry,
    };
  }

  /** @param {unknown} error */
  #fail(error) {
    const { kind = 'internal', sipCode, traceId } = /** @type {any} */ (error);
    if (kind === 'microphone' || kind === 'cancelled') return;
    const advice = words.error[/** @type {keyof typeof words.error} */ (kind)] ?? words.error.internal;
    this.#failure = {
      title: advice.title,
      text: advice.text,
      code: [kind, sipCode ? `SIP ${sipCode}` : '', traceId ?? ''].filter(Boolean).join(', '),
    };
    this.#announce([advice.title, advice.text].join('. '));
    this.update();
  }

  // Invites: loaded with their first use

  get #canInvite() {
    return Boolean(this.client.state.user?.invites_from);
  }

  /** @returns {Promise<InvitesPanel|null>} */
  async #loadInvites() {
    try {
      this.#invites ??= import('../invites/load.js').then(({ load }) =>
        load({ client: this.client, host: this.host, onToggle: () => this.#sheetToggled() }),
      );
      const panel = await this.#invites;
      if (!panel.sheet.isConnected) this.querySelector('main')?.append(panel.sheet);
      this.#panel = panel;
      return panel;
    } catch {
      this.#invites = null;
      this.#failure = { title: words.invite.loadFailed, text: words.invite.loadFailedText };
      this.update();
      return null;
    }
  }

  /** @param {HTMLElement} place */
  async #showInvites(place) {
    const panel = await this.#loadInvites();
    if (!panel) return;
    if (!panel.list.isConnected) place.append(panel.list);
    await panel.list.load();
  }

  /** The dialog, for somebody. @param {Partial<import('../client/wire.d.ts').Record>|null} record */
  async invite(record) {
    this.#failure = null;
    if (!this.#canInvite) {
      this.#failure = { title: words.invite.off, text: words.invite.offText };
      this.#announce(words.invite.off);
      this.update();
      return;
    }
    await (await this.#loadInvites())?.make('make', record);
  }

  #sheetToggled() {
    this.#sheetFor = this.#focused(this.client.state)?.call_id ?? this.#ended?.call_id ?? '';
    this.update();
  }

  /** A call that comes in lies over the dialog until it is over. @param {CallView|null} focus */
  #drawSheet(focus) {
    if (!this.#panel) return;
    const isFree = focus === null ? this.#view === 'idle' || this.#view === 'call' : focus.call_id === this.#sheetFor && focus.state === 'active';
    const isShown = this.#panel.isOpen && isFree;
    show(this.#panel.sheet, isShown);
    this.#idle.inert = this.#call.inert = isShown;
    if (this.#view === 'idle') this.#panel.list.update();
  }

  // What is pressed

  /**
   * @param {string} number
   * @param {Partial<import('../client/wire.d.ts').Record>|null} [record]
   * @param {boolean} [video] in the window of the call
   */
  async dial(number, record = null, video = false) {
    const { state } = this.client;
    this.#failure = null;
    if (state.calls.some(isHere)) {
      this.#announce(words.idle.finishFirst);
      this.#failure = { title: words.idle.finishFirst, text: '' };
      this.update();
      return;
    }
    this.#ended = null;
    if (state.status !== 'ready') {
      this.#idle.setNumber(number);
      this.#idle.showError(words.idle.notConnected);
      this.update();
      return;
    }
    this.#announce(words.announce.calling(record?.name || number));
    if (video) {
      this.#openWindow({ act: 'dial', to: number, record });
      return;
    }
    try {
      if (this.#menu.isByDeskPhone && state.rules?.desk_phone) await this.client.dialByDeskPhone(number, { record });
      else await this.client.dial(number, { record });
      this.#idle.setNumber('');
    } catch (error) {
      const { kind } = /** @type {{kind?: string}} */ (error);
      this.#idle.setNumber(number);
      if (kind === 'number.invalid') this.#idle.showError(words.idle.invalid);
      else this.#fail(error);
    }
  }

  /** Answers with video, or raises the call to it: in the window. */
  #video() {
    const call = this.#focused(this.client.state);
    if (!call) return;
    this.#failure = null;
    this.sounds.play(null);
    this.#openWindow({ act: call.state === 'ringing' ? 'answer' : 'start', callId: call.call_id });
  }

  /** @param {Order} order */
  #openWindow(order) {
    if (this.client.callWindow.open(order)) return;
    this.#failure = { title: words.video.blockedTitle, text: words.video.blockedText };
    this.#announce([words.video.blockedTitle, words.video.blockedText].join('. '));
    this.update();
  }

  #findWindow() {
    if (!this.client.callWindow.show()) setText(this.#supersededText, words.video.gone);
  }

  async #answer() {
    const call = this.#focused(this.client.state);
    if (call?.state !== 'ringing') return;
    this.#failure = null;
    this.sounds.play(null);
    try {
      await this.client.answer(call.call_id);
    } catch (error) {
      this.#fail(error);
    }
    this.update();
  }

  async #endAndAnswer() {
    const { state } = this.client;
    const current = this.#focused(state);
    const second = state.calls.find((call) => call.state === 'ringing' && call !== current);
    if (!current || !second) return;
    try {
      await this.client.hangup(current.call_id);
      await this.client.answer(second.call_id);
    } catch (error) {
      this.#fail(error);
    }
  }

  #declineSecond() {
    const { state } = this.client;
    const current = this.#focused(state);
    const second = state.calls.find((call) => call.state === 'ringing' && call !== current);
    if (second) this.client.decline(second.call_id).catch((error) => this.#fail(error));
  }

  /** @param {(call: CallView) => unknown} action */
  #withCall(action) {
    const call = this.#focused(this.client.state);
    if (call) Promise.resolve(action(call)).catch((error) => this.#fail(error));
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
    if (!this.#menu.hidden) this.#toggleMenu(false);
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
    setText(this.#assertive, '');
    const focus = this.#focused(this.client.state);
    if (focus) return;
    this.#ended = call;
    const isPlain = PLAIN_ENDS.has(call.end_reason ?? '');
    this.#endedUntil = Date.now() + (isPlain ? DONE_AFTER_MS : READ_AFTER_MS);
    const advice = words.endReason[call.end_reason ?? 'failed'] ?? words.endReason.failed;
    this.update();
    this.#announce([advice.title, advice.text].filter(Boolean).join('. '));
  }

  async #done() {
    if (this.#ended?.work.state === 'wrap_up' && this.#call.notes && !(await this.#call.notes.save())) return;
    await this.#call.notes?.flush();
    this.#dismiss();
  }

  #dismiss() {
    this.#ended = null;
    this.#failure = null;
    this.update();
  }

  #tick() {
    const { state } = this.client;
    if (this.#ended?.work.state === 'wrap_up') {
      this.#endedUntil = Date.now() + DONE_AFTER_MS;
      this.update();
      return;
    }
    if (this.#ended && !this.#call.notes?.isInUse && Date.now() > Math.max(this.#endedUntil, this.#busyUntil) && !this.#call.match.querySelector('form:not([hidden])') && !this.#panel?.isOpen) {
      this.#dismiss();
      return;
    }
    if (state.calls.length > 0 || state.status === 'reconnecting' || state.registration.retry_in_s) this.update();
  }

  /** @param {boolean} [isOpen] */
  #toggleMenu(isOpen = Boolean(this.#menu.hidden)) {
    if (isOpen === !this.#menu.hidden) return;
    const hadFocus = this.#menu.contains(document.activeElement);
    if (isOpen) this.#menu.open();
    else this.#menu.hidden = true;
    this.#menuButton.setAttribute('aria-expanded', String(isOpen));
    const label = isOpen ? words.menu.close : words.menu.open;
    this.#menuButton.setAttribute('aria-label', label);
    this.#menuButton.title = label;
    if (!isOpen && hadFocus) this.#menuButton.focus();
  }

  /** @param {string} text */
  #announce(text) {
    setText(this.#polite, text);
  }
}
customElements.define('ringbridge-softphone', Softphone);

/** @param {CallView} call */
function recordOf(call) {
  const [record] = call.match.records;
  return call.match.state === 'found' && call.match.records.length === 1 && record ? record : null;
}

/** @param {CallView} call */
function isHere(call) {
  return call.device !== 'desk_phone';
}
