/** @import {words as english} from '../en/elsewhere.js' */

/** @type {typeof english} */
export const words = {
  elsewhere: {
    title: 'In einem anderen Tab geöffnet',
    text: 'Ihr Telefon wird in einem anderen Tab oder Fenster verwendet. Anrufe klingeln dort.',
    takeOver: 'Hier verwenden',
    windowTitle: 'Ihr Gespräch ist im Videofenster',
    windowText: 'Anrufe klingeln dort. Schließen Sie es, dann ist das Telefon wieder hier.',
    windowGone: 'Das Fenster wurde nicht gefunden. Holen Sie das Gespräch stattdessen hierher zurück.',
    idle: 'Ihr Telefon ist in einem anderen Tab. Anrufe klingeln dort.',
    ringing: 'Es klingelt in einem anderen Tab. Nehmen Sie an, dann ist das Gespräch hier.',
    inCall: 'Sie sprechen in einem anderen Tab.',
    move: 'Gespräch hierher holen',
  },
};
