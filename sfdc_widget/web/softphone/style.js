import { h } from './dom.js';

/** A style that is there before what it is for is shown; once. @param {URL} url */
export async function loadStyle({ href }) {
  if (document.querySelector(`link[href="${href}"]`)) return;
  const link = h('link', { rel: 'stylesheet', href });
  const isReady = new Promise((resolve, reject) => {
    link.onload = resolve;
    link.onerror = reject;
  });
  document.head.append(link);
  await isReady;
}
