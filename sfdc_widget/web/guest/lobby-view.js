import { h, setText, show } from '../softphone/dom.js';
import { initials } from '../softphone/initials.js';
import { DeviceCheck } from './device-check.js';
import { icon } from './icons.js';
import { countdown, hostTime, meetingTime, moment, shownZone, zoneName } from './times.js';

/**
 * @import {JoinView} from '../client/wire.d.ts'
 * @import {Devices} from './devices.js'
 * @import {LinkFailure} from './link.js'
 * @import {SoundCheck} from './sound-check.js'
 * @import {Words} from './strings/en.js'
 *
 * @typedef {object} LobbyModel
 * @property {JoinView} view
 * @property {string} host
 * @property {string} name to begin with
 * @property {number} now server time
 * @property {string} locale
 * @property {boolean} isJoining
 * @property {string} problem why the last try to join failed, in words
 * @property {string} calendar what became of the calendar entry, in words
 * @property {LinkFailure|null} failure of the last look at the link
 *
 * @typedef {object} LobbyActions
 * @property {(name: string) => void} join
 * @property {() => void} addToCalendar
 */

const LONG_WAIT_MS = 12 * 3_600_000;
/** Those who listen hear how long it takes at these minutes. */
const SPOKEN_MINUTES = [10, 5, 1];

/** Who invites and when; the check of camera and sound; the name; "Join". */
export class LobbyView {
  #words;
  #devices;
  #check;
  /** @type {LobbyModel|null} */
  #model = null;
  #company = h('p', { class: 'g-company' });
  #title = h('h1', { tabindex: '-1' });
  #by = h('p', { class: 'g-by' });
  #time = h('p', { class: 'g-time' });
  #zone = h('p', { class: 'g-soft' });
  #hostTime = h('p', { class: 'g-soft' });
  #calendar;
  #calendarNote = h('p', { class: 'g-soft', role: 'status' });
  #name;
  #nameHint = h('p', { class: 'g-soft', id: 'g-name-hint' });
  #nameError = h('p', { class: 'g-error', id: 'g-name-error', role: 'alert' });
  #join;
  #offline = h('p', { class: 'g-offline', role: 'status' });
  #note = h('p', { class: 'g-soft', role: 'status' });
  #problem = h('p', { class: 'g-error', role: 'alert' });
  #countdown = h('p', { class: 'g-countdown', role: 'timer' });
  #stay = h('p', { class: 'g-soft' });
  #spoken = h('p', { class: 'g-live', role: 'status' });
  #spokenMinutes = 0;
  #wasEarly = false;

