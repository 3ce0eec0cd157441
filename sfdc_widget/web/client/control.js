/**
 * What a rep does with calls that are up: hold, hand over, bring together.
 *
 * The gateway does it; this page only falls silent in advance, so that nobody is heard
 * for a moment longer than the rep wants.
 */
import { focused, isTalking, together } from './focus.js';

/**
 * @import {ClientState} from './client-state.js'
 * @import {Ask} from './local-call.js'
 * @import {LocalCalls} from './local-calls.js'
 * @import {DirectoryEntry, DirectorySearchResult, PresenceState} from './wire.d.ts'
 */

export class CallControl {
  #ask;
  #request;
  #local;
  #state;
  #update;

  /**
   * @param {object} options
   * @param {Ask} options.ask
   * @param {(method: string, params: object) => Promise<any>} options.request changes nothing
   * @param {LocalCalls} options.local
   * @param {() => ClientState} options.state
   * @param {(changes: Partial<ClientState>) => void} options.update
   */
  constructor({ ask, request, local, state, update }) {
    this.#ask = ask;
    this.#request = request;
    this.#local = local;
    this.#state = state;
    this.#update = update;
  }

  /** @param {string} callId */
  #beside(callId) {
    const { calls } = this.#state();
    const call = calls.find(({ call_id }) => call_id === callId);
    return call ? together(calls, call).map(({ call_id }) => call_id) : [callId];
  }

  /**
   * Silence in these until the step is done; then their views say it.
   *
   * @template Result
   * @param {readonly string[]} callIds
   * @param {() => Promise<Result>} step
   */
  async #quietly(callIds, step) {
    for (const id of callIds) this.#local.get(id)?.pause(true);
    try {
      return await step();
    } finally {
      for (const id of callIds) this.#local.get(id)?.pause(false);
    }
  }

  /**
   * What takes the rep's attention from the calls that talk.
   *
   * @template Result
   * @param {string} callId of the one that gets it
   * @param {() => Promise<Result>} step
   */
  async instead(callId, step) {
    const kept = this.#beside(callId);
    const others = this.#state().calls.filter((call) => isTalking(call) && !kept.includes(call.call_id));
    return this.#quietly(others.map(({ call_id }) => call_id), step);
  }

  /** @param {string} callId */
  async hold(callId) {
    await this.#quietly(this.#beside(callId), () => this.#ask('call.hold', { call_id: callId }));
  }

  /** @param {string} callId */
  async retrieve(callId) {
    await this.instead(callId, () => this.#ask('call.retrieve', { call_id: callId }));
  }

  /** @param {string} callId @param {{to?: string, toCall?: string}} target */
  async transfer(callId, { to, toCall }) {
    await this.#ask('call.transfer', { call_id: callId, to, to_call: toCall });
  }

  /** @param {readonly string[]} callIds */
  async merge(callIds) {
    const now = focused(this.#state());
    const isMuted = now !== null && (this.#local.get(now.call_id)?.isMuted ?? false);
    const { isObserver } = this.#state();
    await this.#ask('call.merge', { call_ids: callIds });
    // One conference, one microphone: as the rep had it last.
    if (!isObserver) this.#local.mute([...new Set(callIds.flatMap((id) => this.#beside(id)))], isMuted);
  }

  /** @param {string} callId */
  async split(callId) {
    await this.#quietly([callId], () => this.#ask('call.split', { call_id: callId }));
  }

  /** @param {string} callId @param {boolean} isMuted */
  mute(callId, isMuted) {
    this.#local.mute(this.#beside(callId), isMuted);
  }

  /** @param {PresenceState} state */
  async setPresence(state) {
    await this.#ask('presence.set', { state });
    this.#update({ presence: state });
  }

  /** @param {string} text @returns {Promise<DirectorySearchResult>} */
  async searchDirectory(text) {
    const found = await this.#request('directory.search', { text });
    if (text === '') this.#update({ favourites: found.entries });
    return found;
  }

  /** @param {DirectoryEntry} entry @param {boolean} isFavourite */
  async setFavourite(entry, isFavourite) {
    const made = { ...entry, is_favourite: isFavourite };
    await this.#ask('favourite.set', { entry: made, is_favourite: isFavourite });
    const { favourites } = this.#state();
    if (favourites === null) return;
    const others = favourites.filter(({ number }) => number !== entry.number);
    this.#update({ favourites: isFavourite ? [...others, made] : others });
  }
}
