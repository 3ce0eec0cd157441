/**
 * The page of an invite's link.
 *
 * Driven by: looks at the link (by a timer while something may change), the session's
 * news, the devices, and the user. Everything that happens changes a fact and draws
 * anew; which screen there is follows from the facts alone (`screen.js`).
 *
 * A reload in the call: this tab keeps that it was in it, and its access token, so the
 * session is taken up before the link has even been looked at.
 */
import { CameraError, DialCancelled, MicrophoneError } from '../client/index.js';
import { initials } from '../softphone/initials.js';
import { listed } from '../video/people.js';
import { callHost, enter, refusalOf } from './arrival.js';
import { Awake } from './awake.js';
import { saveCalendar } from './calendar-file.js';
import { LinkWatch } from './link-watch.js';
import { LobbyView } from './lobby-view.js';
import { NoticeView } from './notice-view.js';
import { noticeModel } from './notices.js';
import { minutesLeft, screenOf } from './screen.js';
import { StageView } from './stage-view.js';
import { chooseLanguage, directionOf, localeFor, MAIL_LANGUAGES } from '../words/languages.js';
import { loadWords } from './strings/index.js';
import { UnseenCamera } from './unseen-camera.js';

/**
 * @import {CallView, JoinView} from '../client/wire.d.ts'
 * @import {RingbridgeClient} from '../client/index.js'
 * @import {TabStorage} from '../client/storage.js'
 * @import {Sounds} from '../softphone/sounds.js'
 * @import {Person} from '../video/gallery.js'
 * @import {Devices} from './devices.js'
 * @import {InviteLink} from './link.js'
 * @import {Screen} from './screen.js'
 * @import {SoundCheck} from './sound-check.js'
 * @import {StageModel} from './stage-view.js'
 * @import {Words} from './strings/en.js'
 *
 * @typedef {object} Parts
 * @property {HTMLElement} root
 * @property {InviteLink|null} link null: the address has no token
 * @property {RingbridgeClient} client
 * @property {TabStorage} storage of this link in this tab
 * @property {Devices} devices
 * @property {SoundCheck} sound
 * @property {Sounds} sounds
 * @property {'insecure'|'unsupported'|null} unfit
 *
 * @typedef {object} Views
 * @property {LobbyView} lobby
 * @property {NoticeView} notice
 * @property {StageView} stage
 */

const TICK_MS = 500;
/** Nothing is shown before, so that nothing flickers. */
const LOADING_AFTER_MS = 300;
export class GuestPage {
  #root;
  #link;
  #client;
  #storage;
  #devices;
  #sound;
  #sounds;
  #unfit;
  #watch;

  #endsAt = 0;
  /** The warning that the newest end of the invite has confirmed. */
  #confirmedMinutes = 0;
  #isReturning = false;
  #isJoining = false;
  /** Bumped by every attempt to join and its end. */
  #attempt = 0;
  /** @type {CallView|null} */
  #ended = null;
  /** As many are in the meeting as may be. */
  #isFull = false;
  #joinedAs = '';
  #wasConnected = '';
  #unseen;
  #problem = '';
  #calendar = '';

  #language = '';
  #speakTurn = 0;
  #locale = 'en';
  /** @type {Words|null} */
  #words = null;
  /** @type {Views|null} */
  #views = null;
  #shown = '';
  /** @type {unknown} */
  #seenJoin = null;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #ticker;
  #awake = new Awake();
  #startedAt = Date.now();

