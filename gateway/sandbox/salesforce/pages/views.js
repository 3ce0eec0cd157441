/** What stands in the middle of the page: a list, a record, search results, a form. */

import { badge, el, recordLink } from './dom.js';
import { icon } from './icons.js';

/** @typedef {{dialling: boolean, dial: (number: string, record: object) => void}} Phones */

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
  return el('span', { dir: 'auto' }, String(field.value));
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
  const facts = [
    item.CallType,
    item.CallDisposition,
    item.CallDurationInSeconds ? duration(item.CallDurationInSeconds) : null,
    item.what.text,
  ].filter(Boolean);
  const when = new Date(item.CreatedDate.replace('+0000', 'Z'));
  return el(
    'li',
    { className: 'activity', 'data-id': item.id },
    el(
      'span',
      { className: `badge ${isCall ? 'badge-call' : 'badge-task'}` },
      icon(isCall ? kind ?? 'call' : item.object)
    ),
    el(
      'div',
      { className: 'activity-text' },
      el(
        'div',
        { className: 'activity-line' },
        recordLink(item.object, item.id, item.Subject ?? '(no subject)'),
        el(
          'time',
          { dateTime: when.toISOString(), title: when.toUTCString() },
          when.toLocaleString('en-US', {
            month: 'short',
            day: 'numeric',
            hour: 'numeric',
            minute: '2-digit',
          })
        )
      ),
      el('p', { className: 'facts', dir: 'auto' }, facts.join(' · ')),
      item.Description ? el('p', { className: 'note', dir: 'auto' }, item.Description) : null
    )
  );
}

export function recordView(data, phones, onRefresh) {
  const record = { id: data.id, name: data.name, object: data.object };
  const highlights = data.fields.slice(1, 5).filter((f) => f.type !== 'textarea');
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
          el('dd', {}, cell(field, record, phones))
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
    data.timeline.length
      ? el('ol', { className: 'activities' }, ...data.timeline.map(activity))
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
          el('div', {}, el('dt', {}, field.label), el('dd', {}, cell(field, record, phones)))
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