  /**
   * @param {object} options
   * @param {Words} options.words
   * @param {Devices} options.devices
   * @param {SoundCheck} options.sound
   * @param {LobbyActions} options.actions
   */
  constructor({ words, devices, sound, actions }) {
    this.#words = words;
    this.#devices = devices;
    this.#check = new DeviceCheck({ devices, sound, words });
    this.#calendar = h(
      'button',
      { type: 'button', class: 'g-button g-neutral g-calendar', on: { click: actions.addToCalendar } },
      icon('calendar-plus'),
      words.invite.addToCalendar,
    );
    this.#name = h('input', {
      id: 'g-name',
      type: 'text',
      name: 'name',
      autocomplete: 'name',
      maxlength: '80',
      required: true,
      dir: 'auto',
      'aria-describedby': 'g-name-hint g-name-error',
      on: { input: () => setText(this.#nameError, '') },
    });
    this.#join = h('button', { type: 'submit', class: 'g-button g-brand g-join' }, words.join.join);
    const submit = (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      this.#submit(actions);
    };
    this.element = h(
      'form',
      { class: 'g-column g-lobby', novalidate: true, on: { submit } },
      h(
        'header',
        { class: 'g-head' },
        this.#company,
        this.#title,
        this.#by,
        this.#time,
        this.#zone,
        this.#hostTime,
        this.#calendar,
        this.#calendarNote,
        this.#stay,
      ),
      this.#check.element,
      h(
        'div',
        { class: 'g-field' },
        h('label', { for: 'g-name' }, words.join.name),
        this.#name,
        this.#nameHint,
        this.#nameError,
      ),
      h(
        'div',
        { class: 'g-foot' },
        this.#offline,
        this.#problem,
        this.#note,
        this.#countdown,
        this.#join,
        this.#spoken,
      ),
    );
  }

  get heading() {
    return this.#title;
  }

  /** @param {number} level @param {boolean} isHeard */
  setLevel(level, isHeard) {
    this.#check.setLevel(level, isHeard);
  }

  /** @param {LobbyActions} actions */
  #submit(actions) {
    const model = this.#model;
    if (!model || model.view.state !== 'open' || model.isJoining) return;
    const name = this.#name.value.trim();
    if (name === '') {
      setText(this.#nameError, this.#words.join.nameNeeded);
      this.#name.setAttribute('aria-invalid', 'true');
      this.#name.focus();
      this.#name.parentElement?.scrollIntoView({ block: 'center' });
      return;
    }
    this.#name.removeAttribute('aria-invalid');
    actions.join(name);
  }

  /** @param {LobbyModel} model */
  update(model) {
    if (this.#model === null) this.#name.value = model.name;
    this.#model = model;
    const { view, host, now, locale } = model;
    const { words } = this.#set(view, host, now, locale);
    const isEarly = view.state === 'early';
    show(this.#offline, model.failure !== null);
    if (model.failure !== null) {
      const kind = model.failure === 'offline' ? 'offline' : 'unreachable';
      setText(this.#offline, `${words.notice.kinds[kind]?.(host).title}. ${words.notice.retrying}`);
    }
    show(this.#calendar, isEarly);
    show(this.#calendarNote, isEarly);
    show(this.#join, !isEarly);
    show(this.#countdown, isEarly);
    show(this.#stay, isEarly);
    this.#join.disabled = model.isJoining;
    setText(this.#join, model.isJoining ? words.join.joining : words.join.join);
    setText(this.#problem, model.problem);
    show(this.#problem, model.problem !== '');
    setText(this.#calendarNote, model.calendar);
    const note = isEarly ? '' : this.#deviceNote();
    setText(this.#note, note);
    show(this.#note, note !== '');
    if (isEarly) this.#wait(view, now, locale);
    else if (this.#wasEarly) setText(this.#spoken, words.wait.open);
    this.#wasEarly = isEarly;
    this.#check.update();
  }

  /** @param {JoinView} view @param {string} host @param {number} now @param {string} locale */
  #set(view, host, now, locale) {
    const words = this.#words;
    if (this.#company.textContent !== initials(view.company).slice(0, 1) + view.company) {
      this.#company.replaceChildren(
        h('span', { class: 'g-tile', 'aria-hidden': 'true' }, initials(view.company).slice(0, 1)),
        h('bdi', {}, view.company),
      );
      show(this.#company, view.company !== '');
    }
    const subject = view.subject || words.page.titleWith(host);
    setText(this.#title, subject);
    setText(this.#by, words.invite.by(host));
    const { starts_at: from, ends_at: to } = view;
    const own = shownZone(view.guest_time_zone);
    setText(this.#time, meetingTime(from, to, now, locale, own));
    const theirs = hostTime(from, to, locale, view.time_zone, own);
    const isZoneSaid = theirs !== null || own !== undefined;
    setText(this.#zone, isZoneSaid ? zoneName(from, locale, own) : '');
    show(this.#zone, isZoneSaid);
    setText(this.#hostTime, theirs === null ? '' : words.invite.hostTime(theirs, host));
    show(this.#hostTime, theirs !== null);
    setText(this.#nameHint, words.join.nameHint(host));
    return { words };
  }

  /** What it will be like; a problem's own words say it where there is one alone. */
  #deviceNote() {
    const { camera, microphone, isOpening, mustAsk } = this.#devices;
    const { join } = this.#words;
    if (isOpening || mustAsk) return '';
    if (camera.problem !== null || microphone.problem !== null) {
      return camera.problem !== null && microphone.problem !== null ? join.withoutMicrophone : '';
    }
    return camera.track ? '' : join.withoutCamera;
  }

  /** @param {JoinView} view @param {number} now @param {string} locale */
  #wait(view, now, locale) {
    const { wait } = this.#words;
    const left = view.opens_at - now;
    const isLong = left > LONG_WAIT_MS;
    setText(
      this.#countdown,
      isLong ? wait.opensOn(moment(view.opens_at, now, locale, shownZone(view.guest_time_zone))) : wait.opensIn(countdown(left)),
    );
    setText(this.#stay, isLong ? wait.later : wait.stay);
    const minutes = SPOKEN_MINUTES.find((each) => Math.ceil(left / 60_000) === each) ?? 0;
    if (minutes > 0 && minutes !== this.#spokenMinutes) {
      this.#spokenMinutes = minutes;
      setText(this.#spoken, wait.minutes(minutes));
    }
  }
}
