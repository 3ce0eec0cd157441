/** @import {Record as CrmRecord} from './wire.d.ts' */

/** The gateway answered a request with an error; `kind` is the stable name. */
export class RequestError extends Error {
  /**
   * @param {string} kind
   * @param {string} message
   * @param {{retryable?: boolean, sipCode?: number|null, traceId?: string|null,
   *   records?: readonly CrmRecord[], field?: string}} [data] `field`: what is wrong
   *   in the request, as a path (`guests.0.email`), '' when none is to blame
   */
  constructor(
    kind,
    message,
    { retryable = false, sipCode = null, traceId = null, records = [], field = '' } = {},
  ) {
    super(message);
    this.name = 'RequestError';
    this.kind = kind;
    this.retryable = retryable;
    this.sipCode = sipCode;
    this.traceId = traceId;
    this.records = records;
    this.field = field;
  }
}

/** No answer came in time, because there was no connection or it was lost. */
export class ConnectionError extends Error {
  kind = 'connection';

  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = 'ConnectionError';
  }
}

/**
 * Sign-in failed, or is needed (again).
 *
 * - `phone_unreachable`: the phone system cannot say whether a password is right
 * - `popup_blocked`, `popup_closed`: the window of "Sign in with Salesforce"
 * - `declined` there by the user, `not_approved` by the administrator, `wrong_org`,
 *   `unknown_user`: nobody here, `window_expired`: it took too long, `off`: not for
 *   this company, `crm_unreachable`
 *
 * @typedef {'denied'|'expired'|'rate_limited'|'unreachable'|'failed'|
 *   'phone_unreachable'|'popup_blocked'|'popup_closed'|'declined'|'not_approved'|
 *   'wrong_org'|'unknown_user'|'window_expired'|'off'|'crm_unreachable'} SignInFailure
 */
export class SignInError extends Error {
  /** @param {SignInFailure} kind @param {string} [message] */
  constructor(kind, message = kind) {
    super(message);
    this.name = 'SignInError';
    this.kind = kind;
  }
}

/**
 * The microphone or the camera cannot be used.
 *
 * - `insecure`: the page is not served over https
 * - `unsupported`: this browser has no WebRTC
 * - `blocked_by_policy`: the page around the widget does not delegate it
 * - `denied`: the user or the browser's settings said no
 * - `no_device`: there is none
 * - `device_busy`: another program holds it, or the driver failed
 *
 * @typedef {'insecure'|'unsupported'|'blocked_by_policy'|'denied'|'no_device'|
 *   'device_busy'} DeviceProblem
 * @typedef {DeviceProblem} MicrophoneProblem
 */
export class MicrophoneError extends Error {
  /** @param {DeviceProblem} problem @param {string} [message] */
  constructor(problem, message = problem) {
    super(message);
    this.name = 'MicrophoneError';
    this.kind = 'microphone';
    this.problem = problem;
  }
}

/** As `MicrophoneError`, of the camera or the screen. */
export class CameraError extends Error {
  /** @param {DeviceProblem} problem @param {string} [message] */
  constructor(problem, message = problem) {
    super(message);
    this.name = 'CameraError';
    this.kind = 'camera';
    this.problem = problem;
  }
}

/** The phone service would not add video to the call. */
export class VideoRefused extends Error {
  kind = 'video.refused';

  constructor() {
    super('no video in this call');
    this.name = 'VideoRefused';
  }
}
