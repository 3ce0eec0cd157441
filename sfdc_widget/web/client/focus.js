/**
 * Which of several calls the page is about, and what the others are to it. Pure.
 *
 * One call talks, or those of one conference do; others are on hold, ring, or are at the
 * desk phone. What is being placed or answered comes first: the gateway is about to put
 * the rest on hold.
 */

/** @import {CallView} from './wire.d.ts' */

/** The rep has it in this phone, and not at the desk. @param {CallView} call */
export function isHere({ device }) {
  return device === 'here';
}

/** The rep talks in it. @param {CallView} call */
export function isTalking(call) {
  return isHere(call) && call.state === 'active' && !call.held_here;
}

/** @param {CallView} call */
function rank(call) {
  if (!isHere(call)) return 0;
  switch (call.state) {
    case 'ringing':
      return 1;
    case 'active':
      return call.held_here ? 2 : 3;
    default:
      // Being answered, or placed.
      return 4;
  }
}

/**
 * @param {readonly CallView[]} calls oldest first
 * @param {string} formerId stays among its equals
 * @returns {string} the call's id, '' when there is none
 */
export function focusOf(calls, formerId) {
  const highest = Math.max(...calls.map(rank));
  const equals = calls.filter((call) => rank(call) === highest);
  // Of those that ring the first has waited longest; of the rest the last is the newest.
  const chosen = equals.find(({ call_id: id }) => id === formerId) ?? (highest === 1 ? equals[0] : equals.at(-1));
  return chosen?.call_id ?? '';
}

/** @param {{calls: readonly CallView[], focus: string}} state @returns {CallView|null} */
export function focused({ calls, focus }) {
  return calls.find(({ call_id }) => call_id === focus) ?? null;
}

/** All calls of the conference that this one is in; itself alone when in none. @param {readonly CallView[]} calls @param {CallView} call */
export function together(calls, call) {
  if (call.conference === '') return [call];
  return calls.filter(({ conference, state }) => conference === call.conference && state !== 'ended');
}

/** Somebody rings while another call is in the way. @param {{calls: readonly CallView[], focus: string}} state */
export function waiting({ calls, focus }) {
  return calls.find((call) => call.state === 'ringing' && isHere(call) && call.call_id !== focus) ?? null;
}

/** Neither in focus, nor in its conference, nor ringing. @param {{calls: readonly CallView[], focus: string}} state */
export function background({ calls, focus }) {
  const shown = focused({ calls, focus });
  const beside = shown ? together(calls, shown) : [];
  return calls.filter((call) => !beside.includes(call) && (call.state !== 'ringing' || !isHere(call)));
}

/**
 * Somebody is asked about somebody who waits: the two calls, if one is in focus.
 *
 * @param {{calls: readonly CallView[], focus: string}} state
 * @returns {{about: CallView, asked: CallView}|null}
 */
export function consultation({ calls, focus }) {
  for (const asked of calls) {
    const about = calls.find(({ call_id }) => call_id === asked.consults_for);
    const isInFocus = [about?.call_id, asked.call_id].includes(focus);
    const isMerged = asked.conference !== '' && asked.conference === about?.conference;
    if (about && isInFocus && !isMerged) return { about, asked };
  }
  return null;
}

/**
 * Since when each call is on hold, as far as this page knows.
 *
 * @param {readonly CallView[]} calls
 * @param {Readonly<Record<string, number>>} former
 * @param {number} now Unix ms
 * @returns {Readonly<Record<string, number>>} by call id
 */
export function heldTimes(calls, former, now) {
  return Object.fromEntries(
    calls.filter(({ held_here }) => held_here).map(({ call_id: id }) => [id, former[id] ?? now]),
  );
}
