import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LinkWatch } from '../../sfdc_widget/web/guest/link-watch.js';
import { tokenOf } from '../../sfdc_widget/web/guest/link.js';
import { fixFor, platformOf } from '../../sfdc_widget/web/guest/platform.js';
import { lookAgainMs, minutesLeft, screenOf, wayBack } from '../../sfdc_widget/web/guest/screen.js';
import { levelOf } from '../../sfdc_widget/web/guest/sound-check.js';
import { loadWords } from '../../sfdc_widget/web/guest/strings/index.js';
import { countdown, hostTime, meetingTime, moment, shownZone } from '../../sfdc_widget/web/guest/times.js';
import { chooseLanguage, LANGUAGES as NAMES, localeFor } from '../../sfdc_widget/web/words/languages.js';

const LANGUAGES = Object.keys(NAMES);
const MINUTE = 60_000;
const view = (changes) => ({ state: 'open', opens_at: 0, starts_at: 0, ends_at: 10 * MINUTE, ...changes });
const facts = (changes) => ({
  unfit: null,
  view: view({}),
  failure: null,
  status: 'signed_out',
  isReturning: false,
  call: null,
  ended: null,
  isFull: false,
  ...changes,
});

/** Every leaf with its path; what a function says, for one and for many. */
function leaves(words, path = '') {
  return Object.entries(words).flatMap(([key, value]) => {
    const here = `${path}.${key}`;
    if (typeof value === 'object') return leaves(value, here);
    if (typeof value !== 'function') return [[here, value]];
    const said = [1, 5].map((count) => (value.length > 1 ? value('10:00', 'Robin') : value(/minutes|others/i.test(key) ? count : 'Robin')));
    return said.flatMap((each, index) => (typeof each === 'string' ? [[`${here}(${index})`, each]] : leaves(each, `${here}(${index})`)));
  });
}

