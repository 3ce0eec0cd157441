/** Times in words. `locale` is a BCP 47 tag, times are Unix ms. */

const DAY_MS = 86_400_000;
/** @type {Intl.DateTimeFormatOptions} */
const CLOCK = { hour: 'numeric', minute: '2-digit' };
/** @type {Intl.DateTimeFormatOptions} */
const DATE = { weekday: 'long', day: 'numeric', month: 'long' };

/**
 * When a meeting is: "Today, 10:00 – 10:30".
 *
 * @param {number} startsAt
 * @param {number} endsAt
 * @param {number} now
 * @param {string} locale
 * @param {string} [timeZone]
 */
export function meetingTime(startsAt, endsAt, now, locale, timeZone) {
  const clock = { ...CLOCK, ...zone(timeZone) };
  const days = daysBetween(now, startsAt, timeZone);
  if (days === 0 || days === 1) {
    const day = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(days, 'day');
    return `${capital(day, locale)}, ${range(startsAt, endsAt, locale, clock)}`;
  }
  return capital(range(startsAt, endsAt, locale, { ...DATE, ...clock }), locale);
}

/**
 * The zone that times are shown in: undefined for this device's own. A browser that
 * hides where it is says UTC, and what the host knows is better than that.
 *
 * @param {string} told what the host takes for the guest's, IANA or ''
 * @param {string} [own] this device's
 */
export function shownZone(told, own = Intl.DateTimeFormat().resolvedOptions().timeZone) {
  const isHidden = !own || own === 'UTC' || own === 'Etc/UTC';
  return isHidden && isZone(told) ? told : undefined;
}

/**
 * A moment on its own: "tomorrow, 09:50".
 *
 * @param {number} at
 * @param {number} now
 * @param {string} locale
 * @param {string} [timeZone]
 */
export function moment(at, now, locale, timeZone) {
  const days = daysBetween(now, at, timeZone);
  const time = new Intl.DateTimeFormat(locale, { ...CLOCK, ...zone(timeZone) }).format(at);
  const day =
    days === 0 || days === 1
      ? new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(days, 'day')
      : new Intl.DateTimeFormat(locale, { ...DATE, ...zone(timeZone) }).format(at);
  return `${day}, ${time}`;
}

/**
 * The same time where the host is, null when their clocks agree.
 *
 * @param {number} startsAt
 * @param {number} endsAt
 * @param {string} locale
 * @param {string} timeZone IANA name
 * @param {string} [own] this device's
 */
export function hostTime(startsAt, endsAt, locale, timeZone, own) {
  if (!isZone(timeZone) || offset(startsAt, timeZone) === offset(startsAt, own)) return null;
  const isSameDay = dayOf(startsAt, timeZone) === dayOf(startsAt, own);
  return range(startsAt, endsAt, locale, {
    ...(isSameDay ? {} : { weekday: DATE.weekday }),
    ...CLOCK,
    timeZone,
  });
}

/** This device's time zone in words. @param {number} at @param {string} locale @param {string} [timeZone] */
export function zoneName(at, locale, timeZone) {
  const parts = new Intl.DateTimeFormat(locale, { timeZoneName: 'long', ...zone(timeZone) }).formatToParts(at);
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
}

/** Time left as `0:07`, `12:31`, `1:02:31`. @param {number} ms */
export function countdown(ms) {
  const whole = Math.max(0, Math.ceil(ms / 1000));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${h > 0 ? String(m).padStart(2, '0') : m}:${String(s).padStart(2, '0')}`;
  return h > 0 ? `${h}:${tail}` : tail;
}

/** @param {number} startsAt @param {number} endsAt @param {string} locale @param {Intl.DateTimeFormatOptions} options */
function range(startsAt, endsAt, locale, options) {
  const { timeZone } = options;
  if (daysBetween(startsAt, endsAt, timeZone) !== 0 && endsAt - startsAt < DAY_MS / 2) {
    // Past midnight, but still the same evening: one date is enough.
    const end = new Intl.DateTimeFormat(locale, { ...CLOCK, ...zone(timeZone) }).format(endsAt);
    return `${new Intl.DateTimeFormat(locale, options).format(startsAt)} – ${end}`;
  }
  return new Intl.DateTimeFormat(locale, options).formatRange(startsAt, endsAt);
}

/** @param {string} [timeZone] */
function zone(timeZone) {
  return timeZone ? { timeZone } : {};
}

/** @param {string} name */
function isZone(name) {
  try {
    return name !== '' && new Intl.DateTimeFormat('en', { timeZone: name }) !== null;
  } catch {
    return false;
  }
}

/** @param {number} at @param {string} [timeZone] */
function offset(at, timeZone) {
  const format = new Intl.DateTimeFormat('en', { timeZoneName: 'longOffset', ...zone(timeZone) });
  return format.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value;
}

/** The calendar day as `2026-11-24`. @param {number} at @param {string} [timeZone] */
function dayOf(at, timeZone) {
  const format = new Intl.DateTimeFormat('en-CA', { dateStyle: 'short', ...zone(timeZone) });
  return format.format(at);
}

/** @param {number} from @param {number} to @param {string} [timeZone] */
function daysBetween(from, to, timeZone) {
  return Math.round((Date.parse(dayOf(to, timeZone)) - Date.parse(dayOf(from, timeZone))) / DAY_MS);
}

/** @param {string} text @param {string} locale */
function capital(text, locale) {
  const [first = '', ...rest] = text;
  return first.toLocaleUpperCase(locale) + rest.join('');
}
