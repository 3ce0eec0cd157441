/**
 * The softphone in Salesforce's utility bar, over Open CTI for Lightning.
 *
 * The script that speaks to the page around us comes from the organisation's own
 * domain, which the page names in our address. It is loaded only from an origin that
 * the gateway lists for the tenant: whoever could choose it would own the phone.
 */
/** @import {HostAdapter, PhoneMood, WidgetConfig} from './adapter.js' */

const CALL_TIMEOUT_MS = 8_000;
const INVITE_WORD = 'ringbridge=invite';

/** @type {Record<PhoneMood, string>} names of Lightning's utility icons */
const ICONS = {
  idle: 'call',
  ringing: 'incoming_call',
  outgoing: 'outbound_call',
  active: 'unmuted',
  off: 'end_call',
};

/**
 * @typedef {{success: boolean, returnValue: any, errors: unknown}} OpenCtiResponse
 * @typedef {Record<string, (args?: object) => void> & {
 *   SCREENPOP_TYPE: Record<string, string>}} OpenCti
 */

export class OpenCtiError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = 'OpenCtiError';
  }
}

/**
 * @param {WidgetConfig} config
 * @returns {Promise<HostAdapter>}
 * @throws {OpenCtiError} not framed by a page that the gateway knows
 */
export async function openCtiHost(config) {
  const cti = await loadOpenCti(config);

  /** @param {string} method @param {object} [args] @returns {Promise<any>} */
  const call = (method, args = {}) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new OpenCtiError(`${method}: no answer`)), CALL_TIMEOUT_MS);
      const callback = (/** @type {OpenCtiResponse} */ response) => {
        clearTimeout(timer);
        if (response.success) resolve(response.returnValue);
        else reject(new OpenCtiError(`${method}: ${JSON.stringify(response.errors)}`));
      };
      try {
        const run = cti[method];
        if (!run) throw new OpenCtiError(`${method}: not in this version of Open CTI`);
        run.call(cti, { ...args, callback });
      } catch (error) {
        clearTimeout(timer);
        reject(error);
      }
    });
  /** The host's picture of us is a courtesy: a failure must not disturb a call. @param {string} method @param {object} [args] */
  const tell = (method, args) => void call(method, args).catch(() => undefined);

  /** @param {'token'|'language'} methodName @returns {Promise<string>} */
  const identity = async (methodName) => {
    const value = await call('runApex', { apexClass: 'RingbridgeIdentity', methodName, methodParams: '' });
    return typeof value?.runApex === 'string' ? value.runApex : '';
  };

  let lastLabel = '';
  /** @type {HostAdapter} */
  const host = {
    hasOwnForm: true,
    popRecord: ({ id }) =>
      call('screenPop', { type: cti.SCREENPOP_TYPE.SOBJECT, params: { recordId: id } }),
    popNewContact: ({ firstName, lastName, phone }) =>
      call('screenPop', {
        type: cti.SCREENPOP_TYPE.NEW_RECORD_MODAL,
        params: {
          entityName: 'Contact',
          defaultFieldValues: {
            ...(firstName ? { FirstName: firstName } : {}),
            ...(lastName ? { LastName: lastName } : {}),
            ...(phone ? { Phone: phone } : {}),
          },
        },
      }),
    onClickToDial(listener) {
      cti.onClickToDial?.call(cti, {
        listener: (/** @type {any} */ payload) => {
          // Up to version 44 the payload was wrapped as an answer is.
          const click = payload?.number === undefined && payload?.returnValue ? payload.returnValue : payload;
          // A list with commas; the word is ours, see docs/design/005.
          const isInvite = String(click?.params ?? '').split(',').some((each) => each.trim() === INVITE_WORD);
          if (!isInvite && (click?.number ?? '') === '') return;
          const record = click.recordId
            ? { id: String(click.recordId), kind: String(click.objectType ?? ''), name: String(click.recordName ?? '') }
            : null;
          listener({ number: String(click.number ?? ''), record, isInvite });
        },
      });
      tell('enableClickToDial');
    },
    onNavigate(listener) {
      void import('./navigation.js').then(({ listen }) => listen(cti, listener)).catch(() => undefined);
    },
    setPanelVisible: (visible) => tell('setSoftphonePanelVisibility', { visible }),
    setLabel(label, mood) {
      if (label === lastLabel) return;
      lastLabel = label;
      tell('setSoftphoneItemLabel', { label });
      tell('setSoftphoneItemIcon', { key: ICONS[mood] });
    },
    refresh: () => tell('refreshView'),
    identityAssertion: async () => (await identity('token')) || null,
    // Packages of before have no such method.
    language: () => identity('language').catch(() => ''),
    async currentRecord() {
      const view = await call('getAppViewInfo');
      return view?.recordId
        ? { id: view.recordId, kind: view.objectType ?? '', name: view.recordName ?? '' }
        : null;
    },
  };
  tell('notifyInitializationComplete');
  return host;
}

/** @param {WidgetConfig} config @returns {Promise<OpenCti>} */
async function loadOpenCti({ salesforce_origins: allowed = [], opencti_version: version = '66.0' }) {
  const named = new URLSearchParams(location.search).get('sfdcIframeOrigin') ?? '';
  const origin = originOf(named);
  if (origin === null || !allowed.some((each) => originOf(each) === origin)) {
    throw new OpenCtiError(`not a known Salesforce page: ${named || 'none named'}`);
  }
  if (!/^\d{1,3}\.\d$/.test(version)) throw new OpenCtiError(`not a version: ${version}`);
  await new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = `${origin}/support/api/${version}/lightning/opencti_min.js`;
    script.onload = resolve;
    script.onerror = () => reject(new OpenCtiError(`could not load ${script.src}`));
    document.head.append(script);
  });
  const cti = /** @type {any} */ (globalThis).sforce?.opencti;
  if (!cti) throw new OpenCtiError('the Open CTI script did not start');
  return cti;
}

/** @param {string} text */
function originOf(text) {
  try {
    return new URL(text).origin;
  } catch {
    return null;
  }
}
