/** @import {CallView, Peer} from '../client/wire.d.ts' */
import { endsSoonAt, peerNumber, person } from '../client/call-facts.js';
import { localeInUse } from '../words/index.js';
import { words } from './strings.js';

export { peerNumber, person };
export { initials } from './initials.js';

/** Seconds as `0:07`, `12:31`, `1:02:31`. @param {number} seconds */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${h > 0 ? String(m).padStart(2, '0') : m}:${String(s).padStart(2, '0')}`;
  return h > 0 ? `${h}:${tail}` : tail;
}

/** How long a call has lasted, in seconds. @param {CallView} call @param {number} nowMs server time */
export function elapsed(call, nowMs) {
  const from = call.answered_at ?? call.started_at;
  const to = call.ended_at ?? nowMs;
  return (to - from) / 1000;
}

/** The time of day today, else the weekday, else the date. @param {number} atMs @param {number} nowMs */
export function moment(atMs, nowMs) {
  const [at, now] = [new Date(atMs), new Date(nowMs)];
  if (at.toDateString() === now.toDateString()) {
    return at.toLocaleTimeString(localeInUse(), { hour: 'numeric', minute: '2-digit' });
  }
  if (nowMs - atMs < 6 * 86_400_000) return at.toLocaleDateString(localeInUse(), { weekday: 'short' });
  return at.toLocaleDateString(localeInUse(), { day: 'numeric', month: 'short' });
}

/** The caller keeps the number to themselves. @param {Peer} peer */
export function isWithheld(peer) {
  const shown = peerNumber(peer);
  return shown === '' || /^(sip:)?(anonymous|unavailable|restricted)\b/iu.test(shown);
}

/** Who it is, in the best words there are; in a meeting everybody. @param {CallView} call */
export function who(call) {
  return meeting(call) || named(call) || peerNumber(call.peer) || words.call.unknown;
}

/** Names in a row, as one says them. @param {readonly string[]} names */
export function listed(names) {
  return new Intl.ListFormat(localeInUse()).format(names);
}

/** Who it is, by name; '' for a number. @param {CallView} call */
export function named(call) {
  return person(call) || (call.invite?.guest ?? '');
}

/** "Ana and 2 others", '' in a call of two. @param {CallView} call */
export function meeting({ participants }) {
  const first = participants.find((each) => each.is_host) ?? participants[0];
  return first ? words.call.others(first.name || words.call.unknown, participants.length - 1) : '';
}

/**
 * The invite whose time is soon over, of the calls there are.
 *
 * @param {{calls: readonly CallView[]}} state
 * @param {number} now server time
 * @returns {{inviteId: string, at: number}|null}
 */
export function soonOver({ calls }, now) {
  for (const call of calls) {
    const at = endsSoonAt(call, now);
    if (at !== null && call.invite) return { inviteId: call.invite.invite_id, at };
  }
  return null;
}

/** @param {CallView} call */
export function company(call) {
  const [only] = call.match.records;
  return call.match.records.length === 1 ? only?.company ?? '' : '';
}

/** "Ana María Ruiz" as first and last name. @param {string} name */
export function splitName(name) {
  const parts = name.trim().split(/\s+/u);
  if (parts.length < 2) return { first_name: '', last_name: parts[0] ?? '' };
  return { first_name: parts.slice(0, -1).join(' ').slice(0, 40), last_name: String(parts.at(-1)).slice(0, 80) };
}

/**
 * What was typed, as something to dial, or null. The gateway decides in the end;
 * this only spares the rep a round trip for what cannot be a number.
 *
 * @param {string} typed
 */
export function dialable(typed) {
  const text = typed.trim();
  if (/^(sip|sips|tel):\S+$/iu.test(text)) return text;
  const digits = text.normalize('NFKC').replace(/[\s().\/\u00a0\u2010-\u2015-]/gu, '');
  return /^\+?[\d*#]{1,32}$/u.test(digits) && /[\d*#]/u.test(digits) ? digits : null;
}
