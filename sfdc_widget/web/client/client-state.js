/** What a page draws, and how news of the gateway change it. Pure. */
import { isWritten } from './call-facts.js';
import { focusOf, heldTimes } from './focus.js';

/**
 * @import {CallView, DirectoryEntry, InviteView, JoinView, PresenceState, Registration,
 *   UserView, WidgetRules} from './wire.d.ts'
 * @import {DeviceProblem, MicrophoneProblem, SignInFailure} from './errors.js'
 *
 * @typedef {'signed_out'|'signing_in'|'connecting'|'ready'|'reconnecting'|
 *   'superseded'} ClientStatus
 *
 * `ready`: state is live. `reconnecting`: state is the last known; a call in
 * progress goes on. `superseded`: another page has the phone, see `takeOver`.
 *
 * @typedef {object} ClientState
 * @property {ClientStatus} status
 * @property {SignInFailure|null} signInProblem why `signed_out`
 * @property {UserView|null} user
 * @property {Registration} registration
 * @property {string} crm its name for people, '' when there is none
 * @property {readonly CallView[]} calls those not yet ended, oldest first
 * @property {string} focus id of the call that the page is about, '' for none
 * @property {Readonly<Record<string, number>>} heldSince by id of calls on hold, in server
 *   time, as far as this tab has seen it
 * @property {PresenceState} presence
 * @property {readonly DirectoryEntry[]|null} favourites null: not asked for, see
 *   `searchDirectory`
 * @property {readonly CallView[]|null} recent ended ones, newest first; null: not yet loaded
 * @property {readonly InviteView[]|null} invites to come, next first, and what became
 *   of them since; null: not asked for, see `invites.load`
 * @property {JoinView|null} join what a guest's link leads to; null for reps
 * @property {WidgetRules|null} rules the tenant's, null before anybody has signed in
 * @property {MicrophoneProblem|null} microphoneProblem
 * @property {DeviceProblem|null} cameraProblem
 * @property {boolean} willAskMicrophone the browser will ask the user first
 * @property {boolean} isPlaybackBlocked the far end is heard after `unblockPlayback`
 * @property {boolean} isInWindow `superseded` by the window of a call, see `yields`
 * @property {boolean} isObserver another page has the phone: calls ring and are heard
 *   there, this one shows them; see `observes`
 * @property {boolean} isOffline the browser says that there is no network
 * @property {number} clockOffsetMs server time minus this machine's
 */

export const RECENT_CALLS = 20;
const KNOWN_INVITES = 100;

/** Before anybody has signed in. @returns {ClientState} */
export function blankState() {
  return {
    status: 'signed_out',
    signInProblem: null,
    user: null,
    registration: { state: 'unregistered' },
    crm: '',
    calls: [],
    focus: '',
    heldSince: {},
    presence: 'available',
    favourites: null,
    recent: null,
    invites: null,
    join: null,
    rules: null,
    microphoneProblem: null,
    cameraProblem: null,
    willAskMicrophone: false,
    isPlaybackBlocked: false,
    isInWindow: false,
    isObserver: false,
    isOffline: false,
    clockOffsetMs: 0,
  };
}

/**
 * With what follows from the calls.
 *
 * @param {ClientState} state
 * @param {Partial<ClientState>} changes
 * @returns {ClientState}
 */
export function changed(state, changes) {
  const next = { ...state, ...changes };
  if (next.calls === state.calls) return next;
  const now = Date.now() + next.clockOffsetMs;
  next.focus = focusOf(next.calls, state.focus);
  next.heldSince = heldTimes(next.calls, state.heldSince, now);
  return next;
}

/** @param {readonly CallView[]} calls @param {CallView} call */
export function withCall(calls, call) {
  return [...without(calls, call.call_id), call].sort((a, b) => a.started_at - b.started_at);
}

/** @param {readonly CallView[]} calls @param {string} callId */
export function without(calls, callId) {
  return calls.filter(({ call_id }) => call_id !== callId);
}

/**
 * @param {readonly CallView[]} recent
 * @param {CallView} call
 * @returns {{recent: readonly CallView[], isNewlyWritten: boolean}}
 */
export function withRecent(recent, call) {
  const former = recent.find(({ call_id }) => call_id === call.call_id);
  return {
    recent: [call, ...without(recent, call.call_id)]
      .sort((a, b) => b.started_at - a.started_at)
      .slice(0, RECENT_CALLS),
    isNewlyWritten: isWritten(call.activity) && !isWritten(former?.activity),
  };
}

/** @param {readonly InviteView[]} invites @param {InviteView} invite */
export function withInvite(invites, invite) {
  return [invite, ...invites.filter(({ invite_id }) => invite_id !== invite.invite_id)]
    .sort((a, b) => a.starts_at - b.starts_at)
    .slice(-KNOWN_INVITES);
}
