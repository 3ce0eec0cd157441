import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Backoff } from '../../sfdc_widget/web/client/backoff.js';
import { endsSoonAt } from '../../sfdc_widget/web/client/call-facts.js';
import { background, consultation, focusOf, heldTimes, together, waiting } from '../../sfdc_widget/web/client/focus.js';
import { uuid7 } from '../../sfdc_widget/web/client/identifiers.js';
import { streamIds } from '../../sfdc_widget/web/client/lines.js';
import { remotesOf } from '../../sfdc_widget/web/client/remotes.js';
import { ACK_EVERY_EVENTS, EventSequence } from '../../sfdc_widget/web/client/sequence.js';
import { TabStorage } from '../../sfdc_widget/web/client/storage.js';
import {
  checkWindow,
  findZones,
  fromField,
  isEmail,
  LONGEST_MS,
  span,
  startOf,
  timeThere,
  toField,
  zoneInWords,
  zoneMeant,
} from '../../sfdc_widget/web/invites/times.js';
import {
  dialable,
  duration,
  initials,
  isWithheld,
  person,
  soonOver,
  splitName,
  who,
} from '../../sfdc_widget/web/softphone/format.js';
import { moreWords } from '../../sfdc_widget/web/softphone/strings.js';
import { around, grid } from '../../sfdc_widget/web/video/arrange.js';
import { listed } from '../../sfdc_widget/web/video/people.js';

await moreWords('start');

test('back-off: full jitter under a doubling ceiling that is capped', () => {
  const highest = new Backoff({ random: () => 1 });
  assert.deepEqual(
    Array.from({ length: 7 }, () => highest.next()),
    [250, 500, 1000, 2000, 4000, 5000, 5000],
  );
  highest.reset();
  assert.equal(highest.next(), 250);
  const lowest = new Backoff({ random: () => 0 });
  assert.equal(lowest.next(), 0);
});

test('back-off stays finite for ever', () => {
  const backoff = new Backoff({ random: () => 1 });
  for (let i = 0; i < 5000; i++) assert.ok(backoff.next() <= 5000);
});

test('sequence: next, duplicate, gap', () => {
  const sequence = new EventSequence();
  sequence.restart(7);
  assert.equal(sequence.take(7), 'duplicate');
  assert.equal(sequence.take(8), 'next');
  assert.equal(sequence.take(10), 'gap');
  assert.equal(sequence.last, 8, 'a gap takes nothing');
  assert.equal(sequence.take(9), 'next');
});

test('sequence: any order of arrivals only ever takes the next one', () => {
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const sequence = new EventSequence();
  for (let i = 0; i < 10_000; i++) {
    const before = sequence.last;
    const arrived = Math.max(0, before + Math.floor(random() * 5) - 2);
    const verdict = sequence.take(arrived);
    assert.equal(verdict === 'next', arrived === before + 1);
    assert.equal(sequence.last, verdict === 'next' ? before + 1 : before);
  }
});

test('acknowledgements: due after so many events, each number once', () => {
  const sequence = new EventSequence();
  for (let seq = 1; seq < ACK_EVERY_EVENTS; seq++) sequence.take(seq);
  assert.equal(sequence.isAckDue, false);
  sequence.take(ACK_EVERY_EVENTS);
  assert.equal(sequence.isAckDue, true);
  assert.equal(sequence.acknowledge(), ACK_EVERY_EVENTS);
  assert.equal(sequence.acknowledge(), null);
});

test('UUID version 7: layout and order', () => {
  const zeros = new Uint8Array(10);
  const ones = new Uint8Array(10).fill(255);
  assert.equal(uuid7(0x017f22e279b0, zeros), '017f22e2-79b0-7000-8000-000000000000');
  assert.equal(uuid7(0x017f22e279b0, ones), '017f22e2-79b0-7fff-bfff-ffffffffffff');
  assert.ok(uuid7(1_000, ones) < uuid7(1_001, zeros));
  assert.notEqual(uuid7(), uuid7());
});

test('storage that is blocked still remembers for this page', () => {
  const storage = new TabStorage();
  storage.set('name', 'value');
  assert.equal(storage.get('name'), 'value');
  storage.set('name', null);
  assert.equal(storage.get('name'), null);
  assert.equal(storage.get('never'), null);
});

