/**
 * The calls and invites that there are, kept up by snapshots and events.
 *
 * Driven by: the gateway's news (`applySnapshot`, `applyEvent`), and its owner for
 * calls that are placed here and that the gateway does not know yet.
 */
import { isSeen, isWritten } from './call-facts.js';
import { isHere } from './focus.js';
import { RECENT_CALLS, withCall, withInvite, without, withRecent } from './client-state.js';

/**
 * @import {ClientState} from './client-state.js'
 * @import {LocalCalls} from './local-calls.js'
 * @import {AnyEvent, CallView, InviteView, Snapshot} from './wire.d.ts'
 *
 * @typedef {object} BookEvents
 * @property {CallView} incoming
 * @property {CallView} ended
 * @property {CallView|InviteView} logged
 * @property {InviteView} invite
 *
 * @typedef {object} BookOptions
 * @property {LocalCalls} local
 * @property {() => ClientState} state
 * @property {(changes: Partial<ClientState>) => void} update
 * @property {<Name extends keyof BookEvents>(type: Name, value: BookEvents[Name]) => void} emit
 * @property {(callId: string) => boolean} isDraft placed here, not yet known there
 * @property {(limit: number) => Promise<readonly CallView[]>} history ended ones
 * @property {(isInCall: boolean) => void} counted
 */

export class CallBook {
  #options;
  /** The invite whose event was said to be written last. */
  #loggedInvite = '';

  /** @param {BookOptions} options */
  constructor(options) {
    this.#options = options;
  }

