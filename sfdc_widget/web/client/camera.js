import { Capture } from './capture.js';
import { CameraError } from './errors.js';

/**
 * The camera. Like the microphone it is open only while it is shown to somebody, so
 * that its light is off otherwise. Throws `CameraError`.
 */
export class Camera extends Capture {
  constructor() {
    super({
      kind: 'video',
      constraints: {
        width: { ideal: 1280 },
        height: { ideal: 720 },
        frameRate: { ideal: 30, max: 30 },
        facingMode: { ideal: 'user' },
      },
      fail: (problem, text) => new CameraError(problem, text),
    });
  }
}

/** Whether this browser can share a screen at all; phones cannot. */
export function canShareScreen() {
  return Boolean(navigator.mediaDevices && 'getDisplayMedia' in navigator.mediaDevices);
}