test('what can be dialled', () => {
  for (const [typed, dialled] of [
    ['+1 (646) 555-0175', '+16465550175'],
    ['030/123 45.67', '0301234567'],
    [' 1000 ', '1000'],
    ['*72#', '*72#'],
    ['+49\u00a089\u2011123', '+4989123'],
    ['２１２', '212'],
    ['sip:ana@example.com', 'sip:ana@example.com'],
    ['tel:+1646', 'tel:+1646'],
  ]) {
    assert.equal(dialable(typed), dialled, typed);
  }
  for (const typed of ['', '   ', 'Ana', '12a', '+', '++1', 'javascript:1', 'sip:', '1'.repeat(33), '1+2']) {
    assert.equal(dialable(typed), null, typed);
  }
});

test('durations', () => {
  assert.deepEqual([0, 7.9, 60, 751, 3600, 3751, -3].map(duration), [
    '0:00', '0:07', '1:00', '12:31', '1:00:00', '1:02:31', '0:00',
  ]);
});

test('names', () => {
  assert.equal(initials('Ana María Ruiz'), 'AR');
  assert.equal(initials('Óscar'), 'Ó');
  assert.equal(initials('عبد الرحمن'), 'عا');
  assert.equal(initials('+1 646'), '');
  assert.deepEqual(splitName(' Jane  Maria Doe '), { first_name: 'Jane Maria', last_name: 'Doe' });
  assert.deepEqual(splitName('Cher'), { first_name: '', last_name: 'Cher' });
  const call = (display_name, records = []) => ({
    peer: { number: '+1646', display_name },
    match: { state: records.length ? 'found' : 'none', records },
  });
  assert.equal(person(call('+1 (646) 555-0175')), '', 'a number is not a name');
  assert.equal(person(call('Jane Doe')), 'Jane Doe');
  assert.equal(person(call('JD', [{ name: 'Jane Doe' }])), 'Jane Doe');
  assert.equal(person(call('JD', [{ name: 'A' }, { name: 'B' }])), 'JD');
  assert.ok(isWithheld({ number: 'anonymous' }));
  assert.ok(isWithheld({ number: '' }));
  assert.ok(!isWithheld({ number: '1000' }));
});

test('invites: where the presets start', () => {
  const now = new Date(2026, 2, 1, 10, 7, 31, 250).getTime();
  assert.equal(toField(startOf('now', now)), '2026-03-01T10:07');
  assert.equal(toField(startOf('soon', now)), '2026-03-01T10:23');
  assert.equal(toField(startOf('hour', now)), '2026-03-01T11:00');
  const late = new Date(2026, 11, 31, 23, 59).getTime();
  assert.equal(toField(startOf('hour', late)), '2027-01-01T00:00');
});

test('invites: a field gives back what it was given, to the minute', () => {
  let at = new Date(2026, 0, 1).getTime();
  // Steps that meet both changes of the clock, wherever this runs.
  for (let i = 0; i < 3000; i++, at += 3 * 3_600_000 + 60_000) {
    const back = fromField(toField(at));
    assert.equal(new Date(back).toString(), new Date(at).toString());
  }
  for (const text of ['', 'soon', '2026-13-01T00:00']) assert.equal(fromField(text), null);
});

test('invites: windows that cannot be', () => {
  const now = 1_800_000_000_000;
  const hour = 3_600_000;
  assert.equal(checkWindow(now, now + hour, now), null);
  assert.equal(checkWindow(now - 50_000, now + hour, now), null, 'now is a moment ago');
  assert.deepEqual(checkWindow(null, now, now), { field: 'starts_at', problem: 'missing' });
  assert.deepEqual(checkWindow(now, null, now), { field: 'ends_at', problem: 'missing' });
  assert.equal(checkWindow(now, now, now).problem, 'order');
  assert.equal(checkWindow(now, now + LONGEST_MS, now), null);
  assert.equal(checkWindow(now, now + LONGEST_MS + 1, now).problem, 'long');
  assert.equal(checkWindow(now - hour, now + hour, now).problem, 'past');
});

test('invites: what can be an e-mail address', () => {
  for (const good of ['a@b.co', 'ana.maria+x@sub.example.com', 'jörg@müller.example']) assert.ok(isEmail(good), good);
  for (const bad of ['', 'a', 'a@b', '@b.co', 'a@b.c', 'a b@c.co', 'a@b.co,c@d.co', 'a@b.co\nBcc: x@y.z', `${'a'.repeat(250)}@b.co`]) {
    assert.ok(!isEmail(bad), bad);
  }
});

test('invites: when, in words', () => {
  const words = { today: 'Today', tomorrow: 'Tomorrow' };
  const now = new Date(2026, 2, 1, 10, 0).getTime();
  const at = (day, hour) => new Date(2026, 2, day, hour, 30).getTime();
  assert.match(span(at(1, 11), at(1, 12), now, words), /^Today .*11:30.* – .*12:30/);
  assert.match(span(at(1, 23), at(2, 0), now, words), /^Today .* – Tomorrow/);
  assert.doesNotMatch(span(at(9, 11), at(9, 12), now, words), /Today|Tomorrow|2026/);
});

