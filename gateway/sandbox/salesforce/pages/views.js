/** What stands in the middle of the page: a list, a record, search results, a form. */

import { badge, el, recordLink } from './dom.js';
import { icon } from './icons.js';

/**
 * @typedef {{dialling: boolean, dial: (number: string, record: object) => void,
 *   invite: (number: string, record: object) => void}} Phones
 */

const INVITED = new Set(['Contact', 'Lead']);

/** A number as text, or as a button once the softphone takes clicks. */
export function phone(value, record, phones) {
  if (!value) {
    return '';
  }
  if (!phones.dialling) {
    return el('span', { className: 'phone', dir: 'ltr' }, value);
  }
  return el(
    'button',
    {
      type: 'button',
      className: 'phone dial',
      dir: 'ltr',
      title: `Call ${value}`,
      'data-number': value,
      onclick: () => phones.dial(value, record),
    },
    icon('call'),
    value
  );
}

/** The icon that a page's component for video invites draws; null for no person. */
function invitation(fields, record, phones) {
  if (!phones.dialling || !INVITED.has(record.object)) {
    return null;
  }
  const number = fields.find((field) => field.type === 'phone' && field.value)?.value ?? '';
  return el(
    'button',
    {
      type: 'button',
      className: 'invite',
      title: 'Invite to a video call',
      'aria-label': `Invite ${record.name} to a video call`,
      onclick: () => phones.invite(number, record),
    },
    icon('video')
  );
}

/** Where the icon stands: at the e-mail, or else at the first number. */
function invitationField(fields) {
  const filled = fields.filter((field) => field.value);
  return (
    filled.find((field) => field.type === 'email') ??
    filled.find((field) => field.type === 'phone')
  );
}

function cell(field, record, phones) {
  if (field.value === null || field.value === undefined) {
    return '';
  }
  if (field.type === 'phone') {
    return phone(field.value, record, phones);
  }
  if (field.type === 'reference') {
    return field.object && field.object !== 'User'
      ? recordLink(field.object, field.value, field.text)
      : el('span', { dir: 'auto' }, field.text);
  }
  if (field.type === 'currency') {
    return Number(field.value).toLocaleString('en-US', { style: 'currency', currency: 'USD' });
  }
  if (field.type === 'email') {
    return el('a', { href: `mailto:${field.value}` }, field.value);
  }
  if (field.type === 'datetime') {
    return time(field.value, DAY_AND_TIME);
  }
  return el('span', { dir: 'auto' }, String(field.value));
}

const TIME = { hour: 'numeric', minute: '2-digit' };
const DAY_AND_TIME = { month: 'short', day: 'numeric', ...TIME };

function moment(text) {
  return new Date(text.replace('+0000', 'Z'));
}

function time(text, format) {
  const at = moment(text);
  return el(
    'time',
    { dateTime: at.toISOString(), title: at.toUTCString() },
    at.toLocaleString('en-US', format)
  );
}

/** From when to when, the day once if it is the same. */
function span(from, to) {
  const isSameDay = moment(from).toDateString() === moment(to).toDateString();
  return el(
    'span',
    { className: 'when' },
    time(from, { weekday: 'short', ...DAY_AND_TIME }),
    ' – ',
    time(to, isSameDay ? TIME : DAY_AND_TIME)
  );
}

export function listView(data, phones, onNew) {
  const head = el('tr', {}, ...data.columns.map((c) => el('th', { scope: 'col' }, c.label)));
  const rows = data.rows.map((row) => {
    const record = { id: row.id, name: row.name, object: data.object };
    return el(
      'tr',
      {},
      ...row.cells.map((field, index) =>
        index === 0
          ? el('th', { scope: 'row' }, recordLink(data.object, row.id, field.value ?? row.name))
          : el('td', { 'data-label': field.label }, cell(field, record, phones))
      )
    );
  });
  return el(
    'article',
    { className: 'card' },
    el(
      'header',
      { className: 'card-head' },
      badge(data.object),
      el('div', {}, el('p', { className: 'kind' }, data.label), el('h1', {}, `All ${data.label}`)),
      el('span', { className: 'count' }, `${data.rows.length} items`),
      el('button', { type: 'button', className: 'button', onclick: onNew }, 'New')
    ),
    data.rows.length
      ? el(
          'div',
          { className: 'scroll' },
          el('table', {}, el('thead', {}, head), el('tbody', {}, ...rows))
        )
      : el('p', { className: 'empty' }, 'Nothing here yet.')
  );
}

function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

function activity(item) {
  const isCall = item.TaskSubtype === 'Call' || item.CallType;
  const kind = { Inbound: 'incoming_call', Outbound: 'outbound_call' }[item.CallType];
  const isEvent = item.object === 'Event';
  const facts = [
    item.CallType,
    item.CallDisposition,
    item.CallDurationInSeconds ? duration(item.CallDurationInSeconds) : null,
    item.what.text,
    isEvent ? item.Location : null,
    item.ShowAs && item.ShowAs !== 'Busy' ? `Shown as ${item.ShowAs.toLowerCase()}` : null,
  ].filter(Boolean);
  const look = isEvent ? 'event' : isCall ? 'call' : 'task';
  return el(
    'li',
    { className: 'activity', 'data-id': item.id },
    el(
      'span',
      { className: `badge badge-${look}` },
      icon(isCall ? kind ?? 'call' : item.object)
    ),
    el(
      'div',
      { className: 'activity-text' },
      el(
        'div',
        { className: 'activity-line' },
        recordLink(item.object, item.id, item.Subject ?? '(no subject)'),
        isEvent
          ? span(item.StartDateTime, item.EndDateTime)
          : time(item.CreatedDate, DAY_AND_TIME)
      ),
      el('p', { className: 'facts', dir: 'auto' }, facts.join(' · ')),
      item.Description ? el('p', { className: 'note', dir: 'auto' }, item.Description) : null
    )
  );
}

