/**
 * What the page says, in English. The other languages are objects of this shape.
 *
 * `host` is who invited; times and dates come ready to read.
 */

/**
 * @typedef {object} Advice What happened; what it means and what to do.
 * @property {string} title
 * @property {string} text
 *
 * @typedef {typeof words} Words
 */

export const words = {
  page: {
    title: 'Video call',
    titleWith: (/** @type {string} */ host) => `Video call with ${host}`,
    host: 'Your host',
    loading: 'One moment…',
  },
  invite: {
    by: (/** @type {string} */ host) => `${host} invites you to a video call`,
    hostTime: (/** @type {string} */ time, /** @type {string} */ host) => `${time} for ${host}`,
    addToCalendar: 'Add to calendar',
    calendarFailed: 'The calendar entry could not be fetched. Try again.',
    calendarSaved: 'The calendar entry has been downloaded.',
    reach: (/** @type {string} */ host) => `How to reach ${host}`,
  },
  wait: {
    opensIn: (/** @type {string} */ time) => `Opens in ${time}`,
    opensOn: (/** @type {string} */ time) => `Opens ${time}`,
    stay: 'Leave this page open: it opens by itself. Meanwhile you can check camera and sound.',
    later: 'You can come back to this link then.',
    minutes: (/** @type {number} */ count) =>
      count === 1 ? 'You can join in one minute.' : `You can join in ${count} minutes.`,
    open: 'You can join now.',
  },
  join: {
    name: 'Your name',
    nameHint: (/** @type {string} */ host) => `${host} sees it when you call.`,
    nameNeeded: 'Enter your name.',
    join: 'Join',
    joining: 'Joining…',
    withoutCamera: 'Your camera is off: you will be heard, not seen.',
    withoutMicrophone: 'Without a microphone you can watch and listen, but not be heard.',
    failed: 'That did not work. Press “Join” once more.',
    busy: 'Too many tries from your network. Wait a minute, then press “Join” again.',
  },
  check: {
    title: 'Camera and sound',
    turnOn: 'Turn on camera and microphone',
    turnOnText: 'Your browser asks for permission: choose “Allow”. Nobody sees or hears you before you join.',
    asking: 'Answer your browser’s question: choose “Allow”.',
    starting: 'Starting the camera…',
    cameraOff: 'Your camera is off',
    preview: 'Your camera picture',
    muteMicrophone: 'Turn microphone off',
    unmuteMicrophone: 'Turn microphone on',
    stopCamera: 'Turn camera off',
    startCamera: 'Turn camera on',
    camera: 'Camera',
    microphone: 'Microphone',
    speaker: 'Speaker',
    standard: 'System default',
    level: 'Microphone level',
    speak: 'Say a few words to test your microphone.',
    heard: 'Your microphone works.',
    muted: 'Your microphone is off.',
    test: 'Test the speaker',
    tested: 'Did you hear it? If not, turn up the volume or choose another speaker.',
    close: 'Close',
  },
  problem: {
    retry: 'Try again',
    both: {
      title: 'Camera and microphone are blocked',
      text: 'Your browser does not let this page use them.',
    },
    /** @type {Record<string, Advice>} */
    camera: {
      denied: {
        title: 'The camera is blocked',
        text: 'Your browser does not let this page use it. You can also join with sound only.',
      },
      no_device: {
        title: 'No camera found',
        text: 'That is fine: join with sound only. Or connect a camera; it is noticed by itself.',
      },
      device_busy: {
        title: 'The camera is in use by another program',
        text: 'Close other video programs and tabs, then try again. You can also join with sound only.',
      },
      other: {
        title: 'The camera cannot be used here',
        text: 'You can join with sound only.',
      },
    },
    /** @type {Record<string, Advice>} */
    microphone: {
      denied: {
        title: 'The microphone is blocked',
        text: 'Your browser does not let this page use it. Without it nobody can hear you.',
      },
      no_device: {
        title: 'No microphone found',
        text: 'Connect a headset or a microphone; it is noticed by itself. Without one you can watch and listen.',
      },
      device_busy: {
        title: 'The microphone is in use by another program',
        text: 'Close other programs that make calls, then try again. Without it you can watch and listen.',
      },
      other: {
        title: 'The microphone cannot be used here',
        text: 'You can still watch and listen.',
      },
    },
    /** @type {Record<string, string>} */
    fix: {
      chrome: 'Click the icon to the left of the address, switch on camera and microphone, then press “Try again”.',
      edge: 'Click the lock to the left of the address, set camera and microphone to “Allow”, then press “Try again”.',
      firefox: 'Click the crossed-out camera or microphone to the left of the address, remove the block, then press “Try again”.',
      safari: 'In the menu choose Safari, then “Settings for This Website”, set camera and microphone to “Allow”, then press “Try again”.',
      ios: 'Tap the button beside the address, then “Website Settings”, set camera and microphone to “Allow”, then tap “Try again”.',
      ios_other: 'Open the Settings app, find this browser, switch on camera and microphone, then come back here.',
      android: 'Tap the icon to the left of the address, then “Permissions”, allow camera and microphone, then tap “Try again”.',
      mac_system: 'Your Mac blocks it: open System Settings, “Privacy & Security”, allow camera and microphone for this browser, then restart the browser.',
      windows_system: 'Windows blocks it: open Settings, “Privacy & security”, let apps use the camera and the microphone, then press “Try again”.',
      other: 'Allow camera and microphone for this page in your browser’s settings, then press “Try again”.',
    },
  },
  ringing: {
    calling: (/** @type {string} */ host) => `Calling ${host}…`,
    ringing: (/** @type {string} */ host) => `Ringing ${host}…`,
    stay: 'Please stay on this page.',
    cancel: 'Cancel',
  },
  call: {
    with: (/** @type {string} */ host) => `In the call with ${host}`,
    others: (/** @type {number} */ count) => (count === 1 ? '1 other' : `${count} others`),
    somebody: 'A guest',
    connecting: 'Connecting sound and picture…',
    restoring: 'Bringing you back into the call…',
    reconnecting: 'Reconnecting… Stay here, the call goes on.',
    audioOnly: 'Sound only',
    hear: 'Press to hear the call',
    controls: 'Call controls',
    mute: 'Turn microphone off',
    unmute: 'Turn microphone on',
    stopCamera: 'Turn camera off',
    startCamera: 'Turn camera on',
    settings: 'Camera and sound settings',
    fullScreen: 'Full screen',
    exitFullScreen: 'Leave full screen',
    leave: 'Leave',
    own: 'Your own picture. Press to move it to another corner.',
    microphoneOff: 'Your microphone is off',
    microphoneOn: 'Your microphone is on',
    cameraOff: 'Your camera is off',
    cameraOn: 'Your camera is on',
    noMicrophone: 'Nobody hears you: there is no microphone.',
    offered: (/** @type {string} */ host) => `${host} would like to see you.`,
    noVideo: 'There is no video in this call at the moment.',
    connectMicrophone: 'Connect microphone',
    minutesLeft: (/** @type {number} */ count) =>
      count === 1
        ? 'One minute left. Then the call ends.'
        : `${count} minutes left. Then the call ends.`,
    dismiss: 'Close this message',
  },
  gallery: {
    others: 'Others in the call',
    picture: (/** @type {string} */ who) => `Picture of ${who}`,
    enlarge: (/** @type {string} */ who) => `Make ${who} big`,
    shrink: (/** @type {string} */ who) => `Show everybody; ${who} is big`,
    joined: (/** @type {string} */ who) => `${who} has joined`,
    left: (/** @type {string} */ who) => `${who} has left`,
  },
  ended: {
    again: 'Try again',
    rejoin: 'Rejoin',
    /** @type {Record<string, (host: string) => Advice>} */
    kinds: {
      left: () => ({ title: 'You have left the call', text: 'You can close this page.' }),
      cancelled: (host) => ({ title: 'You have stopped calling', text: `${host} has been told that you were here.` }),
      finished: (host) => ({ title: 'The call has ended', text: `${host} has hung up. You can close this page.` }),
      time_over: () => ({ title: 'The time of this call is over', text: 'It has ended as planned. You can close this page.' }),
      no_answer: (host) => ({
        title: `${host} has not answered yet`,
        text: `${host} has been told that you are here. Give it a moment, then try again.`,
      }),
      busy: (host) => ({
        title: `${host} is in another call`,
        text: `${host} has been told that you are here. Try again in a few minutes.`,
      }),
      declined: (host) => ({
        title: `${host} cannot take the call right now`,
        text: 'Try again in a few minutes.',
      }),
      unreachable: (host) => ({
        title: `${host} cannot be reached right now`,
        text: 'It is not your fault. Try again in a minute.',
      }),
      no_media: () => ({
        title: 'Sound and picture could not be connected',
        text: 'A company network or VPN may block calls. Try again, or use another network, such as your phone’s.',
      }),
      lost: () => ({
        title: 'The connection was lost',
        text: 'It was gone for too long. Rejoin when your network is back.',
      }),
      restarted: () => ({ title: 'The call was cut off', text: 'Please join again.' }),
      elsewhere: () => ({ title: 'The call is open in another tab', text: 'Go on there, or bring it here.' }),
    },
    useHere: 'Use this tab',
  },
  notice: {
    checkAgain: 'Check again',
    copyLink: 'Copy the link',
    copied: 'The link has been copied.',
    retrying: 'This page tries again by itself.',
    /** @type {Record<string, (host: string) => Advice>} */
    kinds: {
      unsupported: () => ({
        title: 'This browser cannot make video calls',
        text: 'Open the link in an up-to-date Chrome, Edge, Firefox or Safari.',
      }),
      insecure: () => ({
        title: 'This page was opened without encryption',
        text: 'The address must begin with “https”. Open the link from the e-mail again.',
      }),
      offline: () => ({
        title: 'You are offline',
        text: 'Connect to the internet; this page goes on by itself.',
      }),
      unreachable: () => ({
        title: 'The service cannot be reached',
        text: 'It may be your network or ours.',
      }),
      too_many: () => ({
        title: 'Too many tries',
        text: 'There were too many tries from your network. It is enough to wait a minute.',
      }),
      full: () => ({
        title: 'This call is full right now',
        text: 'As many people as can be are in it already. When one of them leaves you can join: try again in a few minutes.',
      }),
      in_use: () => ({
        title: 'This link is in use right now',
        text: 'Somebody is in the call by it, in another browser or on another device. If that is you, leave the call there; then you can join here.',
      }),
      used_up: (host) => ({
        title: 'This link was opened in too many browsers',
        text: `Use the browser or device in which you opened it first, or ask ${host} for a new link.`,
      }),
      over: () => ({
        title: 'The time of this call is over',
        text: 'The link worked until then only.',
      }),
      cancelled: (host) => ({
        title: 'This call was cancelled',
        text: `${host} cancelled it. You need not do anything.`,
      }),
      revoked: (host) => ({
        title: 'This link is no longer valid',
        text: `${host} may have sent you a newer one: look for the latest e-mail.`,
      }),
      unknown: () => ({
        title: 'This link does not work',
        text: 'Perhaps a part of it is missing. Open it from the e-mail again, or copy all of it.',
      }),
    },
  },
};