const callOf = (more = {}) => ({
  state: 'active',
  peer: { number: '+16465550175', national: '', e164: '', display_name: 'Ana Ruiz' },
  match: { state: 'none', records: [] },
  video: { state: 'active', sends: true, receives: true },
  participants: [],
  ...more,
});

test('remotes: in a call of two it is the peer', () => {
  const videoOf = (id) => `picture of ${id}`;
  assert.deepEqual(remotesOf(callOf(), { isGuest: false, videoOf }), [
    { id: '', name: 'Ana Ruiz', isHost: false, video: 'picture of ' },
  ]);
  const [host] = remotesOf(callOf({ video: { state: 'offered', receives: false } }), { isGuest: true, videoOf });
  assert.equal(host.isHost, true);
  assert.equal(host.video, null);
});

test('remotes: the host first, the others as they came', () => {
  const participants = [
    { id: 'b', name: 'Ben', is_host: false },
    { id: '', name: 'Sam', is_host: true },
    { id: 'c', name: 'Cleo', is_host: false },
  ];
  const call = callOf({ participants, video: { state: 'none', receives: false } });
  const remotes = remotesOf(call, { isGuest: true, videoOf: (id) => (id === 'c' ? null : id) });
  assert.deepEqual(remotes, [
    { id: '', name: 'Sam', isHost: true, video: null },
    { id: 'b', name: 'Ben', isHost: false, video: 'b' },
    { id: 'c', name: 'Cleo', isHost: false, video: null },
  ]);
  assert.equal(participants[0].id, 'b', 'what the gateway says stays as it is');
});

test('the end of an invite is soon for five minutes', () => {
  const endsAt = 1_000_000_000_000;
  const call = callOf({ invite: { invite_id: 'i', subject: '', guest: '', ends_at: endsAt } });
  assert.equal(endsSoonAt(call, endsAt - 300_001), null);
  assert.equal(endsSoonAt(call, endsAt - 300_000), endsAt);
  assert.equal(endsSoonAt(call, endsAt - 1), endsAt);
  assert.equal(endsSoonAt(call, endsAt), null, 'it is over');
  assert.equal(endsSoonAt({ ...call, state: 'ended' }, endsAt - 1), null);
  assert.equal(endsSoonAt(callOf(), endsAt), null);
});

/** Rooms of many sizes, the same in every run. */
function* rooms() {
  for (let width = 160; width <= 2600; width += 97) {
    for (let height = 120; height <= 1500; height += 83) yield { width, height, gap: 8 };
  }
}

const overlap = (a, b) =>
  a.start < b.start + b.width && b.start < a.start + a.width && a.top < b.top + b.height && b.top < a.top + a.height;

function assertTidy(boxes, { width, height }) {
  for (const [index, box] of boxes.entries()) {
    assert.ok(box.start >= 0 && box.top >= 0 && box.width > 0 && box.height > 0);
    assert.ok(box.start + box.width <= width && box.top + box.height <= height);
    for (const other of boxes.slice(index + 1)) assert.ok(!overlap(box, other), JSON.stringify(boxes));
  }
}

test('tiles: whatever the room, all are in it, alike, and none over another', () => {
  for (const room of rooms()) {
    for (const count of [1, 2, 3, 4]) {
      const boxes = grid(count, room);
      assert.equal(boxes.length, count);
      assertTidy(boxes, room);
      assert.equal(new Set(boxes.map(({ width, height }) => `${width} ${height}`)).size, 1);
    }
  }
});

test('tiles: side by side in a wide room, one above the other in a tall one', () => {
  const lines = (boxes, edge) => new Set(boxes.map((box) => box[edge])).size;
  assert.equal(lines(grid(2, { width: 1280, height: 600, gap: 8 }), 'top'), 1);
  assert.equal(lines(grid(2, { width: 340, height: 500, gap: 8 }), 'start'), 1);
  assert.equal(lines(grid(4, { width: 1280, height: 600, gap: 8 }), 'top'), 2);
  const [, , third] = grid(3, { width: 1280, height: 600, gap: 8 });
  assert.ok(Math.abs(third.start + third.width / 2 - 640) <= 1, 'the last row is centred');
});

