import { uuid7 } from './identifiers.js';

/**
 * @import {CallBook} from './call-book.js'
 * @import {Ask} from './local-call.js'
 * @import {LocalCalls} from './local-calls.js'
 * @import {CallView, Peer, Record as CrmRecord} from './wire.d.ts'
 *
 * @typedef {object} Wanted
 * @property {boolean} microphone
 * @property {boolean} camera
 * @property {boolean} video
 * @property {boolean} [isMuted]
 */

/** A dial that could not be sent at once is stale: the rep has moved on. */
const DIAL_TIMEOUT_MS = 10_000;

/** Calls that are placed here, as long as the gateway does not know of them. */
export class Placing {
  #ask;
  #book;
  #local;
  /** `isSent` once the gateway may know. @type {Map<string, {isSent: boolean}>} */
  #drafts = new Map();

  /** @param {{ask: Ask, book: CallBook, local: LocalCalls}} options */
  constructor({ ask, book, local }) {
    this.#ask = ask;
    this.#book = book;
    this.#local = local;
  }

  /** @param {string} callId */
  has(callId) {
    return this.#drafts.has(callId);
  }

  /**
   * @param {'call.create'|'call.join'} method
   * @param {object} params
   * @param {CallView} draft what there is to show meanwhile
   * @param {Wanted} wanted
   * @returns {Promise<CallView>}
   * @throws {DialCancelled} or what `Ask` and the devices throw
   */
  async place(method, params, draft, wanted) {
    const callId = draft.call_id;
    const placed = { isSent: false };
    this.#drafts.set(callId, placed);
    this.#book.replace(draft);
    try {
      const local = await this.#local.create(callId);
      if (wanted.isMuted) this.#local.mute([callId], true);
      if (wanted.microphone) await this.#local.openMicrophone(local);
      if (wanted.video) await (await local.loadVideo()).prepare(wanted.camera);
      const offer = await local.media.offer(1);
      if (!this.#drafts.has(callId)) throw new DialCancelled();
      placed.isSent = true;
      const result = await this.#ask(method, { call_id: callId, ...params, offer }, DIAL_TIMEOUT_MS);
      this.#drafts.delete(callId);
      if (local.isClosed) return result.call;
      if (this.#book.find(callId)?.state === 'calling') this.#book.replace(result.call);
      if (result.answer) await local.media.accept(1, result.answer);
      return result.call;
    } catch (error) {
      const wasCancelled = !this.#drafts.delete(callId);
      this.#book.forget(callId);
      throw wasCancelled && !placed.isSent ? new DialCancelled() : error;
    }
  }

  /**
   * At the desk phone: nothing of it is in this page.
   *
   * @param {object} params
   * @param {CallView} draft
   * @returns {Promise<CallView>}
   */
  async placeElsewhere(params, draft) {
    const callId = draft.call_id;
    this.#drafts.set(callId, { isSent: true });
    this.#book.replace(draft);
    try {
      const { call } = await this.#ask('call.create', { call_id: callId, ...params }, DIAL_TIMEOUT_MS);
      if (this.#drafts.delete(callId) && this.#book.find(callId)?.state === 'calling') this.#book.replace(call);
      return call;
    } catch (error) {
      this.#drafts.delete(callId);
      this.#book.forget(callId);
      throw error;
    }
  }

  /**
   * Hung up before the gateway was asked.
   *
   * @param {string} callId
   * @returns {boolean} false: it knows, and has to be told
   */
  cancel(callId) {
    if (this.#drafts.get(callId)?.isSent !== false) return false;
    this.#drafts.delete(callId);
    this.#book.forget(callId);
    return true;
  }
}

/** Hung up before the gateway was asked. */
export class DialCancelled extends Error {
  kind = 'cancelled';

  constructor() {
    super('the call was cancelled before it was placed');
    this.name = 'DialCancelled';
  }
}

/**
 * What there is to show of a call before the gateway has answered.
 *
 * @param {Peer} peer
 * @param {Partial<CrmRecord>|null} record
 * @param {number} now
 * @returns {CallView}
 */
export function draftCall(peer, record, now) {
  const blank = { id: '', kind: '', name: '', url: '', company: '', phone: '', email: '' };
  return {
    call_id: uuid7(),
    direction: 'outbound',
    state: 'calling',
    peer,
    match: record?.name
      ? { state: 'found', records: [{ ...blank, certainty: 'exact', ...record }] }
      : { state: 'searching', records: [] },
    started_at: now,
    media_generation: 0,
    activity: { state: 'none', record_id: '', url: '', problem: '' },
    video: { state: 'none', sends: false, receives: false },
    participants: [],
    type: 'external',
    device: 'here',
    held_here: false,
    held_there: false,
    conference: '',
    caller_key: '',
    work: { state: 'none', notes: '', disposition: '', visited: [] },
  };
}
