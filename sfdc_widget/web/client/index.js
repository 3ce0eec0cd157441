/** The Ringbridge SDK: a rep's phone without any picture of it. */
export { RingbridgeClient } from './ringbridge-client.js';
export { DialCancelled } from './ringbridge-client.js';
export {
  CameraError,
  ConnectionError,
  MicrophoneError,
  RequestError,
  SignInError,
  VideoRefused,
} from './errors.js';
export { Camera, canShareScreen } from './camera.js';
export { Microphone } from './microphone.js';
export { endsSoonAt } from './call-facts.js';
export { background, consultation, focused, together, waiting } from './focus.js';

/** @typedef {import('./remotes.js').Remote} Remote */
