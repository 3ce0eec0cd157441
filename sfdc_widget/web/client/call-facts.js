/** What follows from a call's view alone, for whoever shows it. Pure. */

/** @import {ActivityView, CallView, Peer} from './wire.d.ts' */

/** Both sides are warned this long before an invite's time is over. */
const ENDS_SOON_MS = 5 * 60_000;

/** The number to read, '' when there is none. @param {Peer} peer */
export function peerNumber(peer) {
  return peer.national || peer.number;
}

/** A name from the CRM, else from the phone system, else ''. @param {CallView} call */
export function person(call) {
  const { records, state } = call.match;
  const [only] = records;
  if (state === 'found' && records.length === 1 && only) return only.name;
  const name = call.peer.display_name?.trim() ?? '';
  return /[^\d\s+()./-]/u.test(name) ? name : '';
}

/**
 * When the time of the call's invite is over, if that is soon; else null. The same
 * after a reload, and null again when it has been extended.
 *
 * @param {CallView} call
 * @param {number} now Unix ms by the server's clock: `Date.now()` plus `clockOffsetMs`
 * @returns {number|null} Unix ms
 */
export function endsSoonAt(call, now) {
  const endsAt = call.invite?.ends_at;
  if (endsAt === undefined || call.state === 'ended') return null;
  return now < endsAt && endsAt - now <= ENDS_SOON_MS ? endsAt : null;
}

/** Somebody has our picture, if we send one. @param {CallView} call */
export function isSeen(call) {
  return call.video.state === 'active' || call.participants.some(({ id }) => id !== '');
}

/** @param {ActivityView} [activity] */
export function isWritten(activity) {
  return activity?.state === 'written';
}
