/**
 * Which browser this is, as far as the words for its settings differ.
 *
 * @typedef {'chrome'|'edge'|'firefox'|'safari'|'ios'|'ios_other'|'android'|'other'} Platform
 */

/**
 * @param {string} userAgent
 * @param {number} touchPoints an iPad calls itself a Mac
 * @returns {Platform}
 */
export function platformOf(userAgent, touchPoints = 0) {
  const isTablet = /Macintosh/u.test(userAgent) && touchPoints > 1;
  if (/iPhone|iPad|iPod/u.test(userAgent) || isTablet) {
    return /CriOS|FxiOS|EdgiOS|OPiOS|DuckDuckGo/u.test(userAgent) ? 'ios_other' : 'ios';
  }
  if (/Android/u.test(userAgent)) return 'android';
  if (/Edg\//u.test(userAgent)) return 'edge';
  if (/Firefox\//u.test(userAgent)) return 'firefox';
  if (/Chrome\/|Chromium\//u.test(userAgent)) return 'chrome';
  if (/Safari\//u.test(userAgent)) return 'safari';
  return 'other';
}

/**
 * Where to look when a device is blocked: the browser's own settings, or those of
 * the system, which the browser's message then names.
 *
 * @param {string} message
 * @param {string} userAgent
 * @param {number} [touchPoints]
 * @returns {string} a key of `words.problem.fix`
 */
export function fixFor(message, userAgent, touchPoints) {
  const platform = platformOf(userAgent, touchPoints);
  if (/by system/iu.test(message)) {
    if (/Macintosh/u.test(userAgent)) return 'mac_system';
    if (/Windows/u.test(userAgent)) return 'windows_system';
  }
  return platform;
}

/** Why this browser will not do, or null. @returns {'insecure'|'unsupported'|null} */
export function unfitness() {
  if (!globalThis.isSecureContext) return 'insecure';
  const isFit =
    'RTCPeerConnection' in globalThis &&
    'WebSocket' in globalThis &&
    'addTransceiver' in RTCPeerConnection.prototype &&
    Boolean(navigator.mediaDevices?.getUserMedia);
  return isFit ? null : 'unsupported';
}
