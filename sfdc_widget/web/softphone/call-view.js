/**
 * One call from its first ring to the moment after: the same places all the time.
 * Below, two halves: at the start what carries the call on (Answer, then the tools,
 * then Call again), at the end what ends it (Decline, End, Done).
 */
import { h, joined, number, setAttribute, setText, show } from './dom.js';
import { company, duration, elapsed, initials, isWithheld, listed, meeting, named, peerNumber, person, who } from './format.js';
import { icon } from './icons.js';
import { controlIcon } from './control/icons-control.js';
import { Keypad } from './keypad.js';
import { ProblemCard } from './problem-card.js';
import { SecondPress } from './second-press.js';
import { words } from './strings.js';
import { loadStyle } from './style.js';

/** @import {CallView as Call, WidgetRules} from '../client/wire.d.ts' */
/** @import {Problem} from './problem-card.js' */
/** @import {MatchPanel} from './match-panel.js' */
/** @import {NotesPanel} from './notes-panel.js' */
/** @import {IconName} from './icons.js' */

/** A second click meant for the button that was here must not hit the one that is. */
const GUARD_MS = 400;
/** Shorter gaps in the audio are not worth a word. */
const AUDIO_NOTICE_MS = 1_200;

/** What the tools open, one at a time, in the middle of the screen. @typedef {'keypad'|'transfer'|'add'|'more'} PanelName */

/** @typedef {HTMLElement & {opened: () => void, closed: () => void}} Panel */

/**
 * What is loaded later, and where it goes.
 *
 * @typedef {object} Places
 * @property {HTMLElement[]} others under the person
 * @property {HTMLElement[]} handover
 * @property {HTMLElement[]} conference
 * @property {MatchPanel} match
 * @property {Record<'transfer'|'add'|'more', Panel>} panels
 */

/**
 * @typedef {object} CallModel
 * @property {Call} call
 * @property {readonly Call[]} conference all that are in it, or the call alone
 * @property {boolean} isMuted
 * @property {boolean} isConnected
 * @property {boolean} isRestored the audio is being brought back, not begun
 * @property {string} crm
 * @property {Problem|null} problem
 * @property {boolean} isOnline
 * @property {boolean} isObserver its sound is in another tab
 * @property {boolean} isInWindow its picture is in the window of the call
 * @property {boolean} isWindowSilent
 * @property {boolean} canInvite
 * @property {WidgetRules|null} rules
 * @property {number} now the gateway's clock, Unix ms
 */

export class CallScreen extends HTMLElement {
  /** What a press means; set by the softphone. */
  actions = {
    answer: () => {},
    video: () => {},
    showWindow: () => {},
    bringBack: () => {},
    invite: () => {},
    decline: () => {},
    busy: () => {},
    end: () => {},
    mute: () => {},
    hold: () => {},
    again: () => {},
    done: () => {},
    digit: (/** @type {string} */ _digit) => {},
    openActivity: () => {},
    retryActivity: () => {},
  };