  /** @param {Parts} parts */
  constructor({ root, link, client, storage, devices, sound, sounds, unfit }) {
    this.#root = root;
    this.#link = link;
    this.#client = client;
    this.#storage = storage;
    this.#devices = devices;
    this.#sound = sound;
    this.#sounds = sounds;
    this.#unfit = unfit;
    this.#unseen = new UnseenCamera(client);
    this.#watch = new LinkWatch(link, (isNew) => this.#looked(isNew));
    client.on('change', () => this.#clientChanged());
    client.on('ended', (call) => this.#callEnded(call));
    devices.addEventListener('change', () => this.#draw());
    addEventListener('online', () => void this.#look());
    addEventListener('offline', () => this.#wentOffline());
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && this.#seenAgain());
    for (const gesture of ['pointerdown', 'keydown']) {
      addEventListener(gesture, () => {
        sound.wake();
        sounds.unlock();
      });
    }
  }

  async start() {
    const kept = this.#storage.get('language');
    if (this.#storage.get('in_call') !== null && this.#link && !this.#unfit) {
      this.#isReturning = true;
      void this.#client.start();
    }
    const looked = this.#unfit ? Promise.resolve() : this.#look();
    await this.#speak(kept ? [kept] : navigator.languages);
    setTimeout(() => this.#draw(), LOADING_AFTER_MS);
    await looked;
  }

  /** A level of the microphone. @param {number} level @param {boolean} isHeard */
  setLevel(level, isHeard) {
    this.#views?.lobby.setLevel(level, isHeard);
  }

  get #view() {
    return this.#watch.view;
  }

  get #now() {
    return this.#watch.now;
  }

  get #host() {
    return this.#view?.host || this.#words?.page.host || '';
  }

  /** @returns {CallView|null} */
  get #call() {
    return this.#client.state.calls[0] ?? null;
  }

  // The link

  async #look() {
    if (!this.#unfit) await this.#watch.look();
  }

  /** @param {boolean} isNew */
  async #looked(isNew) {
    const view = this.#view;
    if (isNew && view) {
      this.#endsAt = view.ends_at;
      const isKnown = view.state !== 'unknown';
      // Who reads what no invite can be in was invited in another for want of it.
      const isMeant = MAIL_LANGUAGES.includes(chooseLanguage(navigator.languages));
      await this.#speak(isKnown && view.language && isMeant ? [view.language] : navigator.languages);
      if (isKnown) this.#storage.set('language', this.#language);
    }
    this.#draw();
  }

  #wentOffline() {
    if (this.#call) return;
    this.#watch.lost();
    this.#draw();
  }

  /** The page was away: timers may have slept, and the invite may have been changed. */
  #seenAgain() {
    this.#stayAwake();
    if (!this.#call && !this.#isJoining) void this.#look();
  }

  /** @param {readonly string[]} wished */
  async #speak(wished) {
    const language = chooseLanguage(wished);
    const turn = ++this.#speakTurn;
    if (language === this.#language && this.#words) return;
    const words = await loadWords(language);
    // The browser's language may be fetched slower than the invite's.
    if (turn !== this.#speakTurn) return;
    this.#language = language;
    this.#locale = localeFor(language, navigator.languages);
    this.#words = words;
    Object.assign(document.documentElement, { lang: language, dir: directionOf(language) });
    this.#views?.stage.close();
    this.#views = this.#makeViews(words);
    this.#shown = '';
    this.#draw();
  }

  // The call

  #clientChanged() {
    const { status, calls, join } = this.#client.state;
    if (this.#isReturning && (calls.length > 0 || status === 'ready' || status === 'signed_out')) {
      this.#isReturning = false;
      if (calls.length === 0) this.#storage.set('in_call', null);
    }
    if (join && join !== this.#seenJoin) {
      this.#seenJoin = join;
      this.#endsAt = join.ends_at;
      this.#watch.clockOffsetMs = this.#client.state.clockOffsetMs;
      this.#watch.view ??= join;
    }
    this.#endsAt = calls[0]?.invite?.ends_at ?? this.#endsAt;
    this.#draw();
  }

  /** @param {CallView} call */
  #callEnded(call) {
    this.#ended = call;
    this.#attempt += 1;
    this.#isJoining = false;
    this.#unseen.forget();
    this.#problem = '';
    this.#storage.set('in_call', null);
    this.#confirmedMinutes = 0;
    // The link is free for another device, and the next call is a new arrival.
    void this.#client.signOut();
    void this.#look();
    this.#draw();
  }

