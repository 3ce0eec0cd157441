/**
 * What there is to show. Pure: facts in, one screen out.
 *
 * @import {CallView, EndReason, JoinView} from '../client/wire.d.ts'
 * @import {ClientStatus} from '../client/ringbridge-client.js'
 * @import {LinkFailure} from './link.js'
 *
 * @typedef {object} Facts
 * @property {'insecure'|'unsupported'|null} unfit why this browser will not do
 * @property {JoinView|null} view what the link leads to, null until it is known
 * @property {LinkFailure|null} failure of the last look at the link
 * @property {ClientStatus} status of the session
 * @property {boolean} isReturning this tab was in the call, and has been reloaded
 * @property {CallView|null} call
 * @property {CallView|null} ended the call that was, until another is made
 * @property {boolean} isFull the meeting has no room for one more
 *
 * @typedef {{name: 'loading'|'returning'|'lobby'|'ringing'|'call', kind: ''} |
 *   {name: 'notice'|'ended', kind: string}} Screen
 */

/** @type {Record<EndReason, string>} */
const ENDINGS = {
  hung_up_here: 'left',
  hung_up_there: 'finished',
  cancelled_here: 'cancelled',
  missed: 'no_answer',
  declined_here: 'declined',
  answered_elsewhere: 'elsewhere',
  declined_elsewhere: 'declined',
  busy: 'busy',
  declined_there: 'declined',
  no_answer: 'no_answer',
  unknown_number: 'unreachable',
  unreachable: 'unreachable',
  not_allowed: 'unreachable',
  no_common_codec: 'unreachable',
  server_unavailable: 'unreachable',
  client_lost: 'lost',
  media_failed: 'no_media',
  gateway_restarted: 'restarted',
  invite_over: 'time_over',
  transferred: 'finished',
  do_not_disturb: 'declined',
  failed: 'unreachable',
};

/** Those after which one was in the call, and comes back to it. */
const WAS_IN = new Set(['left', 'finished', 'lost', 'restarted']);

/** @param {Facts} facts @returns {Screen} */
export function screenOf({ unfit, view, failure, status, isReturning, call, ended, isFull }) {
  if (unfit) return { name: 'notice', kind: unfit };
  if (status === 'superseded') return { name: 'ended', kind: 'elsewhere' };
  if (call) return { name: call.state === 'active' ? 'call' : 'ringing', kind: '' };
  if (isReturning) return { name: 'returning', kind: '' };
  if (isFull && view?.state === 'open') return { name: 'notice', kind: 'full' };
  if (ended) return { name: 'ended', kind: endingOf(ended) };
  if (view === null) {
    return failure === null || failure === 'refused'
      ? { name: 'loading', kind: '' }
      : { name: 'notice', kind: failure };
  }
  if (view.state === 'early' || view.state === 'open') return { name: 'lobby', kind: '' };
  return { name: 'notice', kind: view.state };
}

/** @param {CallView} call */
function endingOf(call) {
  const known = call.end_reason && ENDINGS[call.end_reason];
  // A reason of a later version: say what is certain.
  return known || (call.answered_at ? 'finished' : 'unreachable');
}

/** How one comes back after a call that ended so; null: not at all. @param {string} kind */
export function wayBack(kind) {
  if (kind === 'time_over') return null;
  return WAS_IN.has(kind) ? 'rejoin' : 'again';
}

const EVERY_MS = 60_000;
const IN_USE_EVERY_MS = 10_000;
const FAILED_MS = 2_000;
const FAILED_CAP_MS = 30_000;
/** Many wait for the same moment: they do not all ask in the same millisecond. */
const SPREAD_MS = 1_000;

/**
 * When to look at the link again, in ms; null: when the page is looked at again.
 *
 * @param {object} facts
 * @param {JoinView|null} facts.view
 * @param {LinkFailure|null} facts.failure
 * @param {number} facts.failures in a row
 * @param {number} facts.now server time
 * @param {number} facts.random 0 to 1
 */
export function lookAgainMs({ view, failure, failures, now, random }) {
  if (failure === 'too_many') return EVERY_MS;
  if (failure !== null) {
    return Math.min(FAILED_CAP_MS, FAILED_MS * 2 ** (failures - 1)) * (0.75 + random / 2);
  }
  switch (view?.state) {
    case 'early':
      // It should be open by now, but the server says it is not: soon, then.
      if (view.opens_at <= now) return FAILED_MS + random * SPREAD_MS;
      return Math.min(EVERY_MS, view.opens_at - now + random * SPREAD_MS);
    case 'open':
      return Math.min(EVERY_MS, Math.max(FAILED_MS, view.ends_at - now + random * SPREAD_MS));
    case 'in_use':
      return IN_USE_EVERY_MS;
    default:
      return null;
  }
}

const WARN_AT_MIN = [1, 5];

/**
 * The warning that is due, in minutes before the end; 0 for none.
 *
 * @param {number} endsAt
 * @param {number} now server time
 */
export function minutesLeft(endsAt, now) {
  const left = endsAt - now;
  if (endsAt === 0 || left <= 0) return 0;
  return WARN_AT_MIN.find((minutes) => left <= minutes * 60_000) ?? 0;
}
