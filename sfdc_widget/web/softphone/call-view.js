/**
 * One call from its first ring to the moment after: the same places all the time.
 * Below, two halves: at the start what carries the call on (Answer, then the tools,
 * then Call again), at the end what ends it (Decline, End, Done).
 */
import { h, joined, number, setAttribute, setText, show } from './dom.js';
import { company, duration, elapsed, initials, isWithheld, meeting, named, peerNumber, person } from './format.js';
import { icon } from './icons.js';
import { Keypad } from './keypad.js';
import { MatchPanel } from './match-panel.js';
import { ProblemCard } from './problem-card.js';
import { words } from './strings.js';

/** @import {CallView as Call, WidgetRules} from '../client/wire.d.ts' */
/** @import {Problem} from './problem-card.js' */
/** @import {IconName} from './icons.js' */
/** @import {NotesPanel} from './notes-panel.js' */

/** A second click meant for the button that was here must not hit the one that is. */
const GUARD_MS = 400;
/** Shorter gaps in the audio are not worth a word. */
const AUDIO_NOTICE_MS = 1_200;

/**
 * @typedef {object} CallModel
 * @property {Call} call
 * @property {boolean} isMuted
 * @property {boolean} isConnected
 * @property {boolean} isRestored the audio is being brought back, not begun
 * @property {string} crm
 * @property {Problem|null} problem
 * @property {boolean} isOnline
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
    end: () => {},
    mute: () => {},
    again: () => {},
    done: () => {},
    digit: (/** @type {string} */ _digit) => {},
    openActivity: () => {},
    retryActivity: () => {},
  };

  match = new MatchPanel();
  /** Loaded when there is something to write on. @type {NotesPanel|null} */
  notes = null;
  #isLoadingNotes = false;
  #problem = new ProblemCard();
  #keypad = new Keypad();
  #tones = h('output', { class: 'rb-tones', dir: 'ltr', 'aria-label': words.call.tones });
  #keypadPanel = h('div', { class: 'rb-keypad-panel', hidden: true }, this.#tones, this.#keypad);
  #avatar = h('div', { class: 'rb-avatar', 'aria-hidden': 'true' });
  #name = h('h1', { class: 'rb-name', dir: 'auto', tabindex: -1 });
  #company = h('p', { class: 'rb-company' });
  #number = h('p', { class: 'rb-peer' });
  #invite = h('p', { class: 'rb-chip', dir: 'auto', hidden: true });
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
  #deskNote = h('p', { class: 'rb-video-note', hidden: true });
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
  #activityProblem = h('p', { class: 'rb-card-text', hidden: true });
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
  #end = this.#big('phone', 'end', 'rb-end', () => this.actions.end());
  #done = this.#big('check', 'done', 'rb-neutral', () => this.actions.done());
  #mute = this.#tool('mic', words.call.mute, () => this.actions.mute());
  #keys = this.#tool('grip', words.call.keypad, () => this.#toggleKeypad());
  #video = this.#tool('video', words.video.start, () => this.actions.video());
  #tools = h('div', { class: 'rb-tools' }, this.#mute, this.#keys, this.#video);
  #shapeSince = 0;
  #shape = '';
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #audioTimer;
  #callId = '';

  connectedCallback() {
    if (this.firstChild) return;
    this.classList.add('rb-view', 'rb-call');
    this.#keys.setAttribute('aria-expanded', 'false');
    this.#keypad.addEventListener('key', (event) =>
      this.#pressed(/** @type {CustomEvent<string>} */ (event).detail),
    );
    this.#keypadPanel.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        this.#toggleKeypad();
        this.#keys.focus();
      }
    });
    this.addEventListener('keydown', (event) => {
      const isField = event.target instanceof HTMLElement && event.target.matches('input, textarea, select');
      if (!this.#keypadPanel.hidden && !isField && !event.ctrlKey && !event.metaKey && !event.altKey && /^[0-9*#]$/.test(event.key)) {
        this.#pressed(event.key);
      }
    });
    this.append(
      h(
        'header',
        { class: 'rb-person' },
        this.#avatar,
        h('div', { class: 'rb-person-text' }, this.#name, this.#company, this.#number, this.#key, this.#invite),
      ),
      h(
        'div',
        { class: 'rb-scroll' },
        this.#deskNote,
        this.#windowNote,
        this.#offer,
        this.#audio,
        this.#outcome,
        this.#activity,
        this.#activityProblem,
        this.#retryActivity,
        this.#problem,
        this.#keypadPanel,
        this.match,
        this.#makeInvite,
      ),
      h(
        'div',
        { class: 'rb-bar' },
        h('div', { class: 'rb-slot rb-carry-on' }, this.#withVideo, this.#answer, this.#tools, this.#again),
        h('div', { class: 'rb-slot' }, this.#decline, this.#end, this.#done),
      ),
    );
  }

  /** @param {CallModel} model */
  update({ call, isMuted, isConnected, isRestored, crm, problem, isOnline, isInWindow, isWindowSilent, canInvite, rules, now }) {
    const isNew = call.call_id !== this.#callId;
    if (isNew) {
      this.#callId = call.call_id;
      this.#tones.textContent = '';
      if (!this.#keypadPanel.hidden) this.#toggleKeypad();
    }
    this.dataset['state'] = call.state;
    this.#drawPerson(call);
    this.match.crm = crm;
    this.match.update(call);
    show(this.match, crm !== '' && call.end_reason !== 'answered_elsewhere');
    // Before an answer there is one thing to do, and it is not writing.
    const takesNotes = rules !== null && crm !== '' && call.work.state !== 'none' && call.state !== 'ringing';
    if (this.notes) show(this.notes, takesNotes);
    else if (takesNotes) void this.#loadNotes();
    if (takesNotes) this.notes?.update(call, rules, now);
    this.#drawButtons(call, isMuted, isOnline);
    this.#drawVideo(call, isInWindow, isWindowSilent);
    const isKnown = call.match.state === 'found' && call.match.records.length === 1;
    show(this.#makeInvite, canInvite && isKnown && call.state !== 'ringing' && !call.invite);
    setText(this.#makeText, words.invite.make(person(call)));
    this.#drawAudio(call, isConnected, isRestored);
    this.#drawOutcome(call, crm);
    this.#problem.update(problem);
  }

  async #loadNotes() {
    if (this.#isLoadingNotes) return;
    this.#isLoadingNotes = true;
    try {
      const { NotesPanel } = await import('./notes-panel.js');
      const notes = new NotesPanel();
      notes.client = this.match.client;
      this.match.after(notes);
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

  /** @param {Call} call */
  #drawPerson(call) {
    const name = meeting(call) || named(call);
    const shown = peerNumber(call.peer);
    const isHidden = isWithheld(call.peer);
    const letters = initials(call.participants[0]?.name || name);
    if (this.#avatar.textContent !== letters || !this.#avatar.firstChild) {
      this.#avatar.replaceChildren(letters === '' ? icon('user-round') : letters);
    }
    const title = name || (isHidden ? words.call.unknown : shown);
    if (this.#name.textContent !== title) {
      this.#name.replaceChildren(name || isHidden ? title : number(title));
    }
    const [record] = call.match.records;
    const facts = call.match.records.length === 1 && record
      ? [company(call), record.kind, record.certainty === 'possible' ? words.match.possible : ''].filter(Boolean)
      : [];
    if (this.#company.textContent !== facts.join(' · ')) this.#company.replaceChildren(...joined(facts));
    show(this.#company, facts.length > 0);
    // Who comes by an invite has no number to show or to keep to themselves.
    const unsaid = call.invite ? '' : words.call.hidden;
    const line = isHidden ? unsaid : name ? shown : '';
    if (this.#number.textContent !== line) {
      this.#number.replaceChildren(isHidden ? line : number(line));
    }
    show(this.#number, line !== '');
    const key = call.caller_key ?? '';
    if (this.#key.dataset['key'] !== key) {
      this.#key.dataset['key'] = key;
      this.#key.replaceChildren(`${words.call.typed} `, number(key));
    }
    show(this.#key, key !== '');
  }

  /** @param {Call} call @param {boolean} isMuted @param {boolean} isOnline */
  #drawButtons(call, isMuted, isOnline) {
    const shape =
      call.state === 'ringing' ? 'ringing' : call.state === 'ended' ? 'ended' : 'up';
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#shapeSince = performance.now();
    }
    // What the desk phone has is only followed.
    const isHere = call.device !== 'desk_phone';
    show(this.#answer, isHere && shape === 'ringing');
    show(this.#decline, isHere && shape === 'ringing');
    show(this.#tools, isHere && shape === 'up');
    show(this.#end, isHere && shape === 'up');
    setText(this.#deskNote, words.desk.pickUp);
    show(this.#deskNote, !isHere && shape !== 'ended' && call.state !== 'active');
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
    if (shape !== 'up' && !this.#keypadPanel.hidden) this.#toggleKeypad();

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
    show(this.#withVideo, isRinging && isOffered && call.device !== 'desk_phone');
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
    const isMissing = call.state === 'active' && !isConnected && call.device !== 'desk_phone';
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

  #toggleKeypad() {
    const isShown = Boolean(this.#keypadPanel.hidden);
    show(this.#keypadPanel, isShown);
    this.classList.toggle('rb-keypad-open', isShown);
    this.#keys.setAttribute('aria-expanded', String(isShown));
    if (isShown) this.#keypad.querySelector('button')?.focus({ preventScroll: true });
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

  /** @param {IconName} image @param {string} label @param {() => void} onPress */
  #tool(image, label, onPress) {
    return h(
      'button',
      { type: 'button', class: 'rb-tool', on: { click: this.#guarded(onPress) } },
      icon(image),
      h('span', {}, label),
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