test('tiles: a big one has most of the room, the others keep their order beside it', () => {
  const area = ({ width, height }) => width * height;
  for (const room of rooms()) {
    for (const count of [2, 3, 4]) {
      for (let big = 0; big < count; big += 1) {
        const boxes = around(count, big, room);
        assertTidy(boxes, room);
        const rest = boxes.filter((_, index) => index !== big);
        assert.ok(rest.every((each) => area(boxes[big]) > 2 * area(each)), JSON.stringify({ room, boxes }));
        const along = room.width > room.height ? 'top' : 'start';
        assert.deepEqual(rest, [...rest].sort((a, b) => a[along] - b[along]));
      }
    }
  }
});

test('who is in a call: two are named, the rest are counted', () => {
  const others = (count) => `${count} more`;
  assert.equal(listed([], 'en-GB', others), '');
  assert.equal(listed(['Ana'], 'en-GB', others), 'Ana');
  assert.equal(listed(['Ana', 'Ben'], 'de', others), 'Ana und Ben');
  assert.equal(listed(['Ana', 'Ben', 'Chloé'], 'en-GB', others), 'Ana, Ben and 1 more');
  assert.equal(listed(['Ana', 'Ben', 'Chloé', 'Dan'], 'fr', others), 'Ana, Ben et 2 more');
});

test('time zones: by city first, then by region, as people type them', () => {
  assert.equal(findZones('new york', 8)[0], 'America/New_York');
  assert.equal(findZones('New_York', 8)[0], 'America/New_York');
  assert.equal(findZones('são p', 8)[0], 'America/Sao_Paulo');
  assert.equal(findZones('utc', 8)[0], 'UTC');
  assert.equal(findZones('Berlin (GMT+1)', 8)[0], 'Europe/Berlin');
  assert.ok(findZones('europe', 500).length > 20);
  assert.equal(findZones('europe', 8).length, 8);
  for (const nothing of ['', '  ', '(', 'olympus mons', '\u0000', '…'.repeat(99)]) {
    assert.deepEqual(findZones(nothing, 8), [], nothing);
  }
});

test('time zones: what was typed and not chosen counts if it can only mean one', () => {
  assert.equal(zoneMeant('new york'), 'America/New_York');
  assert.equal(zoneMeant('PARIS'), 'Europe/Paris');
  assert.equal(zoneMeant('Asia/Tokyo'), 'Asia/Tokyo');
  assert.equal(zoneMeant('europe'), '');
  assert.equal(zoneMeant('nowhere'), '');
  assert.equal(zoneMeant('a', ['A/One', 'B/A', 'C/A']), '');
});

test('times elsewhere: none where the clocks agree, the day where it is another', () => {
  const at = Date.UTC(2026, 11, 1, 15, 0);
  assert.equal(timeThere(at, 'Europe/Paris', 'Europe/Berlin'), null);
  assert.equal(timeThere(at, 'Nowhere/Else', 'Europe/Berlin'), null);
  assert.match(String(timeThere(at, 'America/New_York', 'Europe/Berlin')), /^10:00/);
  assert.match(String(timeThere(at, 'Pacific/Auckland', 'Europe/Berlin')), /Wed.*4:00/);
  assert.match(String(timeThere(at, 'Asia/Kathmandu', 'UTC')), /8:45/);
});

test('times elsewhere: each side changes its clocks on days of its own', () => {
  const hours = (/** @type {number} */ at) => String(timeThere(at, 'America/New_York', 'Europe/Berlin'));
  // Six hours apart in winter, five between the two changes in March, six again.
  assert.match(hours(Date.UTC(2026, 2, 6, 15, 0)), /^10:00/);
  assert.match(hours(Date.UTC(2026, 2, 9, 15, 0)), /^11:00/);
  assert.match(hours(Date.UTC(2026, 2, 30, 14, 0)), /^10:00/);
  // In the hour that is there twice.
  const night = Date.UTC(2026, 9, 25, 0, 30);
  assert.equal(timeThere(night, 'Europe/Paris', 'Europe/Berlin'), null);
  assert.match(String(timeThere(night, 'Europe/London', 'Europe/Berlin')), /1:30/);
  assert.match(String(timeThere(night + 3_600_000, 'Europe/London', 'Europe/Berlin')), /1:30/);
  assert.match(zoneInWords('America/New_York', Date.UTC(2026, 6, 1)), /New York \((EDT|GMT-4)\)/);
  assert.match(zoneInWords('America/New_York', Date.UTC(2026, 0, 1)), /New York \((EST|GMT-5)\)/);
});

