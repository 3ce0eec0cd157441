import { uuid7 } from './identifiers.js';

/**
 * @import {InviteDraft, InviteView, Record as CrmRecord} from './wire.d.ts'
 *
 * @typedef {(method: string, params: object) => Promise<any>} Ask
 */

/**
 * A rep's video invites: `client.invites`. What comes next is in the client's state
 * (`invites`) once `load` was called; events keep it up to date. A wrong draft is
 * refused with a `RequestError` that names the `field`.
 */
export class Invites {
  #ask;
  #loaded;

  /**
   * @param {object} options
   * @param {Ask} options.ask
   * @param {(invites: readonly InviteView[]) => void} options.loaded
   */
  constructor({ ask, loaded }) {
    this.#ask = ask;
    this.#loaded = loaded;
  }

  /** Those to come, next first, into the client's state. */
  async load() {
    const invites = await this.list();
    this.#loaded(invites);
    return invites;
  }

  /**
   * @param {{past?: boolean, limit?: number, after?: string}} [page]
   * @returns {Promise<readonly InviteView[]>}
   */
  async list(page = {}) {
    return (await this.#ask('invite.list', page)).invites;
  }

  /**
   * @param {InviteDraft} invite
   * @param {string} [inviteId] the same again after a failure, so that it is made once
   * @returns {Promise<InviteView>}
   */
  async create(invite, inviteId = uuid7()) {
    return (await this.#ask('invite.create', { op_id: uuid7(), invite_id: inviteId, invite })).invite;
  }

  /** Guests that are left out are told that it is cancelled. @param {string} inviteId @param {InviteDraft} invite @returns {Promise<InviteView>} */
  async change(inviteId, invite) {
    return (await this.#ask('invite.change', { op_id: uuid7(), invite_id: inviteId, invite })).invite;
  }

  /** @param {string} inviteId @returns {Promise<InviteView>} */
  async cancel(inviteId) {
    return (await this.#ask('invite.cancel', { op_id: uuid7(), invite_id: inviteId })).invite;
  }

  /** Mails it again, to all guests or to one. @param {string} inviteId @param {string} [guestId] @returns {Promise<InviteView>} */
  async resend(inviteId, guestId) {
    const guest = guestId ? { guest_id: guestId } : {};
    return (await this.#ask('invite.resend', { op_id: uuid7(), invite_id: inviteId, ...guest })).invite;
  }

  /** @param {string} inviteId @param {number} minutes @returns {Promise<InviteView>} */
  async extend(inviteId, minutes) {
    return (await this.#ask('invite.extend', { op_id: uuid7(), invite_id: inviteId, minutes })).invite;
  }

  /** A guest's link. Whoever has it is let in: keep it nowhere. @param {string} inviteId @param {string} guestId @returns {Promise<string>} */
  async link(inviteId, guestId) {
    return (await this.#ask('invite.link', { invite_id: inviteId, guest_id: guestId })).url;
  }

  /** Looks for people in the CRM, to invite them. @param {string} text @returns {Promise<readonly CrmRecord[]>} */
  async searchRecords(text) {
    return (await this.#ask('record.search', { text })).records;
  }
}
