/** @import {words as english} from '../en/notes.js' */

/** @type {typeof english} */
export const words = {
  notes: 'Notas',
  disposition: 'Resultado',
  dispositionRequired: 'Resultado (obligatorio)',
  dispositionNeeded: 'Elija antes un resultado.',
  noDisposition: 'Ninguno',
  about: 'Relacionada con',
  aboutLast: 'El último registro abierto',
  nextStep: 'Próximo paso',
  stepSubject: 'Qué',
  stepDay: 'Cuándo',
  savesIn: (time) => `Se guarda en ${time}`,
  keptOpen: 'Se guarda cuando termine',
  keepOpen: 'Seguir editando',
  notYet: 'Aún no se ha guardado. Se volverá a intentar.',
};