test('every language says everything', async () => {
  const english = leaves(await loadWords('en')).map(([path]) => path);
  for (const language of LANGUAGES) {
    const all = leaves(await loadWords(language));
    assert.deepEqual(all.map(([path]) => path), english, language);
    for (const [path, text] of all) {
      assert.equal(typeof text, 'string', path);
      assert.notEqual(text.trim(), '', `${language}${path}`);
      assert.doesNotMatch(text, /undefined|\[object|\bTODO\b/, `${language}${path}`);
    }
  }
});

test('no language is left in English', async () => {
  const english = new Map(leaves(await loadWords('en')));
  for (const language of LANGUAGES.slice(1)) {
    const same = leaves(await loadWords(language)).filter(([path, text]) => text === english.get(path) && / /.test(text));
    assert.deepEqual(same, [], language);
  }
});

test('one language is chosen, whatever is wished', () => {
  assert.equal(chooseLanguage(['de-AT', 'en']), 'de');
  assert.equal(chooseLanguage(['ja', 'FR']), 'fr');
  assert.equal(chooseLanguage(['ja']), 'en');
  assert.equal(chooseLanguage(['constructor', '__proto__', '']), 'en');
  assert.equal(localeFor('en', ['de-DE', 'en-GB']), 'en-GB');
  assert.equal(localeFor('es', ['de-DE']), 'es');
});

test('every state of a link has a screen', () => {
  for (const state of ['early', 'open']) assert.equal(screenOf(facts({ view: view({ state }) })).name, 'lobby');
  for (const state of ['over', 'cancelled', 'revoked', 'in_use', 'used_up', 'unknown']) {
    assert.deepEqual(screenOf(facts({ view: view({ state }) })), { name: 'notice', kind: state });
  }
  assert.equal(screenOf(facts({ view: null })).name, 'loading');
  assert.deepEqual(screenOf(facts({ view: null, failure: 'offline' })), { name: 'notice', kind: 'offline' });
  assert.deepEqual(screenOf(facts({ unfit: 'unsupported' })), { name: 'notice', kind: 'unsupported' });
});

test('a full meeting is said while one may come in, and no longer', () => {
  const full = { isFull: true };
  assert.deepEqual(screenOf(facts(full)), { name: 'notice', kind: 'full' });
  assert.equal(screenOf(facts({ ...full, ended: { end_reason: 'hung_up_here' } })).kind, 'full');
  assert.equal(screenOf(facts({ ...full, call: { state: 'calling' } })).name, 'ringing');
  assert.equal(screenOf(facts({ ...full, view: view({ state: 'over' }) })).kind, 'over');
});

test('a call outweighs what the link says by now', () => {
  const call = { state: 'active' };
  assert.equal(screenOf(facts({ call, view: view({ state: 'over' }), failure: 'offline' })).name, 'call');
  assert.equal(screenOf(facts({ call: { state: 'alerting' } })).name, 'ringing');
  assert.equal(screenOf(facts({ isReturning: true, view: null })).name, 'returning');
  assert.equal(screenOf(facts({ call, status: 'superseded' })).kind, 'elsewhere');
});

test('every ending has words, and a way back that fits', async () => {
  const { ended } = await loadWords('en');
  const kinds = new Set();
  for (const reason of [
    'hung_up_here', 'hung_up_there', 'cancelled_here', 'missed', 'declined_here', 'answered_elsewhere',
    'declined_elsewhere', 'busy', 'declined_there', 'no_answer', 'unknown_number', 'unreachable', 'not_allowed',
    'no_common_codec', 'server_unavailable', 'client_lost', 'media_failed', 'gateway_restarted', 'invite_over',
    'failed', 'of_a_later_version',
  ]) {
    const { name, kind } = screenOf(facts({ ended: { end_reason: reason } }));
    assert.equal(name, 'ended');
    assert.ok(ended.kinds[kind]?.('Robin').title, `${reason} is ${kind}`);
    kinds.add(kind);
  }
  assert.equal(wayBack('left'), 'rejoin');
  assert.equal(wayBack('no_answer'), 'again');
  assert.equal(wayBack('time_over'), null);
  assert.equal(screenOf(facts({ ended: { end_reason: 'new', answered_at: 1 } })).kind, 'finished');
});

test('the link is looked at when something may have changed', () => {
  const again = (changes) => lookAgainMs({ view: null, failure: null, failures: 0, now: 0, random: 0, ...changes });
  assert.equal(again({ view: view({ state: 'early', opens_at: 5_000 }) }), 5_000);
  assert.equal(again({ view: view({ state: 'early', opens_at: 5_000 }), random: 1 }), 6_000);
  assert.equal(again({ view: view({ state: 'early', opens_at: 5 * MINUTE }) }), MINUTE);
  assert.ok(again({ view: view({ state: 'early', opens_at: -1 }) }) >= 2_000, 'clocks that differ do not storm');
  assert.equal(again({ view: view({ ends_at: 30_000 }) }), 30_000);
  assert.ok(again({ view: view({ ends_at: -1 }) }) >= 2_000);
  assert.equal(again({ view: view({ state: 'cancelled' }) }), null);
  const waits = [1, 2, 3, 10].map((failures) => again({ failure: 'unreachable', failures }));
  assert.deepEqual(waits, [1_500, 3_000, 6_000, 22_500]);
  assert.equal(again({ failure: 'too_many', failures: 1 }), MINUTE);
});

test('warnings come five minutes and one minute before the end', () => {
  const end = 60 * MINUTE;
  const at = (left) => minutesLeft(end, end - left);
  assert.deepEqual([6 * MINUTE, 5 * MINUTE, 61_000, MINUTE, 1, 0, -5].map(at), [0, 5, 5, 1, 1, 0, 0]);
  assert.equal(minutesLeft(0, 0), 0);
});

test('a token is found in what mail programs make of a link', () => {
  const token = 'Zm9yLWEtdmlkZW8tY2FsbC13aXRoLVJvYmlu';
  for (const path of [`/join/${token}`, `/join/${token}/`, `/join/${token}.`, `/join/${token}%3E`, `/join/${token})`]) {
    assert.equal(tokenOf(path), token);
  }
  for (const path of ['/join/', '/join', '/', '/join/%00', '/join/../x']) assert.equal(tokenOf(path), '');
});

test('the words for a blocked camera fit the browser', () => {
  const mac = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)';
  assert.equal(platformOf(`${mac} Version/18.0 Safari/605.1.15`), 'safari');
  assert.equal(platformOf(`${mac} Version/18.0 Safari/605.1.15`, 5), 'ios', 'an iPad');
  assert.equal(platformOf(`${mac} Chrome/140.0 Safari/537.36`), 'chrome');
  assert.equal(platformOf('Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0'), 'edge');
  assert.equal(platformOf('Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'), 'firefox');
  assert.equal(platformOf('Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36'), 'android');
  assert.equal(platformOf('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Version/18.0 Mobile Safari/604.1'), 'ios');
  assert.equal(platformOf('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) CriOS/140.0 Mobile Safari/604.1'), 'ios_other');
  assert.equal(platformOf(''), 'other');
  assert.equal(fixFor('Permission denied by system', `${mac} Chrome/140.0`), 'mac_system');
  assert.equal(fixFor('Permission denied', `${mac} Chrome/140.0`), 'chrome');
});

test('every browser has its words in every language', async () => {
  const keys = ['chrome', 'edge', 'firefox', 'safari', 'ios', 'ios_other', 'android', 'mac_system', 'windows_system', 'other'];
  for (const language of LANGUAGES) {
    assert.deepEqual(Object.keys((await loadWords(language)).problem.fix).sort(), [...keys].sort());
  }
});

