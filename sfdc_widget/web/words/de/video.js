/** @import {words as english} from '../en/video.js' */
import { plurals } from '../plurals.js';

const plural = plurals('de');

/** @type {typeof english} */
export const words = {
  title: (who) => `${who}, Videogespräch`,
  others: (count) => plural(count, { one: '1 weitere Person', other: `${count} weitere` }),
  mute: 'Stummschalten',
  unmute: 'Stummschaltung aufheben',
  cameraOn: 'Kamera einschalten',
  cameraOff: 'Kamera ausschalten',
  share: 'Bildschirm teilen',
  stopSharing: 'Teilen beenden',
  devices: 'Geräte',
  camera: 'Kamera',
  pictureInPicture: 'Bild im Bild',
  fullScreen: 'Vollbild',
  leaveFullScreen: 'Vollbild beenden',
  end: 'Auflegen',
  controls: 'Gesprächssteuerung',
  own: 'Ihr Bild. Mit den Pfeiltasten verschieben.',
  noPicture: (who) => `Kein Bild von ${who}`,
  noPictureOfOne: 'Kein Bild',
  waiting: (who) => `Warten, bis ${who} Video einschaltet. Sprechen können Sie schon.`,
  soundOnly: 'Nur Ton',
  audioOnly: 'Nur mit Ton weiter',
  connecting: 'Wird verbunden …',
  restoring: 'Bild und Ton werden wiederhergestellt. Bleiben Sie dran.',
  sharing: 'Sie teilen Ihren Bildschirm',
  ended: 'Gespräch beendet',
  closing: 'Dieses Fenster schließt sich von selbst.',
  close: 'Schließen',
  noCall: 'In diesem Fenster ist kein Gespräch.',
  noCallText: 'Öffnen Sie es am Telefon mit der Taste „Video“ eines Gesprächs.',
  elsewhere: 'Ihr Telefon wird auf einer anderen Seite verwendet.',
  takeOver: 'Hier verwenden',
  answerBare: 'Ohne Kamera annehmen',
  goOnBare: 'Ohne Kamera weiter',
  answerAudio: 'Nur mit Ton annehmen',
  announce: {
    muted: 'Mikrofon stummgeschaltet',
    unmuted: 'Mikrofon eingeschaltet',
    cameraOn: 'Kamera eingeschaltet',
    cameraOff: 'Kamera ausgeschaltet',
    sharing: 'Sie teilen Ihren Bildschirm',
    notSharing: 'Die Bildschirmfreigabe ist beendet',
    theirPicture: (who) => `${who} ist zu sehen`,
    noPicture: (who) => `${who} ist nicht mehr zu sehen`,
  },
  gallery: {
    others: 'Die anderen im Gespräch',
    picture: (who) => `Bild von ${who}`,
    enlarge: (who) => `${who} groß zeigen`,
    shrink: (who) => `Alle zeigen; ${who} ist groß`,
    joined: (who) => `${who} nimmt jetzt teil`,
    left: (who) => `${who} hat das Gespräch verlassen`,
  },
  refused: {
    title: 'In diesem Gespräch ist kein Video möglich',
    text: 'Das Gespräch geht mit Ton weiter.',
  },

  problem: {
    insecure: { title: 'Die Kamera braucht eine sichere Seite', text: 'Öffnen Sie diese Seite mit https://.' },
    unsupported: {
      title: 'Dieser Browser kann keine Videogespräche führen',
      text: 'Verwenden Sie einen aktuellen Chrome, Edge, Firefox oder Safari.',
    },
    blocked_by_policy: { title: 'Die Kamera ist hier nicht erlaubt', text: 'Ihr Administrator kann sie für diese Website zulassen.' },
    denied: {
      title: 'Die Kamera ist in Ihrem Browser blockiert',
      text: 'Öffnen Sie links in der Adressleiste die Website-Einstellungen, stellen Sie die Kamera auf „Zulassen“ und versuchen Sie es noch einmal.',
    },
    no_device: { title: 'Keine Kamera gefunden', text: 'Schließen Sie eine Kamera an und versuchen Sie es noch einmal.' },
    device_busy: { title: 'Die Kamera startet nicht', text: 'Vielleicht verwendet sie ein anderes Programm. Schließen Sie dieses und versuchen Sie es noch einmal.' },
  },
};
