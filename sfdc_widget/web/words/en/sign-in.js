/** What is said to who is not signed in. */

/** @import {SignInFailure} from '../../client/errors.js' */

export const words = {
  signIn: {
    title: 'Sign in to your phone',
    tenant: 'Company',
    username: 'User name',
    password: 'Password',
    submit: 'Sign in',
    busy: 'Signing in…',
    required: 'Fill in every field.',
    salesforce: 'Sign in with Salesforce',
    waiting: 'Continue in the window that has opened.',
    cancel: 'Cancel',
    phone: 'Sign in with your phone account',
    byPassword: 'Sign in with a password',
    phoneUsername: 'Phone user name',
    phonePassword: 'Phone password',
    phoneNote: 'The name and password that your desk phone signs in with.',
  },

  /** @type {Record<SignInFailure, string>} */
  signInProblem: {
    denied: 'The user name or password is not right.',
    expired: 'Your sign-in has expired. Sign in again.',
    rate_limited: 'Too many tries. Wait a minute, then try again.',
    unreachable: 'The phone service cannot be reached. Check your network, then try again.',
    failed: 'Sign-in did not work. Try again, or ask your administrator.',
    phone_unreachable: 'The phone system does not answer. Try again in a minute, or sign in in another way.',
    popup_blocked: 'The browser held back the sign-in window. Allow pop-ups for this site at the right of the address bar, then try again.',
    popup_closed: 'The sign-in window was closed before you were signed in. Try again, or sign in in another way.',
    declined: 'You did not allow Ringbridge in Salesforce. Try again and choose Allow, or sign in in another way.',
    not_approved: 'Your Salesforce administrator has not approved the phone for you yet. Ask them for the permission set “Ringbridge Rep”.',
    wrong_org: 'You signed in to another Salesforce organisation. Sign out there, then try again with the account of your company.',
    unknown_user: 'Your Salesforce user has no phone here yet. Ask your administrator to add you, or sign in with your phone account.',
    window_expired: 'That took too long, or the window was opened twice. Try again.',
    off: 'This company does not use sign-in with Salesforce. Sign in in another way.',
    crm_unreachable: 'Salesforce does not answer. Try again in a minute, or sign in in another way.',
  },
  signInWindow: {
    done: 'You are signed in',
    problem: 'You are not signed in',
    close: 'You can close this window and go back to the phone.',
    cutOff: 'The phone cannot be reached from here',
    cutOffText:
      'The browser has separated this window from the phone. Close it, and sign in there in another way, or ask your administrator.',
  },
  signInByHost:
    'Salesforce did not confirm who you are, so sign in here. Your administrator can set up automatic sign-in.',
};
