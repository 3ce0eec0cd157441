/** The Ringbridge SDK: a rep's phone without any picture of it. */
export { RingbridgeClient } from './ringbridge-client.js';
export { DialCancelled } from './ringbridge-client.js';
export { ConnectionError, MicrophoneError, RequestError, SignInError } from './errors.js';
export { Microphone } from './microphone.js';