test('who: by name, by invite, in a meeting everybody', () => {
  assert.equal(who(callOf()), 'Ana Ruiz');
  const peer = { number: '', national: '', e164: '', display_name: '' };
  assert.equal(who(callOf({ peer, invite: { guest: 'Ben' } })), 'Ben');
  const others = ['Ben', 'Sam', 'Cleo'].map((name) => ({ id: name, name, is_host: name === 'Sam' }));
  assert.equal(who(callOf({ participants: others })), 'Sam and 2 others');
  assert.equal(who(callOf({ participants: others.slice(0, 2) })), 'Sam and 1 other');
  assert.equal(who(callOf({ participants: others.slice(0, 1) })), 'Ben');
});

test('the invite that is soon over is found among the calls', () => {
  const soon = callOf({ invite: { invite_id: 'i', ends_at: 1_000_000 } });
  const calls = [callOf(), callOf({ invite: { invite_id: 'later', ends_at: 9_000_000 } }), soon];
  assert.deepEqual(soonOver({ calls }, 900_000), { inviteId: 'i', at: 1_000_000 });
  assert.equal(soonOver({ calls: calls.slice(0, 2) }, 900_000), null);
});

test('stream ids of a description, by mid', () => {
  const sdp = [
    'v=0', 'a=group:BUNDLE 0 1 2', 'a=msid-semantic:WMS *',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=mid:0', 'a=msid:own track',
    'm=video 9 UDP/TLS/RTP/SAVPF 96', 'a=msid:ben', 'a=mid:1',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=mid:2', 'a=inactive',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=mid:3', 'a=msid:- track',
  ].join('\r\n');
  assert.deepEqual([...streamIds(sdp)], [['0', 'own'], ['1', 'ben']]);
  assert.equal(streamIds('').size, 0);
});

const call = (call_id, facts = {}) => ({
  call_id,
  state: 'active',
  direction: 'inbound',
  device: 'here',
  held_here: false,
  conference: '',
  ...facts,
});
const HELD = { held_here: true };
const RINGING = { state: 'ringing' };
const AT_DESK = { device: 'desk_phone' };

test('focus: what is placed or answered, then what talks, waits, rings, is at the desk', () => {
  const order = [
    call('desk', AT_DESK),
    call('ring', RINGING),
    call('held', HELD),
    call('talk'),
    call('new', { state: 'calling' }),
  ];
  for (let count = order.length; count > 0; count--) {
    assert.equal(focusOf(order.slice(0, count), ''), order[count - 1].call_id);
    assert.equal(focusOf(order.slice(0, count).reverse(), 'desk'), order[count - 1].call_id);
  }
  assert.equal(focusOf([], 'gone'), '');
});

test('focus stays among equals: the first to ring, the newest to wait', () => {
  const held = [call('a', HELD), call('b', HELD)];
  assert.equal(focusOf(held, ''), 'b');
  assert.equal(focusOf(held, 'a'), 'a');
  assert.equal(focusOf([call('a', RINGING), call('b', RINGING)], ''), 'a');
});

test('around the focus: a conference is one, a ringing call waits, the rest is behind', () => {
  const calls = [
    call('a', { conference: 'x' }),
    call('b', HELD),
    call('c', { conference: 'x' }),
    call('d', RINGING),
    call('e', AT_DESK),
  ];
  const state = { calls, focus: 'c' };
  assert.deepEqual(together(calls, calls[2]).map((each) => each.call_id), ['a', 'c']);
  assert.equal(waiting(state)?.call_id, 'd');
  assert.deepEqual(background(state).map((each) => each.call_id), ['b', 'e']);
  assert.equal(waiting({ calls: [call('d', RINGING)], focus: 'd' }), null, 'it is in focus itself');
});

test('a consultation is seen from both of its calls, until they are merged', () => {
  const about = call('a', HELD);
  const asked = call('b', { consults_for: 'a' });
  for (const focus of ['a', 'b']) assert.deepEqual(consultation({ calls: [about, asked], focus }), { about, asked });
  assert.equal(consultation({ calls: [about, asked, call('c')], focus: 'c' }), null);
  assert.equal(consultation({ calls: [asked], focus: 'b' }), null, 'the other has ended');
  const merged = [about, asked].map((each) => ({ ...each, conference: 'x' }));
  assert.equal(consultation({ calls: merged, focus: 'a' }), null);
});

test('since when a call is on hold is kept, and forgotten with the hold', () => {
  const held = heldTimes([call('a', HELD), call('b')], {}, 5);
  assert.deepEqual(held, { a: 5 });
  assert.deepEqual(heldTimes([call('a', HELD), call('b', HELD)], held, 9), { a: 5, b: 9 });
  assert.deepEqual(heldTimes([call('a')], held, 9), {});
});
