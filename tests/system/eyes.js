// Put into every frame before its own scripts, after ears.js: see browser.py.
'use strict';
(() => {
  if (globalThis.ringbridgeEyes || !globalThis.ringbridgeEars) return;
  let watched = null;
  function element(track) {
    if (watched?.track === track) return watched.video;
    const video = document.createElement('video');
    video.muted = true;
    video.srcObject = new MediaStream([track]);
    video.play().catch(() => {});
    watched = {track, video};
    return video;
  }
  globalThis.ringbridgeEyes = {
    // Brightness in the middle of each cell of the newest remote picture, row by row;
    // null while there is none.
    look(grid) {
      const live = ringbridgeEars.videoTracks();
      if (!live.length) return null;
      const video = element(live[live.length - 1]);
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
    },
  };
})();
