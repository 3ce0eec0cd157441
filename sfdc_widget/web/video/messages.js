/**
 * What the phone's page and the window of a call say to each other, by `postMessage`
 * between two pages of one origin. Anything else that arrives is not for them.
 *
 * window → page: `ready` (loaded, or loaded again), `state`, `result`, `want` (a fresh
 * token), `leave` (the session is free), `lost` (another page has it).
 * page → window: `take` (a token, and what to do), `here` (a page that was loaded
 * again), `call` (a method), `token`.
 */

/** @import {ClientState} from '../client/ringbridge-client.js' */

/** The window's name: one for all calls. */
export const WINDOW_NAME = 'ringbridge-call';

/**
 * What the window is opened for.
 *
 * @typedef {object} Order
 * @property {'answer'|'start'|'dial'} act
 * @property {string} [callId]
 * @property {string} [to]
 * @property {object|null} [record]
 * @property {boolean} [isMuted]
 *
 * @typedef {Record<string, unknown>} PlainError
 *
 * @typedef {{type: 'ready', isSignedIn: boolean}
 *   | {type: 'state', state: ClientState, local: Record<string, object>}
 *   | {type: 'result', id: number, value?: any, error?: PlainError}
 *   | {type: 'want'}
 *   | {type: 'leave'}
 *   | {type: 'lost'}} FromWindow
 * @typedef {{type: 'take', token: string, order: Order|null}
 *   | {type: 'here'}
 *   | {type: 'call', id: number, name: string, args: unknown[]}
 *   | {type: 'token', token: string|null}} FromPage
 */

/** Methods of the client that the page may use in the window. */
export const REMOTE = Object.freeze([
  'answer',
  'chooseRecord',
  'consult',
  'createContact',
  'createOnDeskPhone',
  'decline',
  'dial',
  'hangup',
  'history',
  'hold',
  'loadInvites',
  'merge',
  'mute',
  'request',
  'retrieve',
  'retryMicrophone',
  'retryRegistration',
  'searchDirectory',
  'sendDigits',
  'setCamera',
  'setFavourite',
  'setPresence',
  'signOut',
  'split',
  'stopVideo',
  'transfer',
]);

/** @param {Window} to @param {FromWindow|FromPage} message */
export function post(to, message) {
  to.postMessage({ ringbridge: 'call-window', ...message }, location.origin);
}

/**
 * @param {MessageEvent} event
 * @returns {any} the message, or null when it is not one of ours
 */
export function received(event) {
  const isOurs = event.origin === location.origin && event.data?.ringbridge === 'call-window';
  return isOurs && event.source ? event.data : null;
}

/** Errors lose their own fields on the way between pages. @param {any} error @returns {PlainError} */
export function plain(error) {
  const { kind, message, sipCode, traceId, records, field, problem } = error ?? {};
  return { kind: kind ?? 'internal', message: String(message ?? error), sipCode, traceId, records, field, problem };
}
