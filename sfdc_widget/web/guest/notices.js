/**
 * What a page without a call says, and the way on. Pure.
 *
 * @import {JoinView} from '../client/wire.d.ts'
 * @import {NoticeModel} from './notice-view.js'
 * @import {Screen} from './screen.js'
 * @import {Words, Advice} from './strings/en.js'
 *
 * @typedef {object} NoticeFacts
 * @property {Words} words
 * @property {JoinView|null} view
 * @property {string} host
 * @property {boolean} isOpen one may come in at this moment
 * @property {boolean} isJoining
 * @property {string} problem why the last press did not help
 *
 * @typedef {object} NoticeActions
 * @property {() => void} look at the link again
 * @property {() => void} join again
 * @property {() => void} takeOver from another tab
 */
import { wayBack } from './screen.js';

/** Those after which the page itself looks again. */
const LOOKS_AGAIN = new Set(['offline', 'unreachable', 'too_many']);

/**
 * @param {Screen} screen
 * @param {NoticeFacts} facts
 * @param {NoticeActions} actions
 * @returns {NoticeModel}
 */
export function noticeModel({ name, kind }, facts, actions) {
  const { words, view, host, problem } = facts;
  const advice = (name === 'ended' ? words.ended.kinds : words.notice.kinds)[kind]?.(host);
  return {
    kind,
    advice: advice ?? /** @type {Advice} */ (words.notice.kinds['unreachable']?.(host)),
    company: view?.company ?? '',
    host,
    contact: view?.contact ?? '',
    main: name === 'ended' ? back(kind, facts, actions) : on(kind, facts, actions),
    canCopy: kind === 'unsupported',
    note: LOOKS_AGAIN.has(kind) ? words.notice.retrying : '',
    problem: name === 'ended' || kind === 'full' ? problem : '',
  };
}

/** @param {string} kind @param {NoticeFacts} facts @param {NoticeActions} actions */
function back(kind, facts, { join, takeOver }) {
  const { ended } = facts.words;
  if (kind === 'elsewhere') return { label: ended.useHere, act: takeOver };
  const way = wayBack(kind);
  return way === null ? null : again(ended[way === 'rejoin' ? 'rejoin' : 'again'], facts, join);
}

/** @param {string} kind @param {NoticeFacts} facts @param {NoticeActions} actions */
function on(kind, facts, { look, join }) {
  const { words } = facts;
  if (kind === 'full') return again(words.ended.again, facts, join);
  return LOOKS_AGAIN.has(kind) || kind === 'in_use' ? { label: words.notice.checkAgain, act: look } : null;
}

/** @param {string} label @param {NoticeFacts} facts @param {() => void} act */
function again(label, { words, isOpen, isJoining }, act) {
  return isOpen ? { label: isJoining ? words.join.joining : label, act, isBusy: isJoining } : null;
}