test('times are the reader’s, and the host’s when theirs differ', () => {
  const start = Date.UTC(2026, 10, 24, 9, 0);
  const early = Date.UTC(2026, 10, 24, 2, 0);
  const end = start + 30 * MINUTE;
  const said = (now, locale = 'en-GB') => meetingTime(start, end, now, locale, 'Europe/Berlin').replace(/\s/g, ' ');
  assert.match(said(start - MINUTE), /^Today, 10:00 ?– ?10:30$/);
  assert.match(said(start - 24 * 60 * MINUTE), /^Tomorrow, 10:00/);
  assert.match(said(start - 5 * 24 * 60 * MINUTE), /^Tuesday 24 November.*10:00 ?– ?10:30$/);
  assert.match(said(start - 5 * 24 * 60 * MINUTE, 'de'), /^Dienstag, 24\. November.*10:00 ?– ?10:30/);
  assert.match(said(start - MINUTE, 'fr'), /^Aujourd’hui, 10:00/);
  assert.equal(hostTime(start, end, 'en-GB', 'Europe/Paris', 'Europe/Berlin'), null, 'the same clock');
  assert.match(String(hostTime(start, end, 'en-GB', 'America/New_York', 'Europe/Berlin')), /^0?4:00 ?– ?0?4:30$/);
  assert.match(String(hostTime(early, early + MINUTE, 'en-GB', 'Asia/Tokyo', 'America/Los_Angeles')), /^Tuesday/);
  assert.equal(hostTime(start, end, 'en-GB', 'Nowhere/Else', 'Europe/Berlin'), null);
  assert.equal(hostTime(start, end, 'en-GB', '', 'Europe/Berlin'), null);
  assert.ok(hostTime(early, early + MINUTE, 'en', 'Asia/Tokyo', 'Asia/Seoul') === null);
  const late = Date.UTC(2026, 10, 24, 22, 45);
  assert.match(meetingTime(late, late + 30 * MINUTE, late, 'en-GB', 'Europe/Berlin'), /^Today, 23:45 – 0?0:15$/);
  assert.match(moment(start, start, 'de'), /^heute, /);
});

test('a countdown ends at zero, not before', () => {
  assert.deepEqual([-5, 0, 1, 999, 1_001, 61_000, 3_661_000].map(countdown), ['0:00', '0:00', '0:01', '0:01', '0:02', '1:01', '1:01:01']);
});

test('a level is between silence and full, and grows with the sound', () => {
  const tone = (amplitude) => Float32Array.from({ length: 1024 }, (_, index) => amplitude * Math.sin(index / 5));
  const levels = [0, 0.001, 0.01, 0.1, 1].map((amplitude) => levelOf(tone(amplitude)));
  assert.equal(levels[0], 0);
  assert.equal(levels.at(-1), 1);
  assert.deepEqual(levels, [...levels].sort((a, b) => a - b));
  assert.equal(levelOf(new Float32Array(0)), 0);
});

test('asked for during a look, the link is looked at once more', async () => {
  const answers = [];
  const link = { look: () => new Promise((resolve) => answers.push(resolve)) };
  const seen = [];
  const watch = new LinkWatch(link, async () => void seen.push(watch.view.state));
  watch.rest(true);
  const looked = watch.look();
  await watch.look();
  await watch.look();
  assert.equal(answers.length, 1);
  answers[0]({ view: view({ state: 'open' }), clockOffsetMs: 0 });
  while (answers.length < 2) await new Promise(setImmediate);
  answers[1]({ view: view({ state: 'cancelled' }), clockOffsetMs: 0 });
  await looked;
  assert.deepEqual(seen, ['open', 'cancelled']);
  assert.equal(answers.length, 2);
});

test('a browser that hides where it is shows the time where the host takes the guest to be', () => {
  assert.equal(shownZone('America/New_York', 'UTC'), 'America/New_York');
  assert.equal(shownZone('America/New_York', ''), 'America/New_York');
  assert.equal(shownZone('America/New_York', 'Europe/Berlin'), undefined);
  assert.equal(shownZone('', 'UTC'), undefined);
  assert.equal(shownZone('Nowhere/Else', 'UTC'), undefined);
  const at = Date.UTC(2026, 11, 2, 3, 0);
  const now = Date.UTC(2026, 11, 1, 12, 0);
  assert.match(moment(at, now, 'en-GB', 'America/New_York'), /^today, 22:00$/);
  assert.match(moment(at, now, 'en-GB', 'Asia/Tokyo'), /^tomorrow, 12:00$/);
});