  /** @type {MatchPanel|null} */
  match = null;
  /** Loaded when there is something to write on. @type {NotesPanel|null} */
  notes = null;
  #isLoadingNotes = false;
  /** @type {NotesPanel|null} */
  #formerNotes = null;
  #notesPlace = h('div', { class: 'rb-place' });
  #others = h('div', { class: 'rb-place' });
  #handover = h('div', { class: 'rb-place' });
  #conference = h('div', { class: 'rb-place' });
  #panels = h('div', { class: 'rb-place' });
  #matchPlace = h('div', { class: 'rb-place' });
  /** @type {Partial<Record<PanelName, Panel>>} */
  #panel = {};
  /** @type {PanelName|''} */
  #open = '';
  #problem = new ProblemCard();
  #keypad = new Keypad();
  #tones = h('output', { class: 'rb-tones', dir: 'ltr', 'aria-label': words.call.tones });
  #keypadPanel = h('div', { class: 'rb-keypad-panel', hidden: true }, this.#tones, this.#keypad);
  #avatar = h('div', { class: 'rb-avatar', 'aria-hidden': 'true' });
  #name = h('h1', { class: 'rb-name', dir: 'auto', tabindex: -1 });
  #company = h('p', { class: 'rb-company' });
  #number = h('p', { class: 'rb-peer' });
  #invite = h('p', { class: 'rb-chip', dir: 'auto', hidden: true });
  #from = h('p', { class: 'rb-chip', role: 'status', dir: 'auto', hidden: true });
  #theirs = h('p', { class: 'rb-audio-note', role: 'status', dir: 'auto', hidden: true });
  #desk = h('p', { class: 'rb-video-note', dir: 'auto', hidden: true });
  #busy = h('button', { type: 'button', class: 'rb-link rb-stop', title: words.call.busyLong, hidden: true, on: { click: this.#guarded(() => this.actions.busy()) } }, words.call.stopRinging);
  #offer = h('p', { class: 'rb-video-note', hidden: true });
  #windowText = h('p', {});
  #windowNote = h(
    'div',
    { class: 'rb-video-note', hidden: true },
    this.#windowText,
    h(
      'div',
      { class: 'rb-row' },
      h('button', { type: 'button', class: 'rb-button rb-neutral', on: { click: () => this.actions.showWindow() } }, words.video.show),
      h('button', { type: 'button', class: 'rb-link', on: { click: () => this.actions.bringBack() } }, words.video.back),
    ),
  );
  #key = h('p', { class: 'rb-peer', hidden: true });
  #audio = h('p', { class: 'rb-audio-note', hidden: true });
  #outcomeTitle = h('h2', { class: 'rb-card-title' });
  #outcomeText = h('p', { class: 'rb-card-text' });
  #code = h('p', { class: 'rb-card-code' });
  #outcome = h('div', { class: 'rb-outcome', hidden: true }, this.#outcomeTitle, this.#outcomeText, this.#code);
  #activityText = h('span', {});
  #activityIcon = h('span', { class: 'rb-activity-icon' });
  #activity = h(
    'button',
    {
      type: 'button',
      class: 'rb-activity',
      hidden: true,
      on: { click: () => this.actions.openActivity() },
    },
    this.#activityIcon,
    this.#activityText,
  );
  #activityProblem = h('p', { class: 'rb-card-text', dir: 'auto', hidden: true });
  #retryActivity = h(
    'button',
    { type: 'button', class: 'rb-link', hidden: true, on: { click: () => this.actions.retryActivity() } },
    words.notes.tryAgain,
  );

  #makeText = h('span', { dir: 'auto' });
  #makeInvite = h(
    'button',
    { type: 'button', class: 'rb-button rb-neutral rb-wide', hidden: true, on: { click: () => this.actions.invite() } },
    icon('calendar-clock'),
    this.#makeText,
  );

  #answer = this.#big('phone', 'answer', 'rb-answer', () => this.actions.answer());
  #withVideo = this.#big('video', 'answerVideo', 'rb-answer', () => this.actions.video());
  #again = this.#big('phone', 'again', 'rb-neutral', () => this.actions.again());
  #decline = this.#big('phone', 'decline', 'rb-end', () => this.actions.decline());
  #end = this.#big('phone', 'end', 'rb-end', () => this.#pressEnd());
  #done = this.#big('check', 'done', 'rb-neutral', () => this.actions.done());
  #mute = this.#tool('mic', words.call.mute, () => this.actions.mute());
  #hold = this.#tool('pause', words.call.hold, () => this.actions.hold());
  #keys = this.#opener('grip', 'keypad');
  #transfer = this.#opener('phone-forwarded', 'transfer');
  #add = this.#opener('user-plus', 'add');
  #more = this.#opener('ellipsis', 'more');
  #video = this.#tool('video', words.video.start, () => this.actions.video());
  #tools = h('div', { class: 'rb-tools' }, this.#mute, this.#hold, this.#keys, this.#transfer, this.#add, this.#more);
  #sure = new SecondPress(/** @type {HTMLElement} */ (this.#end.lastElementChild), words.call.endAll);
  #bar = h(
    'div',
    { class: 'rb-bar' },
    h('div', { class: 'rb-slot rb-carry-on' }, this.#withVideo, this.#answer, this.#tools, this.#again),
    h('div', { class: 'rb-slot' }, this.#video, this.#decline, this.#end, this.#done),
  );
  #scroll = h('div', { class: 'rb-scroll' });
  #shapeSince = 0;
  #shape = '';
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #audioTimer;
  #callId = '';
  /** Of what the call is, what was shown last. */
  #told = '';
  #isConference = false;

  connectedCallback() {
    if (this.firstChild) return;
    this.classList.add('rb-view', 'rb-call');
    this.#keypad.addEventListener('key', (event) =>
      this.#pressed(/** @type {CustomEvent<string>} */ (event).detail),
    );
    this.#panel.keypad = Object.assign(this.#keypadPanel, {
      opened: () => this.#keypad.querySelector('button')?.focus({ preventScroll: true }),
      closed: () => {},
    });
    this.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.#open !== '') {
        event.stopPropagation();
        this.closePanel();
      }
      const isField = event.target instanceof HTMLElement && event.target.matches('input, textarea, select');
      if (this.#open === 'keypad' && !isField && !event.ctrlKey && !event.metaKey && !event.altKey && /^[0-9*#]$/.test(event.key)) {
        this.#pressed(event.key);
      }
    });
    this.append(
      h(
        'header',
        { class: 'rb-person' },
        this.#avatar,
        h('div', { class: 'rb-person-text' }, this.#name, this.#company, this.#number, this.#key, this.#invite, this.#from),
      ),
      this.#others,
      this.#scroll,
      this.#bar,
    );
    this.#scroll.append(
      this.#windowNote,
      this.#offer,
      this.#desk,
      this.#theirs,
      this.#audio,
      this.#handover,
      this.#outcome,
      this.#activity,
      this.#activityProblem,
      this.#retryActivity,
      this.#problem,
      this.#panels,
      this.#conference,
      this.#matchPlace,
      this.#notesPlace,
      this.#makeInvite,
      this.#busy,
    );
    this.#panels.append(this.#keypadPanel);
  }

  /** What has been loaded meanwhile. @param {Places} places */
  place({ others, handover, conference, match, panels }) {
    this.#others.append(...others);
    this.#handover.append(...handover);
    this.#conference.append(...conference);
    this.#matchPlace.append(match);
    this.match = match;
    this.#panels.append(...Object.values(panels));
    Object.assign(this.#panel, panels);
  }

  /** What is being written, on the screen in whose place this one is. @param {CallScreen} former */
  take(former) {
    this.#formerNotes = former.notes;
    if (this.match && former.match) this.match.take(former.match);
  }

  /** @param {CallModel} model */
  update({ call, conference, isMuted, isConnected, isRestored, isObserver, crm, problem, isOnline, isInWindow, isWindowSilent, canInvite, rules, now }) {
    const isNew = call.call_id !== this.#callId;
    if (isNew) {
      this.#callId = call.call_id;
      this.#tones.textContent = '';
      this.#sure.cancel();
      this.closePanel();
    }
    const told = [call.call_id, call.state, call.transfer?.state].join();
    // The news is on top; who types is left where they are.
    if (told !== this.#told && (isNew || !this.#scroll.matches(':focus-within'))) this.#scroll.scrollTop = 0;
    this.#told = told;
    this.dataset['state'] = call.state;
    const isConference = conference.length > 1;
    this.#drawPerson(call, conference);
    if (this.match) {
      this.match.crm = crm;
      this.match.update(call);
      show(this.match, crm !== '' && !isConference && call.end_reason !== 'answered_elsewhere');
    }
    // Before an answer there is one thing to do, and it is not writing.
    const takesNotes = rules !== null && crm !== '' && call.work.state !== 'none' && call.state !== 'ringing';
    if (this.notes) show(this.notes, takesNotes);
    else if (takesNotes) void this.#loadNotes();
    if (takesNotes) this.notes?.update(call, rules, now);
    this.#drawButtons(call, isMuted, isOnline, isConference);
    this.#mute.disabled = isObserver;
    this.#drawTheirs(call, isConference);
    this.#drawVideo(call, isInWindow, isWindowSilent);
    const isKnown = call.match.state === 'found' && call.match.records.length === 1;
    show(this.#makeInvite, canInvite && isKnown && call.state === 'ended' && !call.invite);
    setText(this.#makeText, words.invite.make(person(call)));
    this.#drawAudio(call, isConnected, isRestored);
    this.#drawOutcome(call, crm);
    this.#problem.update(problem);
  }

  async #loadNotes() {
    if (this.#isLoadingNotes || !this.match) return;
    this.#isLoadingNotes = true;
    try {
      const style = loadStyle(new URL('./notes.css', import.meta.url));
      const [{ NotesPanel: Made }] = await Promise.all([import('./notes-panel.js'), style, import('./notes-words.js').then(({ loadNotesWords }) => loadNotesWords())]);
      const notes = new Made();
      notes.client = this.match.client;
      if (this.#formerNotes) notes.take(this.#formerNotes);
      this.#notesPlace.append(notes);
      this.notes = notes;
      this.dispatchEvent(new CustomEvent('redraw', { bubbles: true }));
    } catch {
      // Tried again with the next news.
      this.#isLoadingNotes = false;
    }
  }

  /** The one obvious next act. */
  get primary() {
    return [this.#withVideo, this.#answer, this.#end, this.#again].find((button) => !button.hidden) ?? this.#name;
  }

  get heading() {
    return this.#name;
  }

  /** @param {Call} call @param {readonly Call[]} conference */
  #drawPerson(call, conference) {
    const isConference = conference.length > 1;
    const name = isConference ? listed(conference.map(who)) : meeting(call) || named(call);
    const shown = peerNumber(call.peer);
    const isHidden = isWithheld(call.peer);
    const letters = isConference ? '' : initials(call.participants[0]?.name || name);
    const image = isConference ? 'users' : 'user-round';
    if (this.#avatar.textContent !== letters || !this.#avatar.firstChild || (letters === '' && !this.#avatar.querySelector(`.rb-icon-${image}`))) {
      this.#avatar.replaceChildren(letters || (isConference ? controlIcon('users') : icon('user-round')));
    }
    const title = name || (isHidden ? words.call.unknown : shown);
    if (this.#name.textContent !== title) {
      this.#name.replaceChildren(name || isHidden ? title : number(title));
    }
    const [record] = call.match.records;
    const facts = !isConference && call.match.records.length === 1 && record
      ? [company(call), record.kind, record.certainty === 'possible' ? words.match.possible : ''].filter(Boolean)
      : [];
    if (this.#company.textContent !== facts.join(' · ')) this.#company.replaceChildren(...joined(facts));
    show(this.#company, facts.length > 0);
    // Who comes by an invite has no number to show or to keep to themselves.
    const unsaid = call.invite ? '' : words.call.hidden;
    const line = isConference ? '' : isHidden ? unsaid : name ? shown : '';
    if (this.#number.textContent !== line) {
      this.#number.replaceChildren(isHidden ? line : number(line));
    }
    show(this.#number, line !== '');
    const key = isConference ? '' : call.caller_key;
    if (this.#key.dataset['key'] !== key) {
      this.#key.dataset['key'] = key;
      this.#key.replaceChildren(`${words.call.typed} `, number(key));
    }
    show(this.#key, key !== '');
  }

  /** What the other side has done. @param {Call} call @param {boolean} isConference */
  #drawTheirs(call, isConference) {
    const isUp = call.state === 'active';
    const by = call.transferred_by;
    setText(this.#from, by ? words.call.transferredBy(by.display_name || peerNumber(by)) : '');
    show(this.#from, Boolean(by));
    const isHeld = isUp && call.held_there && !isConference;
    setText(this.#theirs, isHeld ? words.call.heldByThem(named(call) || peerNumber(call.peer)) : '');
    show(this.#theirs, isHeld);
    const isAtDesk = call.device === 'desk_phone' && call.state !== 'ended';
    show(this.#desk, isAtDesk);
    setText(this.#desk, call.state === 'active' ? words.desk.useIt : words.desk.pickUp);
  }

  /** @param {Call} call @param {boolean} isMuted @param {boolean} isOnline @param {boolean} isConference */
  #drawButtons(call, isMuted, isOnline, isConference) {
    const isAtDesk = call.device === 'desk_phone' && call.state !== 'ended';
    const shape = isAtDesk ? 'desk' : call.state === 'ringing' ? 'ringing' : call.state === 'ended' ? 'ended' : 'up';
    show(this.#bar, !isAtDesk);
    show(this.#busy, shape === 'ringing');
    show(this.#video, shape === 'up');
    if (!isConference) this.#sure.cancel();
    this.#isConference = isConference;
    const canControl = call.state === 'active' && isOnline;
    this.#hold.disabled = !canControl;
    this.#hold.setAttribute('aria-pressed', String(call.held_here));
    this.#transfer.disabled = !canControl || !this.#panel.transfer || isConference;
    this.#add.disabled = !canControl || !this.#panel.add;
    this.#more.disabled = !this.#panel.more;
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#shapeSince = performance.now();
    }
    show(this.#answer, shape === 'ringing');
    show(this.#decline, shape === 'ringing');
    show(this.#tools, shape === 'up');
    show(this.#end, shape === 'up');
    const canCall = shape === 'ended' && call.peer.number !== '' && call.end_reason !== 'answered_elsewhere';
    show(this.#again, canCall);
    setText(
      /** @type {Element} */ (this.#again.lastElementChild),
      call.direction === 'inbound' ? words.call.callBack : words.call.again,
    );
    show(this.#done, shape === 'ended');
    const isWrapUp = call.work.state === 'wrap_up';
    setText(/** @type {Element} */ (this.#done.lastElementChild), isWrapUp ? words.notes.saveNow : words.call.done);
    this.#done.classList.toggle('rb-brand', isWrapUp);
    this.#done.classList.toggle('rb-neutral', !isWrapUp);
    this.#answer.disabled = !isOnline;
    if (shape !== 'up') this.closePanel();

    this.#mute.setAttribute('aria-pressed', String(isMuted));
    const wanted = isMuted ? 'mic-off' : 'mic';
    if (!this.#mute.querySelector(`.rb-icon-${wanted}`)) {
      this.#mute.querySelector('svg')?.replaceWith(icon(wanted));
    }
  }

  /** @param {Call} call @param {boolean} isInWindow @param {boolean} isSilent */
  #drawVideo(call, isInWindow, isSilent) {
    const isOffered = call.video?.state === 'offered';
    const isRinging = call.state === 'ringing';
    show(this.#withVideo, isRinging && isOffered && call.device === 'here');
    setText(/** @type {Element} */ (this.#answer.lastElementChild), isRinging && isOffered ? words.call.answerAudio : words.call.answer);
    setAttribute(this.#answer, 'aria-label', isRinging && isOffered ? words.call.answerAudioLong : null);
    this.#withVideo.disabled = this.#answer.disabled;
    setAttribute(this.#withVideo, 'aria-label', words.call.answerVideoLong);
    this.#answer.classList.toggle('rb-second-choice', isRinging && isOffered);
    setText(this.#invite, call.invite ? words.video.invite(call.invite.subject) : '');
    show(this.#invite, Boolean(call.invite));

    const isUp = call.state === 'active';
    const name = named(call) || peerNumber(call.peer);
    show(this.#offer, isUp && isOffered && !isInWindow);
    setText(this.#offer, words.video.offered(name));
    this.#video.classList.toggle('rb-offered', isUp && isOffered);
    this.#video.disabled = !isUp || isInWindow;
    show(this.#windowNote, isInWindow && call.state !== 'ended');
    setText(this.#windowText, isSilent ? words.video.silent : words.video.inWindow);
  }

  /** @param {Call} call @param {boolean} isConnected @param {boolean} isRestored */
  #drawAudio(call, isConnected, isRestored) {
    const isMissing = call.state === 'active' && !isConnected;
    if (!isMissing) {
      clearTimeout(this.#audioTimer);
      this.#audioTimer = undefined;
      show(this.#audio, false);
      return;
    }
    setText(this.#audio, isRestored ? words.call.restoringAudio : words.call.connectingAudio);
    this.#audioTimer ??= setTimeout(() => show(this.#audio, true), AUDIO_NOTICE_MS);
  }

  /** @param {Call} call @param {string} crm */
  #drawOutcome(call, crm) {
    const isEnded = call.state === 'ended';
    show(this.#outcome, isEnded);
    if (isEnded) {
      const reason = call.end_reason ?? 'failed';
      const advice = words.endReason[reason] ?? words.endReason.failed;
      setText(this.#outcomeTitle, advice.title);
      const talked = call.answered_at ? words.call.duration(duration(elapsed(call, Date.now()))) : '';
      const text = advice.text || (reason === 'answered_elsewhere' ? '' : talked);
      setText(this.#outcomeText, text);
      show(this.#outcomeText, text !== '');
      const isFailure = FAILURES.has(reason);
      const code = isFailure ? [reason, call.sip_code ? `SIP ${call.sip_code}` : ''].filter(Boolean).join(', ') : '';
      setText(this.#code, code ? `${words.problem.code} ${code}` : '');
      show(this.#code, code !== '');
      this.#outcome.classList.toggle('rb-failure', isFailure);
    }
    const state = isEnded ? call.activity?.state ?? 'none' : 'none';
    const isWrapUp = call.work.state === 'wrap_up';
    show(this.#activity, state !== 'none' && crm !== '' && !isWrapUp);
    show(this.#retryActivity, state === 'failed');
    setText(this.#activityProblem, state === 'failed' ? call.activity.problem : '');
    show(this.#activityProblem, state === 'failed' && call.activity.problem !== '');
    if (state === 'none') return;
    this.#activity.dataset['state'] = state;
    setText(this.#activityText, words.activity[state](crm));
    this.#activity.title = call.activity.problem || (call.activity.record_id ? words.activity.open : '');
    this.#activity.disabled = !call.activity.record_id;
    /** @type {IconName} */
    const name = state === 'written' ? 'check' : state === 'failed' ? 'triangle-alert' : 'clock';
    if (!this.#activityIcon.querySelector(`.rb-icon-${name}`)) this.#activityIcon.replaceChildren(icon(name));
  }

  /** @param {PanelName} name */
  #toggle(name) {
    const isOpening = this.#open !== name;
    this.closePanel();
    const panel = this.#panel[name];
    if (!isOpening || !panel) return;
    this.#open = name;
    this.classList.add('rb-panel-open');
    this.#openerOf(name).setAttribute('aria-expanded', 'true');
    show(panel, true);
    this.#scroll.scrollTop = 0;
    panel.opened();
  }

  closePanel() {
    const name = this.#open;
    if (name === '') return;
    this.#open = '';
    const panel = this.#panel[name];
    const hadFocus = panel?.contains(document.activeElement);
    panel?.closed();
    if (panel) show(panel, false);
    this.classList.remove('rb-panel-open');
    const opener = this.#openerOf(name);
    opener.setAttribute('aria-expanded', 'false');
    if (hadFocus) opener.focus({ preventScroll: true });
  }

  /** @param {PanelName} name */
  #openerOf(name) {
    return { keypad: this.#keys, transfer: this.#transfer, add: this.#add, more: this.#more }[name];
  }

  #pressEnd() {
    if (this.#isConference) this.#sure.press(() => this.actions.end());
    else this.actions.end();
  }

  /** @param {string} digit */
  #pressed(digit) {
    this.#tones.textContent = ((this.#tones.textContent ?? '') + digit).slice(-24);
    this.actions.digit(digit);
  }

  /**
   * @param {IconName} image
   * @param {'answer'|'answerVideo'|'again'|'decline'|'end'|'done'} label
   * @param {string} kind
   * @param {() => void} onPress
   */
  #big(image, label, kind, onPress) {
    return h(
      'button',
      { type: 'button', class: `rb-button rb-big ${kind}`, 'data-action': label, hidden: true, on: { click: this.#guarded(onPress) } },
      icon(image),
      h('span', {}, words.call[label]),
    );
  }

  /** @param {IconName} image @param {PanelName} name */
  #opener(image, name) {
    const tool = this.#tool(image, words.call[name], () => this.#toggle(name));
    tool.dataset['tool'] = name;
    tool.setAttribute('aria-expanded', 'false');
    return tool;
  }

  /** @param {IconName} image @param {string} label @param {() => void} onPress */
  #tool(image, label, onPress) {
    return h(
      'button',
      { type: 'button', class: 'rb-tool', title: label, on: { click: this.#guarded(onPress) } },
      icon(image),
      h('span', { class: 'rb-tool-name' }, label),
    );
  }

  /** @param {() => void} onPress */
  #guarded(onPress) {
    return () => {
      if (performance.now() - this.#shapeSince >= GUARD_MS) onPress();
    };
  }
}
customElements.define('ringbridge-call', CallScreen);

/** Ends that somebody has to look into; they show a code. @type {ReadonlySet<string>} */
const FAILURES = new Set([
  'unknown_number',
  'unreachable',
  'not_allowed',
  'no_common_codec',
  'server_unavailable',
  'client_lost',
  'media_failed',
  'gateway_restarted',
  'failed',
]);
