/** What the notes of a call say; loaded with them. */
export const words = {
  notes: 'Notes',
  disposition: 'Disposition',
  dispositionRequired: 'Disposition (needed)',
  dispositionNeeded: 'Choose a disposition first.',
  noDisposition: 'None',
  about: 'Related to',
  aboutLast: 'Last record opened',
  nextStep: 'Next step',
  stepSubject: 'What',
  stepDay: 'When',
  savesIn: (/** @type {string} */ time) => `Saves in ${time}`,
  keptOpen: 'Saves when you are done',
  keepOpen: 'Keep editing',
  notYet: 'Not saved yet. It will be tried again.',
};
