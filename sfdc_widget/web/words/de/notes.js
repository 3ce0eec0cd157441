/** @import {words as english} from '../en/notes.js' */

/** @type {typeof english} */
export const words = {
  notes: 'Notizen',
  disposition: 'Gesprächsergebnis',
  dispositionRequired: 'Gesprächsergebnis (nötig)',
  dispositionNeeded: 'Wählen Sie zuerst ein Gesprächsergebnis.',
  noDisposition: 'Keines',
  about: 'Bezieht sich auf',
  aboutLast: 'Zuletzt geöffneter Datensatz',
  nextStep: 'Nächster Schritt',
  stepSubject: 'Was',
  stepDay: 'Wann',
  savesIn: (time) => `Speichert in ${time}`,
  keptOpen: 'Wird gespeichert, wenn Sie fertig sind',
  keepOpen: 'Weiter bearbeiten',
  notYet: 'Noch nicht gespeichert. Es wird erneut versucht.',
};
