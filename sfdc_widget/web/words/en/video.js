/** What the window of a call says; loaded with it. */

/** @import {DeviceProblem} from '../../client/errors.js' */
/** @import {Advice} from './problems.js' */
/** @import {GalleryWords} from '../../video/gallery.js' */
import { plurals } from '../plurals.js';

const plural = plurals('en');

export const words = {
  title: (/** @type {string} */ who) => `${who}, video call`,
  others: (/** @type {number} */ count) => plural(count, { one: '1 other', other: `${count} others` }),
  mute: 'Mute',
  unmute: 'Unmute',
  cameraOn: 'Turn camera on',
  cameraOff: 'Turn camera off',
  share: 'Share screen',
  stopSharing: 'Stop sharing',
  devices: 'Devices',
  camera: 'Camera',
  pictureInPicture: 'Picture in picture',
  fullScreen: 'Full screen',
  leaveFullScreen: 'Leave full screen',
  end: 'End call',
  controls: 'Call controls',
  own: 'Your picture. Move it with the arrow keys.',
  noPicture: (/** @type {string} */ who) => `No picture from ${who}`,
  noPictureOfOne: 'No picture',
  waiting: (/** @type {string} */ who) => `Waiting for ${who} to turn on video. You can talk meanwhile.`,
  soundOnly: 'Sound only',
  audioOnly: 'Go on with sound only',
  connecting: 'Connecting…',
  restoring: 'Bringing picture and sound back. Stay on the line.',
  sharing: 'You are sharing your screen',
  ended: 'Call ended',
  closing: 'This window closes by itself.',
  close: 'Close',
  noCall: 'There is no call in this window.',
  noCallText: 'Open it from your phone, by the Video button of a call.',
  elsewhere: 'Your phone is in use on another page.',
  takeOver: 'Use it here',
  answerBare: 'Answer without camera',
  goOnBare: 'Go on without camera',
  answerAudio: 'Answer with audio only',
  announce: {
    muted: 'Microphone muted',
    unmuted: 'Microphone on',
    cameraOn: 'Camera on',
    cameraOff: 'Camera off',
    sharing: 'You are sharing your screen',
    notSharing: 'Screen sharing has ended',
    theirPicture: (/** @type {string} */ who) => `${who} can be seen`,
    noPicture: (/** @type {string} */ who) => `${who} cannot be seen any more`,
  },
  /** @type {GalleryWords} */
  gallery: {
    others: 'Others in the call',
    picture: (who) => `Picture of ${who}`,
    enlarge: (who) => `Make ${who} big`,
    shrink: (who) => `Show everybody; ${who} is big`,
    joined: (who) => `${who} has joined`,
    left: (who) => `${who} has left`,
  },
  refused: {
    title: 'Video is not possible in this call',
    text: 'The call goes on with sound.',
  },

  /** @type {Record<DeviceProblem, Advice>} */
  problem: {
    insecure: { title: 'The camera needs a secure page', text: 'Open this page with https://.' },
    unsupported: {
      title: 'This browser cannot make video calls',
      text: 'Use a current Chrome, Edge, Firefox or Safari.',
    },
    blocked_by_policy: {
      title: 'The camera is not allowed here',
      text: 'Your administrator can allow it for this site.',
    },
    denied: {
      title: 'The camera is blocked in your browser',
      text: 'Open the site settings at the left of the address bar, set Camera to Allow, then try again.',
    },
    no_device: { title: 'No camera found', text: 'Connect a camera, then try again.' },
    device_busy: {
      title: 'The camera does not start',
      text: 'Another program may be using it. Close it, then try again.',
    },
  },
};