  /** @param {string} name */
  async #join(name) {
    if (this.#isJoining) return;
    this.#problem = '';
    if (this.#devices.mustAsk) {
      await this.#devices.open();
      // What is wrong is on the screen now; the next press goes on all the same.
      if (this.#devices.microphone.problem !== null) return;
    }
    this.#isJoining = true;
    const attempt = ++this.#attempt;
    this.#storage.set('name', name);
    this.#draw();
    try {
      if (this.#client.state.status !== 'ready' || this.#joinedAs !== name) {
        await enter(this.#client, /** @type {InviteLink} */ (this.#link), name);
        this.#joinedAs = name;
      }
      this.#storage.set('in_call', '1');
      // From here on there is a call to show, and how it ends.
      this.#ended = null;
      await callHost(this.#client, this.#devices);
      this.#isFull = false;
    } catch (error) {
      if (attempt !== this.#attempt) return;
      this.#storage.set('in_call', null);
      this.#notJoined(error);
    }
    if (attempt !== this.#attempt) return;
    this.#isJoining = false;
    this.#draw();
  }

  /** @param {unknown} error */
  #notJoined(error) {
    if (error instanceof DialCancelled || !this.#words) return;
    const { join } = this.#words;
    const refusal = refusalOf(error);
    if (refusal === 'full') {
      this.#isFull = true;
      return;
    }
    this.#isFull = false;
    this.#problem = refusal === 'too_many' ? join.busy : join.failed;
    if (refusal === 'link') {
      this.#ended = null;
      this.#joinedAs = '';
      void this.#look();
    }
  }

  #again() {
    const name = this.#storage.get('name') || this.#view?.guest || '';
    if (name) void this.#join(name);
    else {
      this.#ended = null;
      this.#draw();
    }
  }

  async #leave() {
    const call = this.#call;
    if (!call) return;
    try {
      await this.#client.hangup(call.call_id);
    } catch {
      // No network: the gateway ends the call when nobody comes back to it.
      const reason = call.answered_at ? 'hung_up_here' : 'cancelled_here';
      this.#callEnded({ ...call, state: 'ended', ended_at: this.#now, end_reason: reason });
    }
  }

  #toggleCamera() {
    const { isCameraOn } = this.#client.localState(this.#call?.call_id ?? '');
    return this.#setCamera(!isCameraOn);
  }

  /** On, in a call without video: takes up or asks for video as well. @param {boolean} isOn */
  async #setCamera(isOn) {
    const call = this.#call;
    if (!call) return;
    this.#problem = '';
    this.#unseen.forget();
    try {
      await this.#client.setCamera(call.call_id, isOn);
      await this.#devices.setCamera(isOn);
    } catch (error) {
      if (!this.#words) return;
      const { problem, call: words } = this.#words;
      const known = error instanceof CameraError ? problem.camera[error.problem] ?? problem.camera['other'] : null;
      this.#problem = known?.title ?? words.noVideo;
      this.#draw();
    }
  }

  #toggleMicrophone() {
    const call = this.#call;
    if (!call) return;
    const isMuted = !this.#client.localState(call.call_id).isMuted;
    this.#client.mute(call.call_id, isMuted);
    void this.#devices.setMicrophone(!isMuted);
  }

  async #connectMicrophone() {
    const call = this.#call;
    if (!call || !this.#words) return;
    this.#problem = '';
    try {
      await this.#client.retryMicrophone(call.call_id);
    } catch (error) {
      const { microphone } = this.#words.problem;
      const kind = error instanceof MicrophoneError ? error.problem : '';
      this.#problem = (microphone[kind] ?? microphone['other'])?.title ?? '';
    }
    this.#draw();
  }

  async #addToCalendar() {
    const { invite } = /** @type {Words} */ (this.#words);
    try {
      saveCalendar(await /** @type {InviteLink} */ (this.#link).calendar());
      this.#calendar = invite.calendarSaved;
    } catch {
      this.#calendar = invite.calendarFailed;
    }
    this.#draw();
  }

  // Drawing

  /** @param {Words} words @returns {Views} */
  #makeViews(words) {
    const shared = { words, devices: this.#devices, sound: this.#sound };
    return {
      notice: new NoticeView(words),
      lobby: new LobbyView({
        ...shared,
        actions: {
          join: (name) => void this.#join(name),
          addToCalendar: () => void this.#addToCalendar(),
        },
      }),
      stage: new StageView({
        ...shared,
        actions: {
          toggleMicrophone: () => this.#toggleMicrophone(),
          toggleCamera: () => void this.#toggleCamera(),
          acceptVideo: () => void this.#setCamera(true),
          connectMicrophone: () => void this.#connectMicrophone(),
          hear: () => this.#client.unblockPlayback(),
          leave: () => void this.#leave(),
        },
      }),
    };
  }

  #draw() {
    const { lobby, notice, stage } = this.#views ?? {};
    const words = this.#words;
    if (!lobby || !notice || !stage || !words) return;
    const screen = screenOf({
      unfit: this.#unfit,
      view: this.#view,
      failure: this.#watch.failure,
      status: this.#client.state.status,
      isReturning: this.#isReturning,
      call: this.#call,
      ended: this.#ended,
      isFull: this.#isFull,
    });
    this.#root.dataset['screen'] = screen.name;
    this.#root.dataset['kind'] = screen.kind || this.#view?.state || '';
    switch (screen.name) {
      case 'loading':
        this.#drawLoading(words);
        break;
      case 'lobby':
        lobby.update({
          view: /** @type {JoinView} */ (this.#view),
          host: this.#host,
          name: this.#storage.get('name') ?? this.#view?.guest ?? '',
          now: this.#now,
          locale: this.#locale,
          isJoining: this.#isJoining,
          problem: this.#problem,
          calendar: this.#calendar,
          failure: this.#watch.failure,
        });
        this.#show(screen, lobby);
        break;
      case 'notice':
      case 'ended':
        notice.update(this.#noticeModel(screen, words));
        this.#show(screen, notice);
        break;
      default:
        this.#drawStage(stage, screen);
        this.#show(screen, stage);
    }
    this.#attend(screen);
  }

  /** @param {Screen} screen @param {Words} words */
  #noticeModel(screen, words) {
    const isOpen = this.#view?.state === 'open' && (this.#endsAt === 0 || this.#now < this.#endsAt);
    return noticeModel(
      screen,
      { words, view: this.#view, host: this.#host, isOpen, isJoining: this.#isJoining, problem: this.#problem },
      { look: () => void this.#look(), join: () => this.#again(), takeOver: () => this.#client.takeOver() },
    );
  }

  /** @param {Words} words */
  #drawLoading(words) {
    if (this.#shown === 'loading' || Date.now() - this.#startedAt < LOADING_AFTER_MS) return;
    this.#shown = 'loading';
    const text = document.createElement('p');
    text.className = 'g-loading';
    text.role = 'status';
    text.textContent = words.page.loading;
    this.#root.replaceChildren(text);
  }

  /**
   * Puts a view on the screen. Whoever listens hears what it is; not at the start,
   * where they have just begun to read.
   *
   * @param {Screen} screen
   * @param {LobbyView|NoticeView|StageView} view
   */
  #show(screen, view) {
    const isStage = screen.name === 'ringing' || screen.name === 'call' || screen.name === 'returning';
    const key = isStage ? 'stage' : `${screen.name} ${screen.kind}`;
    if (this.#shown === key) return;
    const isFirst = this.#shown === '' || this.#shown === 'loading';
    this.#shown = key;
    if (!this.#root.contains(view.element)) {
      this.#root.replaceChildren(view.element);
      scrollTo(0, 0);
    }
    if (!isFirst) view.heading.focus({ preventScroll: true });
  }

  /** What goes with a screen: devices, sounds, time, the title. @param {Screen} screen */
  #attend(screen) {
    const words = /** @type {Words} */ (this.#words);
    const isStage = screen.name === 'ringing' || screen.name === 'call';
    if (screen.name === 'lobby') void this.#devices.begin();
    else if (!this.#isJoining) this.#devices.rest();
    if (screen.name !== 'lobby') this.#sound.measure(null);
    if (this.#shown !== 'stage') this.#views?.stage.rest();
    const call = this.#call;
    this.#watch.rest(call !== null);
    const isRinging = call?.state === 'alerting' && !this.#client.localState(call.call_id).hasEarlyMedia;
    this.#sounds.play(isRinging ? 'ringback' : null);
    const needsTime = isStage || (screen.name === 'lobby' && this.#view?.state === 'early');
    if (needsTime) {
      this.#ticker ??= setInterval(() => this.#draw(), TICK_MS);
    } else {
      clearInterval(this.#ticker);
      this.#ticker = undefined;
    }
    this.#stayAwake();
    const who = screen.name === 'call' ? this.#who(this.#people('call')) : this.#view?.host;
    const title = who ? words.page.titleWith(who) : words.page.title;
    const isNow = screen.name === 'lobby' && this.#view?.state === 'open' && document.hidden;
    document.title = isNow ? `${words.wait.open} ${title}` : title;
  }

  #stayAwake() {
    this.#awake.keep(this.#shown === 'stage' && document.visibilityState === 'visible');
  }

  /** @param {StageView} stage @param {Screen} screen */
  #drawStage(stage, screen) {
    const call = this.#call;
    const { status, isPlaybackBlocked } = this.#client.state;
    const local = this.#client.localState(call?.call_id ?? '');
    if (call && local.isConnected) this.#wasConnected = call.call_id;
    const isActive = screen.name === 'call';
    if (isActive && call) this.#unseen.look(call);
    const wasConnected = call !== null && this.#wasConnected === call.call_id;
    const isBroken = status === 'reconnecting' || (wasConnected && !local.isConnected);
    /** @type {StageModel['state']} */
    let state = 'returning';
    if (isActive) state = isBroken ? 'reconnecting' : local.isConnected ? 'call' : 'connecting';
    else if (call) state = call.state === 'alerting' ? 'ringing' : 'calling';
    const people = this.#people(state);
    stage.update({
      state,
      host: this.#host,
      company: this.#view?.company ?? '',
      callId: call?.call_id ?? '',
      people,
      who: this.#who(people),
      elapsedMs: this.#now - (call?.answered_at ?? this.#now),
      own: local.isCameraOn ? local.localVideo : null,
      isMuted: local.isMuted,
      isCameraOn: local.isCameraOn,
      hasMicrophone: local.isMicrophoneOpen,
      isPlaybackBlocked,
      minutesLeft: isActive ? this.#warning() : 0,
      isVideoOffered: isActive && call !== null && this.#unseen.isAskedFor(call),
      problem: this.#problem,
    });
  }

  /**
   * Everybody else in the call.
   *
   * @param {StageModel['state']} state
   * @returns {Person[]}
   */
  #people(state) {
    const { call: words } = /** @type {Words} */ (this.#words);
    const { remotes } = this.#client.localState(this.#call?.call_id ?? '');
    const note = state === 'call' ? words.audioOnly : remotes.length > 1 ? '' : this.#view?.company ?? '';
    return remotes.map(({ id, name: known, isHost, video }) => {
      const name = isHost ? this.#host : known || words.somebody;
      return { id, name, letters: initials(isHost ? name : known), video, note };
    });
  }

  /** @param {readonly Person[]} people */
  #who(people) {
    const { call: words } = /** @type {Words} */ (this.#words);
    return listed(people.map(({ name }) => name), this.#locale, words.others) || this.#host;
  }

  /** The rep may have extended it: asked before anybody is alarmed. */
  #warning() {
    const minutes = minutesLeft(this.#endsAt, this.#now);
    // The call itself is told of it.
    if (this.#call?.invite?.ends_at !== undefined) return minutes;
    if (minutes !== 0 && minutes !== this.#confirmedMinutes && !this.#watch.isLooking) {
      void this.#look().then(() => {
        this.#confirmedMinutes = minutesLeft(this.#endsAt, this.#now);
        this.#draw();
      });
    }
    return minutes === this.#confirmedMinutes ? minutes : 0;
  }
}
