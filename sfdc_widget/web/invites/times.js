/** Windows of time as a form has them. Pure; the zone is the browser's. */

import { localeInUse } from '../words/index.js';

export const USUAL_MS = 30 * 60_000;
export const LONGEST_MS = 24 * 3_600_000;
/** What was "now" when the form was opened is still meant as now a little later. */
const PAST_TOLERATED_MS = 60_000;
const QUARTER_MS = 15 * 60_000;

/** @typedef {'now'|'soon'|'hour'} Preset */

/**
 * @param {Preset} preset `soon`: in 15 minutes; `hour`: at the next full hour
 * @param {number} now Unix ms
 * @returns {number} Unix ms, whole minutes
 */
export function startOf(preset, now) {
  const minute = 60_000;
  if (preset === 'now') return now - (now % minute);
  if (preset === 'soon') return Math.ceil((now + QUARTER_MS) / minute) * minute;
  const hour = new Date(now);
  hour.setHours(hour.getHours() + 1, 0, 0, 0);
  return hour.getTime();
}

/** As `<input type="datetime-local">` has it. @param {number} at */
export function toField(at) {
  const date = new Date(at);
  const two = (/** @type {number} */ part) => String(part).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** @param {string} text @returns {number|null} */
export function fromField(text) {
  const at = text === '' ? Number.NaN : new Date(text).getTime();
  return Number.isFinite(at) ? at : null;
}

/**
 * What is wrong with a window of time.
 *
 * @param {number|null} starts
 * @param {number|null} ends
 * @param {number} now
 * @returns {{field: 'starts_at'|'ends_at', problem: 'missing'|'past'|'order'|'long'}|null}
 */
export function checkWindow(starts, ends, now) {
  if (starts === null) return { field: 'starts_at', problem: 'missing' };
  if (ends === null) return { field: 'ends_at', problem: 'missing' };
  if (ends <= starts) return { field: 'ends_at', problem: 'order' };
  if (ends - starts > LONGEST_MS) return { field: 'ends_at', problem: 'long' };
  if (starts < now - PAST_TOLERATED_MS) return { field: 'starts_at', problem: 'past' };
  return null;
}

/** Enough to spare a round trip; the gateway decides. @param {string} text */
export function isEmail(text) {
  return /^[^\s@"<>(),;:\\]+@[^\s@"<>(),;:\\]+\.[^\s@.]{2,}$/u.test(text) && text.length <= 254;
}

/** The browser's zone. @returns {string} IANA name */
export function zone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
}

/**
 * Time zones that a search may mean, the likeliest first: by city, then by region.
 *
 * @param {string} text
 * @param {number} limit
 * @param {readonly string[]} [names] IANA
 * @returns {string[]}
 */
export function findZones(text, limit, names = zoneNames()) {
  const wanted = searched(text);
  if (wanted === '') return [];
  /** @type {[number, string][]} */
  const found = [];
  for (const name of names) {
    const whole = plain(name);
    const city = plain(cityOf(name));
    if (city === wanted) found.push([0, name]);
    else if (city.startsWith(wanted)) found.push([1, name]);
    else if (whole.startsWith(wanted)) found.push([2, name]);
    else if (` ${whole}`.includes(` ${wanted}`)) found.push([3, name]);
    else if (whole.includes(wanted)) found.push([4, name]);
  }
  return found
    .sort(([a], [b]) => a - b)
    .slice(0, limit)
    .map(([, name]) => name);
}

/**
 * The one time zone that a text can only mean, '' if there are none or several.
 *
 * @param {string} text
 * @param {readonly string[]} [names] IANA
 */
export function zoneMeant(text, names = zoneNames()) {
  const found = findZones(text, names.length, names);
  const exact = found.filter((name) => plain(cityOf(name)) === searched(text));
  const [only, ...others] = exact.length > 0 ? exact : found;
  return only !== undefined && others.length === 0 ? only : '';
}

/** Without the offset that we show behind a city. @param {string} text */
function searched(text) {
  return plain(text.replace(/\s*\(.*\)\s*$/u, ''));
}

/** @returns {readonly string[]} */
function zoneNames() {
  return ['UTC', ...Intl.supportedValuesOf('timeZone').filter((name) => name !== 'UTC')];
}

/** @param {string} text */
function plain(text) {
  const letters = text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
  return letters.replace(/[^\p{L}\p{N}+-]+/gu, ' ').trim();
}

/** "New York". @param {string} name IANA */
export function cityOf(name) {
  return name.split('/').at(-1)?.replaceAll('_', ' ') ?? name;
}

/**
 * A moment as clocks elsewhere show it, null where they show the same as here: "16:00",
 * with the day where that is another one.
 *
 * @param {number} at Unix ms
 * @param {string} there IANA
 * @param {string} [here] IANA
 * @returns {string|null}
 */
export function timeThere(at, there, here = zone()) {
  try {
    if (clockIn(at, there) === clockIn(at, here)) return null;
    const isSameDay = clockIn(at, there).slice(0, 10) === clockIn(at, here).slice(0, 10);
    return new Intl.DateTimeFormat(localeInUse(), {
      ...(isSameDay ? {} : { weekday: 'short' }),
      hour: 'numeric',
      minute: '2-digit',
      timeZone: there,
    }).format(at);
  } catch {
    return null;
  }
}

/** "16:00", as clocks here show it. @param {number} at */
export function timeHere(at) {
  return new Date(at).toLocaleTimeString(localeInUse(), { hour: 'numeric', minute: '2-digit' });
}

/** `2026-12-01, 16:00` anywhere. @param {number} at @param {string} timeZone */
function clockIn(at, timeZone) {
  return new Intl.DateTimeFormat('en-CA', { dateStyle: 'short', timeStyle: 'short', hourCycle: 'h23', timeZone }).format(at);
}

/** "Berlin (GMT+1)", as people say it. @param {string} name @param {number} at */
export function zoneInWords(name, at) {
  const city = cityOf(name);
  try {
    const parts = new Intl.DateTimeFormat(localeInUse(), { timeZone: name, timeZoneName: 'short' }).formatToParts(at);
    const short = parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
    return short && short !== city ? `${city} (${short})` : city;
  } catch {
    return city;
  }
}

/**
 * When, in the reader's words: "Today 15:00 – 15:30".
 *
 * @param {number} starts
 * @param {number} ends
 * @param {number} now
 * @param {{today: string, tomorrow: string}} words
 */
export function span(starts, ends, now, words) {
  const [start, end] = [new Date(starts), new Date(ends)];
  const time = (/** @type {Date} */ date) => date.toLocaleTimeString(localeInUse(), { hour: 'numeric', minute: '2-digit' });
  const day = (/** @type {Date} */ date) => {
    const tomorrow = new Date(now);
    tomorrow.setDate(tomorrow.getDate() + 1);
    if (date.toDateString() === new Date(now).toDateString()) return words.today;
    if (date.toDateString() === tomorrow.toDateString()) return words.tomorrow;
    const isThisYear = date.getFullYear() === new Date(now).getFullYear();
    return date.toLocaleDateString(localeInUse(), { weekday: 'short', day: 'numeric', month: 'short', ...(isThisYear ? {} : { year: 'numeric' }) });
  };
  const isOneDay = start.toDateString() === end.toDateString();
  return `${day(start)} ${time(start)} – ${isOneDay ? '' : `${day(end)} `}${time(end)}`;
}