  get #state() {
    return this.#options.state();
  }

  /** @param {string} callId */
  find(callId) {
    return this.#state.calls.find(({ call_id }) => call_id === callId);
  }

  /** @param {Snapshot} snapshot */
  applySnapshot(snapshot) {
    const { local, isDraft, update } = this.#options;
    const live = snapshot.calls.filter(({ state }) => state !== 'ended');
    const known = new Set(live.map(({ call_id }) => call_id));
    const drafts = this.#state.calls.filter(({ call_id }) => isDraft(call_id) && !known.has(call_id));
    const calls = [...live, ...drafts];
    const alive = new Set(calls.map(({ call_id }) => call_id));
    const gone = this.#state.calls.filter(({ call_id }) => !alive.has(call_id));
    for (const callId of local.ids()) if (!alive.has(callId)) local.end(callId);
    update({
      user: snapshot.user,
      registration: snapshot.registration,
      crm: snapshot.crm ?? '',
      join: snapshot.join ?? null,
      presence: snapshot.presence,
      rules: snapshot.rules,
      calls,
      clockOffsetMs: snapshot.server_time - Date.now(),
    });
    this.#count();
    if (gone.length > 0) void this.#endedUnseen(gone);
    this.takeUp(live);
  }

  /** The media of calls, and their ringing, are this page's matter. */
  takeUp(calls = this.#state.calls) {
    for (const call of calls.filter(isHere)) {
      if (call.state === 'ringing') this.#rings(call);
      else this.#restore(call);
    }
  }

  /** @param {CallView} call */
  #rings(call) {
    const { local, emit } = this.#options;
    if (this.#state.isObserver) return;
    if (isHere(call)) void local.preOffer(call);
    emit('incoming', call);
  }

  /** @param {AnyEvent} event */
  applyEvent(event) {
    const { local, update, emit } = this.#options;
    switch (event.type) {
      case 'registration.state':
        update({ registration: event.registration });
        break;
      case 'call.incoming':
        this.replace(event.call);
        this.#rings(event.call);
        break;
      case 'call.early_media': {
        const own = local.get(event.call.call_id);
        if (own) own.hasEarlyMedia = true;
        this.replace(event.call);
        break;
      }
      case 'call.ringing':
      case 'call.answered':
        this.replace(event.call);
        if (!local.get(event.call.call_id)) this.#restore(event.call);
        break;
      case 'call.updated':
        if (event.call.state === 'ended') this.#replaceRecent(event.call);
        else this.replace(event.call);
        break;
      case 'call.ended':
        this.#ended(event.call);
        break;
      case 'call.media':
        this.#heardOfMedia(event);
        local.get(event.call_id)?.mediaEvent(event);
        break;
      case 'presence.changed':
        update({ presence: event.state });
        break;
      case 'invite.updated':
        this.#replaceInvite(event.invite);
        emit('invite', event.invite);
        break;
      default:
      // `session.superseded` and `server.notice`: the close code that follows says it;
      // `invite.ending`: the calls themselves say when they end.
    }
  }

  /** Which offer was the newest, in whatever page. @param {{call_id: string, generation: number}} event */
  #heardOfMedia({ call_id: callId, generation }) {
    const call = this.find(callId);
    if (!call || generation <= (call.media_generation ?? 0)) return;
    this.#options.update({ calls: withCall(this.#state.calls, { ...call, media_generation: generation }) });
  }

  /** As a request's answer has it. @param {CallView} call */
  changed(call) {
    if (call.state === 'ended') this.#replaceRecent(call);
    else if (this.find(call.call_id)) this.replace(call);
  }

  /** @param {CallView} news */
  replace(news) {
    const former = this.find(news.call_id);
    const call = named(news, former);
    const local = this.#options.local.get(call.call_id);
    if (local && former && isSeen(former) && !isSeen(call)) {
      // Nobody sees it any more: the light goes out.
      void local.video?.setCamera(false);
      void local.video?.stopSharing();
    }
    const { calls, recent } = this.#state;
    // One that rang here may go on at the desk phone, under its id.
    const isBack = former === undefined && recent?.some(({ call_id }) => call_id === call.call_id);
    this.#options.update({
      calls: withCall(calls, call),
      ...(isBack ? { recent: without(recent ?? [], call.call_id) } : {}),
    });
    this.#count();
    local?.follow();
    local?.meet();
  }

  /** A call that was placed here and came to nothing. @param {string} callId */
  forget(callId) {
    this.#options.local.end(callId);
    this.#options.update({ calls: without(this.#state.calls, callId) });
    this.#count();
  }

  async loadRecent() {
    const { history, update } = this.#options;
    if (this.#state.user?.role === 'guest') return;
    try {
      update({ recent: await history(RECENT_CALLS) });
    } catch {
      update({ recent: this.#state.recent ?? [] });
    }
  }

  #count() {
    this.#options.counted(this.#state.calls.length > 0);
  }

  /** @param {CallView} call */
  #restore(call) {
    if (isHere(call) && !this.#state.isObserver && !this.#options.isDraft(call.call_id)) this.#options.local.restore(call);
  }

  /** @param {CallView} call */
  #ended(call) {
    const { local, emit } = this.#options;
    const wasHere = this.find(call.call_id) !== undefined;
    local.forgetVideo(call.call_id);
    this.forget(call.call_id);
    this.#replaceRecent(call);
    // What did not even ring here is news for the history alone.
    if (wasHere || call.end_reason !== 'do_not_disturb') emit('ended', call);
  }

  /** What history does not know was cut off with the service. @param {CallView[]} calls */
  async #endedUnseen(calls) {
    await this.loadRecent();
    for (const call of calls) {
      const kept = this.#state.recent?.find(({ call_id }) => call_id === call.call_id);
      this.#ended(kept ?? { ...call, state: 'ended', ended_at: Date.now(), end_reason: 'gateway_restarted' });
    }
  }

  /** @param {CallView} call */
  #replaceRecent(call) {
    const { recent, isNewlyWritten } = withRecent(this.#state.recent ?? [], call);
    this.#options.update({ recent });
    if (isNewlyWritten) this.#options.emit('logged', call);
  }

  /** @param {InviteView} invite */
  #replaceInvite(invite) {
    const { invites } = this.#state;
    // Not by what the list says, which may have been asked for in between.
    const isLogged = this.#loggedInvite === invite.invite_id;
    if (isWritten(invite.event) !== isLogged) {
      this.#loggedInvite = isLogged ? '' : invite.invite_id;
      if (!isLogged) this.#options.emit('logged', invite);
    }
    // Not yet asked for: the list will have it.
    this.#options.update({ invites: invites && withInvite(invites, invite) });
  }
}

/**
 * Who was dialled by name keeps it, as long as the gateway knows none.
 *
 * @param {CallView} call
 * @param {CallView} [former]
 * @returns {CallView}
 */
function named(call, former) {
  const name = former?.peer.display_name;
  return name && !call.peer.display_name ? { ...call, peer: { ...call.peer, display_name: name } } : call;
}
