/** What has happened, what it means and what to do; loaded after the first picture. */

/** @import {EndReason, ErrorKind, RegistrationProblem} from '../../client/wire.d.ts' */
/** @import {MicrophoneProblem} from '../../client/errors.js' */

/**
 * @typedef {object} Advice What happened; what it means and what to do.
 * @property {string} title
 * @property {string} text
 */

export const words = {
  /** @type {Record<EndReason, Advice>} */
  endReason: {
    hung_up_here: { title: 'You ended the call', text: '' },
    hung_up_there: { title: 'They hung up', text: '' },
    cancelled_here: { title: 'You cancelled the call', text: '' },
    missed: { title: 'Missed call', text: 'Nobody answered before the caller gave up.' },
    declined_here: { title: 'You declined the call', text: '' },
    answered_elsewhere: {
      title: 'Answered on another device',
      text: 'The call goes on there.',
    },
    declined_elsewhere: { title: 'Declined on another device', text: '' },
    busy: { title: 'The line is busy', text: 'They are on another call. Try again in a few minutes.' },
    declined_there: { title: 'They declined the call', text: '' },
    no_answer: { title: 'No answer', text: 'It rang, and nobody picked up.' },
    unknown_number: {
      title: 'This number does not exist',
      text: 'Check the digits and the country code.',
    },
    unreachable: {
      title: 'Their phone cannot be reached',
      text: 'It may be switched off or out of coverage. Try again later or another number.',
    },
    not_allowed: {
      title: 'You may not call this number',
      text: 'Your company does not allow calls to it. Ask your administrator if you need it.',
    },
    no_common_codec: {
      title: 'The phones share no audio format',
      text: 'Send the code to your administrator.',
    },
    server_unavailable: {
      title: 'The phone system does not answer',
      text: 'Try again in a minute. If it lasts, tell your administrator.',
    },
    client_lost: {
      title: 'The connection to this page was lost',
      text: 'The call was ended because the page did not come back in time.',
    },
    media_failed: {
      title: 'The audio could not be connected',
      text: 'A firewall or VPN may block it. Try again, or from another network.',
    },
    gateway_restarted: {
      title: 'The phone service restarted',
      text: 'The call was cut off. Call again.',
    },
    invite_over: { title: 'The time of the invite is over', text: 'The meeting ended as planned.' },
    transferred: { title: 'Call transferred', text: 'They talk without you now.' },
    do_not_disturb: { title: 'Not put through', text: 'You were on Do not disturb.' },
    failed: { title: 'The call failed', text: 'Try again. If it lasts, send the code to your administrator.' },
  },

  /** @type {Record<RegistrationProblem, Advice>} */
  registrationProblem: {
    wrong_password: {
      title: 'Your phone password is not accepted',
      text: 'Calls cannot reach you here. Ask your administrator to correct the phone password, then try again. It is not tried by itself, so that your account is not locked.',
    },
    refused: {
      title: 'The phone system refuses your account',
      text: 'Calls cannot reach you here. Ask your administrator to check that your phone account is active.',
    },
    unreachable: {
      title: 'The phone system cannot be reached',
      text: 'Calls cannot reach you here. It is tried again by itself; your other phones may work.',
    },
    unavailable: {
      title: 'The phone system is not available',
      text: 'Calls cannot reach you here for the moment. It is tried again by itself.',
    },
  },

  /** @type {Record<ErrorKind|'connection', Advice>} */
  error: {
    'auth.expired': { title: 'Your sign-in has expired', text: 'Sign in again.' },
    'auth.denied': { title: 'Sign-in was refused', text: 'Ask your administrator for access.' },
    'session.unknown': { title: 'The session has ended', text: 'Reload the page.' },
    'session.observer': { title: 'The phone is in another tab', text: 'Take it here first.' },
    'session.superseded': { title: 'Open in another tab', text: 'Take the phone over, or use the other tab.' },
    'call.unknown': { title: 'This call has ended', text: '' },
    'call.wrong_state': { title: 'Not possible now', text: 'The call has moved on meanwhile.' },
    'call.limit': { title: 'Too many calls at once', text: 'End a call first.' },
    'number.invalid': {
      title: 'That is not a phone number',
      text: 'Enter digits, or start with + and the country code.',
    },
    'codec.none': { title: 'No shared audio format', text: 'Use a current version of your browser.' },
    'media.bad_sdp': { title: 'The audio could not be set up', text: 'Reload the page and try again.' },
    'media.unavailable': {
      title: 'The phone service has no audio line free',
      text: 'Try again in a minute. If it lasts, tell your administrator.',
    },
    'registrar.down': {
      title: 'The phone system cannot be reached',
      text: 'Try again in a minute, or use another phone.',
    },
    'crm.unavailable': { title: 'The CRM does not answer', text: 'Your calls are not affected. Try again in a minute.' },
    'crm.limit': { title: 'The CRM has little left for today', text: 'Calls and their entries go on; searches wait until it has more.' },
    'crm.refused': { title: 'The CRM did not accept this', text: 'Check the fields, or use the form in the CRM.' },
    'crm.duplicate': { title: 'This contact may exist already', text: 'Use one of the records below.' },
    'invite.unknown': { title: 'This invite is gone', text: 'Open the list of invites again.' },
    'invite.invalid': { title: 'The invite is not complete', text: 'See what is marked.' },
    'invite.closed': { title: 'This invite is over', text: 'Make a new one.' },
    'policy.denied': { title: 'This is not allowed', text: 'Ask your administrator if you need it.' },
    'op.conflict': { title: 'This was sent twice', text: 'Try again.' },
    'rate.limited': { title: 'Too many requests', text: 'Wait a moment, then try again.' },
    drain: { title: 'The phone service is about to restart', text: 'Try again in a few seconds.' },
    bad_request: { title: 'The phone service did not understand', text: 'Reload the page and try again.' },
    'method.unknown': { title: 'The phone service is older than this page', text: 'Tell your administrator.' },
    internal: {
      title: 'Something went wrong in the phone service',
      text: 'Try again. If it lasts, send the code to your administrator.',
    },
    connection: { title: 'No connection', text: 'Nothing was sent. Try again when the phone is connected.' },
  },

  /** @type {Record<MicrophoneProblem, Advice>} */
  microphone: {
    insecure: {
      title: 'The microphone needs a secure page',
      text: 'Open this page with https://.',
    },
    unsupported: {
      title: 'This browser cannot make calls',
      text: 'Use a current Chrome, Edge, Firefox or Safari.',
    },
    blocked_by_policy: {
      title: 'The page around the phone blocks the microphone',
      text: 'Your administrator can allow it: in Salesforce Setup, Session Settings, Browser Feature Permissions, set Microphone to allow this site as a trusted URL.',
    },
    denied: {
      title: 'The microphone is blocked in your browser',
      text: 'Open the site settings at the left of the address bar, set Microphone to Allow, then try again.',
    },
    no_device: {
      title: 'No microphone found',
      text: 'Connect a headset or microphone, then try again.',
    },
    device_busy: {
      title: 'The microphone does not start',
      text: 'Another program may be using it. Close it, or unplug the headset and plug it in again.',
    },
  },
};
