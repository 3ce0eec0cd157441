/** What is wrong, in the rep's words, with the way on. */
import { words } from './strings.js';

/**
 * @import {CallView} from '../client/wire.d.ts'
 * @import {ClientState} from '../client/ringbridge-client.js'
 * @import {WindowedClient} from '../video/windowed.js'
 * @import {Problem} from './problem-card.js'
 */

/**
 * @param {unknown} error
 * @returns {Problem|null} null: shown otherwise, or none
 */
export function problemOf(error) {
  const { kind = 'internal', sipCode, traceId } = /** @type {any} */ (error);
  if (kind === 'microphone' || kind === 'cancelled') return null;
  const advice = words.error[/** @type {keyof typeof words.error} */ (kind)] ?? words.error.internal;
  return {
    title: advice.title,
    text: advice.text,
    code: [kind, sipCode ? `SIP ${sipCode}` : '', traceId ?? ''].filter(Boolean).join(', '),
  };
}

/**
 * @param {WindowedClient} client
 * @param {object} known
 * @param {number} known.registrationSince when its failure was heard of, Unix ms
 * @param {Problem|null} known.failure of what was pressed last
 * @param {(error: unknown) => void} known.onFail
 * @returns {Problem|null}
 */
export function idleProblem(client, { registrationSince, failure, onFail }) {
  const { state } = client;
  const { registration } = state;
  if (registration.state === 'failed') {
    const advice = words.registrationProblem[registration.problem ?? 'unavailable'] ?? words.registrationProblem.unavailable;
    const left = registration.retry_in_s
      ? Math.ceil(registration.retry_in_s - (Date.now() - registrationSince) / 1000)
      : 0;
    return {
      title: advice.title,
      text: left > 0 ? `${advice.text} ${words.problem.retryIn(left)}` : advice.text,
      code: [registration.problem, registration.sip_code ? `SIP ${registration.sip_code}` : ''].filter(Boolean).join(', '),
      action: words.problem.retry,
      onAction: () => client.retryRegistration().catch(onFail),
    };
  }
  if (state.isObserver) return failure;
  const open = () => client.tryMicrophone().catch(() => undefined);
  return microphoneProblem(state, open) ?? failure ?? microphoneOffer(state, open);
}

/** @param {ClientState} state @param {() => unknown} onAction @returns {Problem|null} */
function microphoneOffer(state, onAction) {
  if (!state.willAskMicrophone) return null;
  return {
    title: words.problem.askTitle,
    text: words.problem.askText,
    action: words.problem.allow,
    onAction,
    isMild: true,
  };
}

/**
 * @param {WindowedClient} client
 * @param {CallView} call
 * @param {object} known
 * @param {Problem|null} known.failure
 * @param {() => unknown} known.answer again
 * @returns {Problem|null}
 */
export function callProblem(client, call, { failure, answer }) {
  const { state } = client;
  if (call.state === 'ended' || call.device === 'desk_phone' || state.isObserver) return failure;
  if (state.isPlaybackBlocked) {
    return {
      title: words.problem.hear,
      text: words.problem.playback,
      action: words.problem.hear,
      onAction: () => client.unblockPlayback(),
    };
  }
  const retry = call.state === 'ringing' ? answer : () => client.retryMicrophone(call.call_id).catch(() => undefined);
  return microphoneProblem(state, retry) ?? failure;
}

/** @param {ClientState} state @param {() => unknown} retry @returns {Problem|null} */
function microphoneProblem(state, retry) {
  const problem = state.microphoneProblem;
  if (problem === null) return null;
  const { title, text } = words.microphone[problem];
  const canRetry = problem !== 'insecure' && problem !== 'unsupported';
  return {
    title,
    text,
    code: `microphone ${problem}`,
    action: canRetry ? words.problem.retry : '',
    onAction: retry,
  };
}
