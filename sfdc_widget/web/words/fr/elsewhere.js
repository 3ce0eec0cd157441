/** @import {words as english} from '../en/elsewhere.js' */

/** @type {typeof english} */
export const words = {
  elsewhere: {
    title: 'Ouvert dans un autre onglet',
    text: 'Votre téléphone est utilisé dans un autre onglet ou une autre fenêtre. Les appels y sonnent.',
    takeOver: 'L’utiliser ici',
    windowTitle: 'Votre appel est dans la fenêtre vidéo',
    windowText: 'Les appels y sonnent. Fermez-la, et le téléphone revient ici.',
    windowGone: 'La fenêtre est introuvable. Ramenez plutôt l’appel ici.',
    idle: 'Votre téléphone est dans un autre onglet. Les appels y sonnent.',
    ringing: 'Ça sonne dans un autre onglet. Répondez, et l’appel passe ici.',
    inCall: 'Vous parlez dans un autre onglet.',
    move: 'Amener l’appel ici',
  },
};
