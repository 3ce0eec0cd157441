/** The document that Salesforce sends the sign-in window back to; see docs/design/015. */
import { failureOf, MESSAGE } from './client/sign-in-window.js';
import { moreWords, words } from './softphone/strings.js';

const { origin = '', code, problem } = /** @type {Record<string, string>} */ (
  /** @type {HTMLElement} */ (document.querySelector('main')).dataset
);
// Neither the history nor whoever looks over a shoulder needs the address.
history.replaceState(null, '', location.pathname);

const opener = /** @type {Window|null} */ (window.opener);
// To that origin and no other: who lured somebody here is told nothing.
opener?.postMessage(problem ? { type: MESSAGE, problem } : { type: MESSAGE, code }, origin);

await Promise.all([moreWords('start'), moreWords('sign-in')]);
const said = words.signInWindow;
const title = /** @type {HTMLElement} */ (document.getElementById('title'));
const text = /** @type {HTMLElement} */ (document.getElementById('text'));
// The phone closes this window when it has heard; till then, and if it never does:
if (problem) {
  title.textContent = said.problem;
  text.textContent = `${words.signInProblem[failureOf(problem)]} ${said.close}`;
} else if (opener) {
  title.textContent = said.done;
  text.textContent = said.close;
} else {
  title.textContent = said.cutOff;
  text.textContent = said.cutOffText;
}
document.title = title.textContent;
title.focus();
