import { Capture } from './capture.js';
import { MicrophoneError } from './errors.js';

/**
 * The rep's microphone: one capture, shared by calls through clones of its track.
 *
 * It is open only while a call needs it, so that the browser's recording sign is
 * off between calls and while the phone merely rings. Throws `MicrophoneError`.
 */
export class Microphone extends Capture {
  constructor() {
    super({
      kind: 'audio',
      constraints: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
      fail: (problem, text) => new MicrophoneError(problem, text),
    });
  }

  /** @returns {Promise<{microphones: MediaDeviceInfo[], speakers: MediaDeviceInfo[]}>} */
  static async devices() {
    const all = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    return {
      microphones: all.filter(({ kind, label }) => kind === 'audioinput' && label),
      speakers: all.filter(({ kind, label }) => kind === 'audiooutput' && label),
    };
  }
}
