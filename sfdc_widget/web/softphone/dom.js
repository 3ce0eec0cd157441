/**
 * Makes an element. `class`, attributes and `on` (listeners) in `props`; `true`
 * sets an empty attribute, `false`, null and undefined none.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {{on?: Record<string, (event: any) => void>, [attribute: string]: any}} [props]
 * @param {...(Node|string|null|undefined)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === 'on') {
      for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    } else {
      setAttribute(element, name, value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** @param {Element} element @param {string} name @param {unknown} value */
export function setAttribute(element, name, value) {
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else {
    const text = value === true ? '' : String(value);
    if (element.getAttribute(name) !== text) element.setAttribute(name, text);
  }
}

/** Changes text only when it differs, so that live regions and selections rest. @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A number reads left to right in every language. @param {string} text */
export function number(text) {
  return h('bdi', { dir: 'ltr', class: 'rb-number' }, text);
}

/** For those who listen: what an icon shows to those who see. @param {string} text */
export function spoken(text) {
  return h('span', { class: 'rb-live' }, text);
}

/** Facts in a row, each in its own direction. @param {string[]} facts */
export function joined(facts) {
  return facts.flatMap((fact, index) => [index > 0 ? ' · ' : '', h('bdi', { class: /^[\d:]+$/u.test(fact) ? 'rb-number' : null }, fact)]);
}

/**
 * What was typed in one form, put in another that is made the same way.
 *
 * @param {Element} former
 * @param {Element} next
 */
export function takeFields(former, next) {
  const fields = (/** @type {Element} */ of) =>
    /** @type {NodeListOf<HTMLInputElement>} */ (of.querySelectorAll('input, textarea, select'));
  const typed = fields(former);
  fields(next).forEach((field, index) => {
    const value = typed[index]?.value;
    if (value !== undefined) field.value = value;
  });
}

/** Hides by property, and says whether anything changed. @param {HTMLElement} element @param {boolean} isShown */
export function show(element, isShown) {
  if (element.hidden === !isShown) return false;
  element.hidden = !isShown;
  return true;
}
