/** @import {words as english} from '../en/video.js' */
import { plurals } from '../plurals.js';

const plural = plurals('fr');

/** @type {typeof english} */
export const words = {
  title: (who) => `${who}, appel vidéo`,
  others: (count) => plural(count, { one: `${count} autre`, other: `${count} autres` }),
  mute: 'Couper le micro',
  unmute: 'Rétablir le micro',
  cameraOn: 'Allumer la caméra',
  cameraOff: 'Éteindre la caméra',
  share: 'Partager l’écran',
  stopSharing: 'Arrêter le partage',
  devices: 'Appareils',
  camera: 'Caméra',
  pictureInPicture: 'Image dans l’image',
  fullScreen: 'Plein écran',
  leaveFullScreen: 'Quitter le plein écran',
  end: 'Raccrocher',
  controls: 'Commandes de l’appel',
  own: 'Votre image. Déplacez-la avec les flèches.',
  noPicture: (who) => `Pas d’image de ${who}`,
  noPictureOfOne: 'Pas d’image',
  waiting: (who) => `En attente de la vidéo de ${who}. Vous pouvez déjà parler.`,
  soundOnly: 'Son seul',
  audioOnly: 'Continuer avec le son seul',
  connecting: 'Connexion…',
  restoring: 'Rétablissement de l’image et du son. Restez en ligne.',
  sharing: 'Vous partagez votre écran',
  ended: 'Appel terminé',
  closing: 'Cette fenêtre se ferme d’elle-même.',
  close: 'Fermer',
  noCall: 'Il n’y a pas d’appel dans cette fenêtre.',
  noCallText: 'Ouvrez-la depuis votre téléphone, avec le bouton «\u00a0Vidéo\u00a0» d’un appel.',
  elsewhere: 'Votre téléphone est utilisé sur une autre page.',
  takeOver: 'L’utiliser ici',
  answerBare: 'Répondre sans caméra',
  goOnBare: 'Continuer sans caméra',
  answerAudio: 'Répondre avec le son seul',
  announce: {
    muted: 'Micro coupé',
    unmuted: 'Micro rétabli',
    cameraOn: 'Caméra allumée',
    cameraOff: 'Caméra éteinte',
    sharing: 'Vous partagez votre écran',
    notSharing: 'Le partage d’écran est terminé',
    theirPicture: (who) => `On voit ${who}`,
    noPicture: (who) => `On ne voit plus ${who}`,
  },
  gallery: {
    others: 'Les autres dans l’appel',
    picture: (who) => `Image de ${who}`,
    enlarge: (who) => `Afficher ${who} en grand`,
    shrink: (who) => `Afficher tout le monde\u00a0; ${who} est en grand`,
    joined: (who) => `${who} a rejoint l’appel`,
    left: (who) => `${who} a quitté l’appel`,
  },
  refused: {
    title: 'La vidéo n’est pas possible dans cet appel',
    text: 'L’appel continue avec le son.',
  },

  problem: {
    insecure: { title: 'La caméra exige une page sécurisée', text: 'Ouvrez cette page avec https://.' },
    unsupported: {
      title: 'Ce navigateur ne permet pas les appels vidéo',
      text: 'Utilisez une version actuelle de Chrome, Edge, Firefox ou Safari.',
    },
    blocked_by_policy: { title: 'La caméra n’est pas autorisée ici', text: 'Votre administrateur peut l’autoriser pour ce site.' },
    denied: {
      title: 'La caméra est bloquée dans votre navigateur',
      text: 'Ouvrez les paramètres du site à gauche de la barre d’adresse, réglez la caméra sur «\u00a0Autoriser\u00a0», puis réessayez.',
    },
    no_device: { title: 'Aucune caméra trouvée', text: 'Branchez une caméra, puis réessayez.' },
    device_busy: { title: 'La caméra ne démarre pas', text: 'Un autre programme l’utilise peut-être. Fermez-le, puis réessayez.' },
  },
};
