/*
 * sforce.opencti as an adapter sees it, written anew from the documented behaviour:
 * message shapes, argument checks and the order of things of the Lightning API.
 */
(function () {
  'use strict';

  var API_VERSION = Number('__API_VERSION__');
  var API_TYPE = 'opencti';
  var INIT_FAILURE =
    'Failed to initialize Open CTI. Ensure that it is loaded from the right frame ' +
    'with correct URL parameters';
  var ORG_ORIGIN = /^https?:\/\/[\w\-.]+(\.force\.com|\.salesforce\.com)(:\d+)?$/;
  // Not in Salesforce: lets the demo run without host names of its own.
  var LOOPBACK_ORIGIN = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

  var ONE_OBJECT =
    'Must pass in only one object which holds arguments to this API method call.';

  var query = new URLSearchParams(location.search);
  var hostOrigin = query.get('sfdcIframeOrigin') || '';
  var isOrg = ORG_ORIGIN.test(hostOrigin) || LOOPBACK_ORIGIN.test(hostOrigin);
  if (!query.get('mode') || !isOrg || hostOrigin.split('//')[0] !== location.protocol) {
    // A string is what the org's script throws, so adapters look for one.
    throw INIT_FAILURE;
  }

  var nextCallId = 0;
  var callbacks = new Map();
  var listeners = new Map();

  function send(methodName, args, callback, listener) {
    var callId = nextCallId++;
    if (callback) {
      callbacks.set(methodName + '_' + callId, callback);
    }
    if (listener) {
      if (!listeners.has(methodName)) {
        listeners.set(methodName, []);
      }
      listeners.get(methodName).push(listener);
    }
    parent.postMessage(
      {
        methodName: methodName,
        callId: callId,
        apiVersion: API_VERSION,
        apiType: API_TYPE,
        isCallbackRegistered: Boolean(callback),
        isListenerRegistered: Boolean(listener),
        args: args,
      },
      hostOrigin
    );
  }

  window.addEventListener('message', function (event) {
    var message = event.data;
    if (event.origin !== hostOrigin || !message || message.apiType !== API_TYPE ||
        message.apiVersion !== API_VERSION) {
      return;
    }
    var key = message.methodName + '_' + message.callId;
    var callback = callbacks.get(key);
    if (callback) {
      callbacks.delete(key);
      callback(message.response);
    }
    // Every message of a listened method reaches every listener, answers included.
    (listeners.get(message.methodName) || []).slice().forEach(function (listener) {
      listener(message.response);
    });
  });

  /*
   * rules: mayBeBare (no argument at all is fine), needs ('callback' or 'listener'),
   * pick (argument object -> args on the wire).
   */
  function method(name, pick, rules) {
    rules = rules || {};
    return function (given) {
      var isBare = arguments.length === 0 && rules.mayBeBare;
      if (!isBare && (arguments.length !== 1 || given === null ||
          typeof given !== 'object' || Object.keys(given).length === 0)) {
        throw new Error(ONE_OBJECT);
      }
      var options = given || {};
      if (rules.needs && typeof options[rules.needs] !== 'function') {
        throw new Error('Missing the required argument `' + rules.needs + '`!');
      }
      send(
        name,
        pick ? pick(options) : {},
        typeof options.callback === 'function' ? options.callback : null,
        rules.needs === 'listener' ? options.listener : null
      );
    };
  }

  function only() {
    var names = Array.prototype.slice.call(arguments);
    return function (options) {
      var args = {};
      names.forEach(function (name) {
        args[name] = options[name];
      });
      return args;
    };
  }

  function logged(options) {
    if (options.value === null || typeof options.value !== 'object') {
      throw new Error('Missing the required argument `value`!');
    }
    return { object: options.value };
  }

  var bare = { mayBeBare: true };
  var asks = { needs: 'callback' };
  var listens = { needs: 'listener' };

  window.sforce = window.sforce || {};
  window.sforce.opencti = {
    SCREENPOP_TYPE: {
      URL: 'url',
      SOBJECT: 'sobject',
      OBJECTHOME: 'objecthome',
      LIST: 'list',
      SEARCH: 'search',
      NEW_RECORD_MODAL: 'newRecord',
      FLOW: 'flow',
    },
    CALL_TYPE: { INBOUND: 'inbound', OUTBOUND: 'outbound', INTERNAL: 'internal' },
    setSoftphonePanelVisibility: method('setSoftphonePanelVisibility', only('visible')),
    isSoftphonePanelVisible: method('isSoftphonePanelVisible', null, asks),
    setSoftphonePanelHeight: method('setSoftphonePanelHeight', only('heightPX')),
    setSoftphonePanelWidth: method('setSoftphonePanelWidth', only('widthPX')),
    setSoftphonePanelLabel: method('setSoftphonePanelLabel', only('label')),
    setSoftphonePanelIcon: method('setSoftphonePanelIcon', only('key')),
    setSoftphoneItemLabel: method('setSoftphoneItemLabel', only('label')),
    setSoftphoneItemIcon: method('setSoftphoneItemIcon', only('key')),
    screenPop: method('screenPop', only('type', 'params')),
    searchAndScreenPop: method(
      'searchAndScreenPop',
      only('searchParams', 'callType', 'queryParams', 'defaultFieldValues', 'deferred', 'params')
    ),
    getAppViewInfo: method('getAppViewInfo', null, asks),
    getCallCenterSettings: method('getCallCenterSettings', null, asks),
    getSoftphoneLayout: method('getSoftphoneLayout', null, asks),
    saveLog: method('saveLog', logged),
    refreshView: method('refreshView', null, bare),
    enableClickToDial: method('enableClickToDial', null, bare),
    disableClickToDial: method('disableClickToDial', null, bare),
    notifyInitializationComplete: method('notifyInitializationComplete', null, bare),
    onClickToDial: method('onClickToDial', null, listens),
    onNavigationChange: method('onNavigationChange', null, listens),
    runApex: method('runApex', only('apexClass', 'methodName', 'methodParams')),
  };
})();
