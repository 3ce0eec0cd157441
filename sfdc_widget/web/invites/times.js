/** Windows of time as a form has them. Pure; the zone is the browser's. */

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

/** "Berlin (GMT+1)", as people say it. @param {string} name @param {number} at */
export function zoneInWords(name, at) {
  const city = name.split('/').at(-1)?.replaceAll('_', ' ') ?? name;
  try {
    const parts = new Intl.DateTimeFormat(undefined, { timeZone: name, timeZoneName: 'short' }).formatToParts(at);
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
  const time = (/** @type {Date} */ date) => date.toLocaleTimeString(undefined, { hour: 'numeric', minute: '2-digit' });
  const day = (/** @type {Date} */ date) => {
    const tomorrow = new Date(now);
    tomorrow.setDate(tomorrow.getDate() + 1);
    if (date.toDateString() === new Date(now).toDateString()) return words.today;
    if (date.toDateString() === tomorrow.toDateString()) return words.tomorrow;
    const isThisYear = date.getFullYear() === new Date(now).getFullYear();
    return date.toLocaleDateString(undefined, { weekday: 'short', day: 'numeric', month: 'short', ...(isThisYear ? {} : { year: 'numeric' }) });
  };
  const isOneDay = start.toDateString() === end.toDateString();
  return `${day(start)} ${time(start)} – ${isOneDay ? '' : `${day(end)} `}${time(end)}`;
}
