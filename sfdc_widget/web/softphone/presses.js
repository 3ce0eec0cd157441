/** What a press means: the client's methods, and what is said of them. */
import { together, focused } from '../client/focus.js';
import { who } from './format.js';
import { words } from './strings.js';

/**
 * @import {CallView, DirectoryEntry, Record as CrmRecord} from '../client/wire.d.ts'
 * @import {WindowedClient} from '../video/windowed.js'
 * @import {Order} from '../video/messages.js'
 * @import {Problem} from './problem-card.js'
 *
 * @typedef {object} Around
 * @property {WindowedClient} client
 * @property {(text: string) => void} announce
 * @property {(error: unknown) => void} fail
 * @property {(problem: Problem|null) => void} problem
 * @property {() => void} hush no ringing any more
 * @property {(number: string, error: string) => void} keepNumber in the dial field
 *
 * @typedef {object} Target
 * @property {string} number
 * @property {string} [name]
 * @property {Partial<CrmRecord>|null} [record]
 */

/** @param {CallView} call @returns {CrmRecord|null} the one that it matches */
export function recordOf(call) {
  const [record] = call.match.records;
  return call.match.state === 'found' && call.match.records.length === 1 && record ? record : null;
}

/** @param {CallView} call @returns {Target} */
export function targetOf(call) {
  return { number: call.peer.e164 || call.peer.number, name: call.peer.display_name, record: recordOf(call) };
}

/** @param {DirectoryEntry} entry @returns {Target} */
export function targetOfEntry({ number, name, record }) {
  return { number, name, record: record ?? null };
}

/** The other party, as one to remember. @param {CallView} call @returns {DirectoryEntry} */
export function entryOf(call) {
  const record = recordOf(call);
  return {
    kind: call.type === 'internal' ? 'colleague' : 'record',
    name: who(call).slice(0, 255),
    number: call.peer.e164 || call.peer.number,
    company: record?.company ?? '',
    ...(record ? { record } : {}),
    state: 'unknown',
    is_favourite: true,
  };
}

export class Presses {
  #around;

  /** @param {Around} around */
  constructor(around) {
    this.#around = around;
  }

  get #client() {
    return this.#around.client;
  }

  /**
   * @param {() => unknown} act
   * @returns {Promise<boolean>} it was done
   */
  async #do(act) {
    this.#around.problem(null);
    try {
      await act();
      return true;
    } catch (error) {
      this.#around.fail(error);
      return false;
    }
  }

  /**
   * @param {Target} target
   * @param {{isVideo?: boolean, isAtDesk?: boolean, consultsFor?: string}} [how]
   */
  async dial({ number, name = '', record = null }, { isVideo = false, isAtDesk = false, consultsFor = '' } = {}) {
    const { client, problem, announce, keepNumber, fail } = this.#around;
    const isIdle = client.state.calls.length === 0;
    problem(null);
    if (client.state.status !== 'ready') {
      keepNumber(number, words.idle.notConnected);
      return;
    }
    announce(words.announce.calling(record?.name || name || number));
    if (isVideo && isIdle) {
      this.#openWindow({ act: 'dial', to: number, record });
      return;
    }
    try {
      if (isAtDesk) await client.createOnDeskPhone(number, { record, name });
      else await client.dial(number, { record, name, consultsFor });
      if (isIdle) keepNumber('', '');
    } catch (error) {
      const isInvalid = /** @type {{kind?: string}} */ (error).kind === 'number.invalid';
      if (isIdle) keepNumber(number, isInvalid ? words.idle.invalid : '');
      if (!isIdle || !isInvalid) fail(error);
    }
  }

  /** @param {CallView} call */
  async answer(call) {
    this.#around.hush();
    return this.#do(() => this.#client.answer(call.call_id));
  }

  /** In place of what goes on. @param {CallView} call */
  async endAndAnswer(call) {
    const current = focused(this.#client.state);
    await this.#do(async () => {
      if (current) await this.#hangup(current);
      await this.#client.answer(call.call_id);
    });
  }

  /** @param {CallView} call @param {'declined'|'busy'} [reason] */
  async decline(call, reason = 'declined') {
    await this.#do(() => this.#client.decline(call.call_id, reason));
  }

  /** For all of a conference. @param {CallView} call */
  async end(call) {
    await this.#do(() => this.#hangup(call));
  }

  /** This one alone. @param {CallView} call */
  async drop(call) {
    await this.#do(() => this.#client.hangup(call.call_id));
  }

  /** @param {CallView} call */
  async #hangup(call) {
    const all = together(this.#client.state.calls, call);
    await Promise.all(all.map(({ call_id: id }) => this.#client.hangup(id)));
  }

  /** @param {CallView} call */
  mute(call) {
    if (this.#client.state.isObserver) return;
    const isMuted = !this.#client.localState(call.call_id).isMuted;
    void this.#do(() => this.#client.mute(call.call_id, isMuted));
    this.#around.announce(isMuted ? words.announce.muted : words.announce.unmuted);
  }

  /** On hold, or back. @param {CallView} call */
  async hold(call) {
    await this.#do(() => (call.held_here ? this.#client.retrieve(call.call_id) : this.#client.hold(call.call_id)));
  }

  /** The one that talks and the one that waits change places. @param {CallView} call that waits */
  async swap(call) {
    if (await this.#do(() => this.#client.retrieve(call.call_id))) this.#around.announce(words.label.active(who(call)));
  }

  /** @param {CallView} call @param {{to?: string, toCall?: string}} target */
  async transfer(call, target) {
    return this.#do(() => this.#client.transfer(call.call_id, target));
  }

  /** @param {readonly CallView[]} calls */
  async merge(calls) {
    await this.#do(() => this.#client.merge(calls.map(({ call_id: id }) => id)));
  }

  /** @param {CallView} call */
  async split(call) {
    await this.#do(() => this.#client.split(call.call_id));
  }

  /** The question is dropped, and who waited is talked to. @param {{about: CallView, asked: CallView}} consultation */
  async comeBack({ about, asked }) {
    await this.#do(async () => {
      await this.#client.hangup(asked.call_id);
      await this.#client.retrieve(about.call_id);
    });
  }

  /** @param {CallView} call @param {string} digit */
  async digit(call, digit) {
    await this.#do(() => this.#client.sendDigits(call.call_id, digit));
  }

  async presence() {
    const isAway = this.#client.state.presence === 'do_not_disturb';
    const isDone = await this.#do(() => this.#client.setPresence(isAway ? 'available' : 'do_not_disturb'));
    if (isDone) this.#around.announce(isAway ? words.announce.available : words.announce.doNotDisturb);
  }

  /** @param {DirectoryEntry} entry @param {boolean} isFavourite */
  async favourite(entry, isFavourite) {
    await this.#do(() => this.#client.setFavourite(entry, isFavourite));
  }

  /** Answers with video, or raises the call to it: in the window. @param {CallView} call */
  video(call) {
    this.#around.problem(null);
    this.#around.hush();
    this.#openWindow({ act: call.state === 'ringing' ? 'answer' : 'start', callId: call.call_id });
  }

  /** @param {Order} order */
  #openWindow(order) {
    if (this.#client.callWindow.open(order)) return;
    this.#around.problem({ title: words.video.blockedTitle, text: words.video.blockedText });
  }
}