function activities(title, items) {
  return items.length
    ? [
        el('h3', { className: 'when-title' }, title),
        el('ol', { className: 'activities' }, ...items.map(activity)),
      ]
    : [];
}

export function recordView(data, phones, onRefresh) {
  const record = { id: data.id, name: data.name, object: data.object };
  const highlights = data.fields.slice(1, 5).filter((f) => f.type !== 'textarea');
  const shown = (field, fields) =>
    el(
      'dd',
      {},
      cell(field, record, phones),
      field === invitationField(fields) ? invitation(data.fields, record, phones) : null
    );
  const details = el(
    'article',
    { className: 'card' },
    el('header', { className: 'card-head' }, el('h2', {}, 'Details')),
    el(
      'dl',
      { className: 'fields' },
      ...data.fields.map((field) =>
        el(
          'div',
          { className: 'field', 'data-field': field.name },
          el('dt', {}, field.label),
          shown(field, data.fields)
        )
      )
    )
  );
  const related = data.related.map((list) =>
    el(
      'article',
      { className: 'card' },
      el('header', { className: 'card-head' }, el('h2', {}, `${list.label} (${list.rows.length})`)),
      el(
        'ul',
        { className: 'plain-list' },
        ...list.rows.map((row) =>
          el('li', {}, recordLink(row.object, row.id, row.name), phone(row.phone, row, phones))
        )
      )
    )
  );
  const timeline = el(
    'article',
    { className: 'card', id: 'timeline' },
    el(
      'header',
      { className: 'card-head' },
      el('h2', {}, 'Activity'),
      el(
        'button',
        {
          type: 'button',
          className: 'plain',
          title: 'Refresh',
          'aria-label': 'Refresh activity',
          onclick: onRefresh,
        },
        icon('refresh')
      )
    ),
    ...activities('Upcoming', data.timeline.filter((item) => item.isComing)),
    ...activities('Past', data.timeline.filter((item) => !item.isComing)),
    data.timeline.length
      ? null
      : el('p', { className: 'empty' }, 'No activities yet. Calls will show here.')
  );
  return el(
    'div',
    { className: 'record' },
    el(
      'header',
      { className: 'card highlights' },
      el(
        'div',
        { className: 'card-head' },
        badge(data.object),
        el(
          'div',
          {},
          el('p', { className: 'kind' }, data.label),
          el('h1', { dir: 'auto' }, data.name)
        )
      ),
      el(
        'dl',
        { className: 'highlight-fields' },
        ...highlights.map((field) =>
          el('div', {}, el('dt', {}, field.label), shown(field, highlights))
        )
      )
    ),
    el(
      'div',
      { className: 'columns' },
      el('div', { className: 'column' }, details, ...related),
      el('div', { className: 'column' }, timeline)
    )
  );
}

export function searchView(data, phones) {
  return el(
    'article',
    { className: 'card' },
    el(
      'header',
      { className: 'card-head' },
      el(
        'div',
        {},
        el('p', { className: 'kind' }, 'Search results'),
        el('h1', { dir: 'auto' }, data.text)
      ),
      el('span', { className: 'count' }, `${data.rows.length} found`)
    ),
    data.rows.length
      ? el(
          'ul',
          { className: 'plain-list' },
          ...data.rows.map((row) =>
            el(
              'li',
              {},
              badge(row.object),
              recordLink(row.object, row.id, row.name),
              el('span', { className: 'quiet', dir: 'auto' }, row.account?.text ?? ''),
              phone(row.phone, row, phones)
            )
          )
        )
      : el('p', { className: 'empty' }, 'Nothing found. Check the spelling, or try the last digits.')
  );
}

export function formView(data, defaults, { onSave, onCancel }) {
  const inputs = data.fields.map((field) => {
    const id = `new-${field.name}`;
    const value = defaults[field.name] ?? '';
    const input = field.options.length
      ? el(
          'select',
          { id, name: field.name },
          el('option', { value: '' }, 'None'),
          ...field.options.map((o) => el('option', { value: o.value }, o.label))
        )
      : el('input', { id, name: field.name, required: field.required, autocomplete: 'off' });
    input.value = value;
    return el(
      'div',
      { className: 'form-field' },
      el('label', { for: id }, field.label, field.required ? ' *' : ''),
      input
    );
  });
  const problem = el('p', { className: 'problem', role: 'alert' });
  return el(
    'form',
    {
      method: 'dialog',
      onsubmit: async (event) => {
        event.preventDefault();
        const given = new FormData(event.currentTarget);
        const fields = Object.fromEntries([...given].filter(([, value]) => value !== ''));
        try {
          await onSave(fields);
        } catch (error) {
          problem.textContent = `${error.message} (${error.errorCode ?? 'error'})`;
        }
      },
    },
    el('h2', { id: 'modal-title' }, `New ${data.label}`),
    problem,
    el('div', { className: 'form-fields' }, ...inputs),
    el(
      'footer',
      { className: 'modal-foot' },
      el('button', { type: 'button', className: 'button', onclick: onCancel }, 'Cancel'),
      el('button', { type: 'submit', className: 'button primary' }, 'Save')
    )
  );
}
