/** @import {words as english} from '../en/notes.js' */

/** @type {typeof english} */
export const words = {
  notes: 'Notes',
  disposition: 'Qualification',
  dispositionRequired: 'Qualification (obligatoire)',
  dispositionNeeded: 'Choisissez d’abord une qualification.',
  noDisposition: 'Aucune',
  about: 'Relatif à',
  aboutLast: 'Dernière fiche ouverte',
  nextStep: 'Prochaine étape',
  stepSubject: 'Quoi',
  stepDay: 'Quand',
  savesIn: (time) => `Enregistrement dans ${time}`,
  keptOpen: 'Enregistré quand vous aurez terminé',
  keepOpen: 'Continuer à modifier',
  notYet: 'Pas encore enregistré. Un nouvel essai suivra.',
};
