// Put into every frame before its own scripts, after ears.js: see browser.py.
'use strict';
(() => {
  if (globalThis.ringbridgeEyes || !globalThis.ringbridgeEars) return;
  let watched = new Map();
  // Of these tracks from now on, and of no others.
  function elements(live) {
    watched = new Map(live.map((track) => [track, watched.get(track) ?? element(track)]));
    return [...watched.values()];
  }
  function element(track) {
    const video = document.createElement('video');
    video.muted = true;
    video.srcObject = new MediaStream([track]);
    video.play().catch(() => {});
    return video;
  }
  // Brightness in the middle of each cell of a picture, row by row; null: there is none.
  function cellsOf(video, grid) {
    if (video.readyState < 2 || !video.videoWidth) return null;
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    const context = canvas.getContext('2d', {willReadFrequently: true});
    context.drawImage(video, 0, 0);
    const cells = [];
    for (let row = 0; row < grid; row += 1) {
      for (let column = 0; column < grid; column += 1) {
        const x = Math.floor((column + 0.5) * canvas.width / grid);
        const y = Math.floor((row + 0.5) * canvas.height / grid);
        const [red, green, blue] = context.getImageData(x, y, 1, 1).data;
        cells.push(Math.round((red + green + blue) / 3));
      }
    }
    return cells;
  }
  globalThis.ringbridgeEyes = {
    // The newest remote picture.
    look(grid) {
      const [video] = elements(ringbridgeEars.videoTracks().slice(-1));
      return video ? cellsOf(video, grid) : null;
    },
    // Each remote picture there is.
    lookAtAll(grid) {
      return elements(ringbridgeEars.videoTracks())
        .map((video) => cellsOf(video, grid)).filter((cells) => cells !== null);
    },
  };
})();
