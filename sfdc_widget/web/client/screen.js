/** What is shown in the camera's place: a screen, or black. */
import { CameraError } from './errors.js';

/**
 * Asks which screen, window or tab; call it from a click.
 *
 * @returns {Promise<MediaStreamTrack|null>} null: the user changed their mind
 * @throws {CameraError}
 */
export async function chooseScreen() {
  try {
    const stream = await navigator.mediaDevices.getDisplayMedia({
      video: { frameRate: { ideal: 15, max: 30 } },
      audio: false,
    });
    const track = stream.getVideoTracks()[0] ?? null;
    if (track) track.contentHint = 'detail';
    return track;
  } catch (error) {
    const name = error instanceof DOMException ? error.name : '';
    if (name === 'NotAllowedError' && !/policy|activation|gesture/i.test(String(error))) return null;
    throw new CameraError(name === 'NotFoundError' ? 'no_device' : 'blocked_by_policy', String(error));
  }
}

const BLACK_EVERY_MS = 1_000;

/**
 * What is sent while the camera is off: black, where nothing at all would leave the
 * last picture standing at the far end. Stopping the track ends it.
 *
 * @returns {MediaStreamTrack|null} null where the browser cannot
 */
export function blackTrack() {
  const canvas = document.createElement('canvas');
  canvas.width = 320;
  canvas.height = 180;
  const context = canvas.getContext('2d');
  const track = canvas.captureStream?.().getVideoTracks()[0];
  if (!context || !track) return null;
  const paint = () => {
    if (track.readyState === 'ended') clearInterval(timer);
    else context.fillRect(0, 0, canvas.width, canvas.height);
  };
  // A picture now and then, so that a far end that asks for a full one gets it.
  const timer = setInterval(paint, BLACK_EVERY_MS);
  paint();
  return track;
}
