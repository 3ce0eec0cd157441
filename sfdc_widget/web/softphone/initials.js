/** Up to two initials, '' for a number. @param {string} name */
export function initials(name) {
  const parts = name.split(/\s+/u).filter((part) => /^\p{L}/u.test(part));
  const picked = parts.length > 1 ? [parts[0], parts.at(-1)] : parts;
  return picked.map((part) => [...String(part)][0]?.toLocaleUpperCase() ?? '').join('');
}
