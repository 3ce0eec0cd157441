import { icon } from './icons.js';

/**
 * An element with properties and children; `on…` are listeners, `data-…` and `aria-…`
 * attributes, everything else properties.
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) {
      continue;
    }
    if (name.startsWith('on')) {
      element.addEventListener(name.slice(2), value);
    } else if (name.includes('-') || name === 'role' || name === 'for' || name === 'dir') {
      element.setAttribute(name, String(value));
    } else {
      element[name] = value;
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function badge(kind) {
  return el('span', { className: `badge badge-${kind.toLowerCase()}` }, icon(kind));
}

export function recordLink(kind, id, text) {
  return el('a', { href: `/lightning/r/${kind}/${id}/view`, 'data-link': '', dir: 'auto' }, text);
}

/** A reply of the page's own API; a refusal is thrown in the org's words. */
export async function ask(path, body) {
  const reply = await fetch(`/sandbox/page/${path}`, body && {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  const content = await reply.json();
  if (!reply.ok) {
    throw Object.assign(new Error(content[0]?.message ?? reply.statusText), {
      errorCode: content[0]?.errorCode,
    });
  }
  return content;
}
