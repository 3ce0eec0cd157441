/**
 * The host's side of the Open CTI protocol: hears the softphone's frame, answers it,
 * tells it about clicks and navigation. It draws nothing; `view` does.
 */

const API_TYPE = 'opencti';
const OLDEST_API_VERSION = 43;
const HEIGHT_RANGE = [240, 2560];
const WIDTH_RANGE = [200, 1920];
const MIN_SEARCH_LENGTH = 3;
const LISTENERS = new Set(['onClickToDial', 'onNavigationChange']);

/** An answer with `errors`. */
class CallError extends Error {
  constructor(code, description, details = null) {
    super(description);
    this.code = code;
    this.details = details;
  }
}

function invalid(name, expected, found) {
  return new CallError(
    'INVALID_PARAM',
    `An invalid value was passed to the parameter ${name}. ${expected} was expected, ` +
      `but ${found} was found instead.`
  );
}

function number(args, name, [least, most]) {
  const value = args[name];
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw invalid(name, 'A numeric value', String(value));
  }
  if (value < least || value > most) {
    throw invalid(name, `A value between ${least} and ${most}`, String(value));
  }
  return value;
}

function text(args, name, least = 1) {
  const value = args[name];
  if (typeof value !== 'string' || value.length < least) {
    throw invalid(name, least > 1 ? `A text of ${least} characters` : 'A text', String(value));
  }
  return value;
}

export class OpenCtiHost {
  /**
   * @param {{adapterOrigin: string, apiVersion: number, settings: object, layout: object}} softphone
   * @param {object} view what the calls act upon (see app.js)
   * @param {(method: string, args: object) => Promise<any>} askServer
   */
  constructor(softphone, view, askServer) {
    this.softphone = softphone;
    this.view = view;
    this.askServer = askServer;
    this.frame = null;
    this.listeners = new Map();
    this.queue = Promise.resolve();
    this.isReady = false;
    window.addEventListener('message', (event) => this.hear(event));
  }

  attach(frame) {
    this.frame = frame;
  }

  hear(event) {
    const message = event.data;
    if (
      !this.frame ||
      event.source !== this.frame.contentWindow ||
      event.origin !== this.softphone.adapterOrigin
    ) {
      return;
    }
    if (
      !message ||
      message.apiType !== API_TYPE ||
      typeof message.methodName !== 'string' ||
      !Number.isInteger(message.callId) ||
      !Number.isInteger(message.apiVersion) ||
      message.apiVersion < OLDEST_API_VERSION ||
      message.apiVersion > this.softphone.apiVersion
    ) {
      return;
    }
    // In the order of asking: a slow answer of the server must not let a later call by.
    this.queue = this.queue.then(() => this.serve(message)).catch(console.error);
  }

  async serve(message) {
    const { methodName, callId, apiVersion } = message;
    const args = message.args && typeof message.args === 'object' ? message.args : {};
    if (LISTENERS.has(methodName)) {
      // No answer: it would reach the listener as if it were an event.
      this.listeners.set(methodName, apiVersion);
      await this.askServer(methodName, args);
      return;
    }
    let response;
    try {
      const answer = await this.askServer(methodName, args);
      if (answer.silent) {
        return;
      }
      if (answer.error) {
        throw new CallError(answer.error.code, answer.error.description, answer.error.details);
      }
      const returnValue = await this.perform(methodName, args, answer);
      response = { success: true, returnValue: returnValue ?? null, errors: null };
    } catch (error) {
      const code = error instanceof CallError ? error.code : 'GENERIC_ERROR';
      const description =
        error instanceof CallError
          ? error.message
          : 'An error occurred while calling the API method.';
      response = {
        success: false,
        returnValue: null,
        errors: [{ code, description, details: error.details ?? null }],
      };
    }
    this.post({ apiVersion, apiType: API_TYPE, methodName, callId, response });
  }

  post(message) {
    this.frame?.contentWindow?.postMessage(message, this.softphone.adapterOrigin);
  }

  /** Tell a listener; `payload` goes bare, without success or returnValue. */
  notify(methodName, payload) {
    const apiVersion = this.listeners.get(methodName);
    if (apiVersion === undefined) {
      return;
    }
    this.post({ apiVersion, apiType: API_TYPE, methodName, callId: -1, response: payload });
  }

  async perform(methodName, args, answer) {
    const view = this.view;
    switch (methodName) {
      case 'setSoftphonePanelVisibility':
        if (typeof args.visible !== 'boolean') {
          throw invalid('visible', 'A boolean value', String(args.visible));
        }
        return view.setPanelVisible(args.visible);
      case 'isSoftphonePanelVisible':
        return { visible: view.isPanelVisible() };
      case 'setSoftphonePanelHeight':
        return view.setPanelSize({ height: number(args, 'heightPX', HEIGHT_RANGE) });
      case 'setSoftphonePanelWidth':
        return view.setPanelSize({ width: number(args, 'widthPX', WIDTH_RANGE) });
      case 'setSoftphonePanelLabel':
        return view.setPanelLabel(text(args, 'label'));
      case 'setSoftphoneItemLabel':
        return view.setItemLabel(text(args, 'label'));
      case 'setSoftphonePanelIcon':
        return view.setPanelIcon(text(args, 'key'));
      case 'setSoftphoneItemIcon':
        return view.setItemIcon(text(args, 'key'));
      case 'screenPop':
        return this.screenPop(text(args, 'type'), args.params ?? {});
      case 'searchAndScreenPop':
        if (answer.pop) {
          await this.screenPop(answer.pop.type, answer.pop.params);
        }
        return answer.returnValue;
      case 'getAppViewInfo':
        return view.currentView();
      case 'getCallCenterSettings':
        return this.softphone.settings;
      case 'getSoftphoneLayout':
        return this.softphone.layout;
      case 'saveLog':
      case 'runApex':
        return answer.returnValue;
      case 'refreshView':
        return view.refresh();
      case 'enableClickToDial':
        return view.setClickToDial(true);
      case 'disableClickToDial':
        return view.setClickToDial(false);
      case 'notifyInitializationComplete':
        this.isReady = true;
        return null;
      default:
        throw new CallError('GENERIC_ERROR', 'An error occurred while calling the API method.');
    }
  }

  async screenPop(type, params) {
    const view = this.view;
    switch (type) {
      case 'sobject':
        return view.openRecord(text(params, 'recordId', 15));
      case 'url': {
        const url = text(params, 'url');
        if (!url.startsWith('/') || url.startsWith('//')) {
          throw invalid('url', 'A relative URL', url);
        }
        return view.go(url);
      }
      case 'objecthome':
        return view.go(`/lightning/o/${encodeURIComponent(text(params, 'scope'))}/list`);
      case 'list': {
        const scope = encodeURIComponent(text(params, 'scope'));
        const name = encodeURIComponent(text(params, 'listViewId'));
        return view.go(`/lightning/o/${scope}/list?filterName=${name}`);
      }
      case 'search':
        return view.search(text(params, 'searchString', MIN_SEARCH_LENGTH));
      case 'newRecord':
        return view.newRecord(text(params, 'entityName'), params.defaultFieldValues ?? {});
      default:
        throw invalid('type', 'A screen pop type', String(type));
    }
  }
}
