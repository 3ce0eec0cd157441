/** @import {Words} from './en.js' */

/** @type {Words} */
export const words = {
  page: {
    title: 'Appel vidéo',
    titleWith: (host) => `Appel vidéo avec ${host}`,
    host: 'Votre hôte',
    loading: 'Un instant…',
  },
  invite: {
    by: (host) => `${host} vous invite à un appel vidéo`,
    hostTime: (time, host) => `${time} pour ${host}`,
    addToCalendar: 'Ajouter à l’agenda',
    calendarFailed: 'Impossible d’obtenir le rendez-vous. Réessayez.',
    calendarSaved: 'Le rendez-vous a été téléchargé.',
    reach: (host) => `Comment joindre ${host}`,
  },
  wait: {
    opensIn: (time) => `Ouverture dans ${time}`,
    opensOn: (time) => `Ouverture\u00a0: ${time}`,
    stay: 'Laissez cette page ouverte\u00a0: la suite vient d’elle-même. En attendant, vous pouvez vérifier la caméra et le son.',
    later: 'Revenez alors avec ce même lien.',
    minutes: (count) =>
      count === 1 ? 'Vous pourrez entrer dans une minute.' : `Vous pourrez entrer dans ${count} minutes.`,
    open: 'Vous pouvez entrer maintenant.',
  },
  join: {
    name: 'Votre nom',
    nameHint: (host) => `${host} le verra lors de votre appel.`,
    nameNeeded: 'Indiquez votre nom.',
    join: 'Rejoindre',
    joining: 'Connexion…',
    withoutCamera: 'Votre caméra est éteinte\u00a0: on vous entendra sans vous voir.',
    withoutMicrophone: 'Sans micro, vous pouvez regarder et écouter, mais on ne vous entendra pas.',
    failed: 'Cela n’a pas fonctionné. Appuyez encore une fois sur «\u00a0Rejoindre\u00a0».',
    busy: 'Trop de tentatives depuis votre réseau. Attendez une minute, puis appuyez de nouveau sur «\u00a0Rejoindre\u00a0».',
  },
  check: {
    title: 'Caméra et son',
    turnOn: 'Allumer la caméra et le micro',
    turnOnText: 'Votre navigateur vous demande la permission\u00a0: choisissez «\u00a0Autoriser\u00a0». Personne ne vous voit ni ne vous entend avant que vous ne rejoigniez l’appel.',
    asking: 'Répondez à la question de votre navigateur\u00a0: choisissez «\u00a0Autoriser\u00a0».',
    starting: 'Démarrage de la caméra…',
    cameraOff: 'Votre caméra est éteinte',
    preview: 'L’image de votre caméra',
    muteMicrophone: 'Couper le micro',
    unmuteMicrophone: 'Rétablir le micro',
    stopCamera: 'Éteindre la caméra',
    startCamera: 'Allumer la caméra',
    camera: 'Caméra',
    microphone: 'Micro',
    speaker: 'Haut-parleur',
    standard: 'Celui du système',
    level: 'Niveau du micro',
    speak: 'Dites quelques mots pour tester votre micro.',
    heard: 'Votre micro fonctionne.',
    muted: 'Votre micro est coupé.',
    test: 'Tester le haut-parleur',
    tested: 'Avez-vous entendu\u00a0? Sinon, montez le volume ou choisissez un autre haut-parleur.',
    close: 'Fermer',
  },
  problem: {
    retry: 'Réessayer',
    both: {
      title: 'La caméra et le micro sont bloqués',
      text: 'Votre navigateur ne permet pas à cette page de les utiliser.',
    },
    camera: {
      denied: {
        title: 'La caméra est bloquée',
        text: 'Votre navigateur ne permet pas à cette page de l’utiliser. Vous pouvez aussi participer avec le son seul.',
      },
      no_device: {
        title: 'Aucune caméra trouvée',
        text: 'Ce n’est pas grave\u00a0: participez avec le son seul. Ou branchez une caméra\u00a0; elle sera détectée d’elle-même.',
      },
      device_busy: {
        title: 'Un autre programme utilise la caméra',
        text: 'Fermez les autres programmes et onglets vidéo, puis réessayez. Vous pouvez aussi participer avec le son seul.',
      },
      other: {
        title: 'La caméra ne peut pas être utilisée ici',
        text: 'Vous pouvez participer avec le son seul.',
      },
    },
    microphone: {
      denied: {
        title: 'Le micro est bloqué',
        text: 'Votre navigateur ne permet pas à cette page de l’utiliser. Sans lui, personne ne peut vous entendre.',
      },
      no_device: {
        title: 'Aucun micro trouvé',
        text: 'Branchez un casque ou un micro\u00a0; il sera détecté de lui-même. Sans micro, vous pouvez regarder et écouter.',
      },
      device_busy: {
        title: 'Un autre programme utilise le micro',
        text: 'Fermez les autres programmes d’appel, puis réessayez. Sans micro, vous pouvez regarder et écouter.',
      },
      other: {
        title: 'Le micro ne peut pas être utilisé ici',
        text: 'Vous pouvez tout de même regarder et écouter.',
      },
    },
    fix: {
      chrome: 'Cliquez sur l’icône à gauche de l’adresse, activez la caméra et le micro, puis cliquez sur «\u00a0Réessayer\u00a0».',
      edge: 'Cliquez sur le cadenas à gauche de l’adresse, réglez la caméra et le micro sur «\u00a0Autoriser\u00a0», puis cliquez sur «\u00a0Réessayer\u00a0».',
      firefox: 'Cliquez sur la caméra ou le micro barrés à gauche de l’adresse, levez le blocage, puis cliquez sur «\u00a0Réessayer\u00a0».',
      safari: 'Dans le menu Safari, choisissez «\u00a0Réglages pour ce site web\u00a0», réglez la caméra et le micro sur «\u00a0Autoriser\u00a0», puis cliquez sur «\u00a0Réessayer\u00a0».',
      ios: 'Touchez le bouton à côté de l’adresse, puis «\u00a0Réglages du site web\u00a0», réglez la caméra et le micro sur «\u00a0Autoriser\u00a0», puis touchez «\u00a0Réessayer\u00a0».',
      ios_other: 'Ouvrez l’app Réglages, cherchez ce navigateur, activez la caméra et le micro, puis revenez ici.',
      android: 'Touchez l’icône à gauche de l’adresse, puis «\u00a0Autorisations\u00a0», autorisez la caméra et le micro, puis touchez «\u00a0Réessayer\u00a0».',
      mac_system: 'Votre Mac les bloque\u00a0: dans Réglages Système, «\u00a0Confidentialité et sécurité\u00a0», autorisez la caméra et le micro pour ce navigateur, puis redémarrez-le.',
      windows_system: 'Windows les bloque\u00a0: dans Paramètres, «\u00a0Confidentialité et sécurité\u00a0», autorisez les applications à utiliser la caméra et le micro, puis cliquez sur «\u00a0Réessayer\u00a0».',
      other: 'Autorisez la caméra et le micro pour cette page dans les réglages de votre navigateur, puis cliquez sur «\u00a0Réessayer\u00a0».',
    },
  },
  ringing: {
    calling: (host) => `Appel de ${host}…`,
    ringing: (host) => `Ça sonne chez ${host}…`,
    stay: 'Restez sur cette page, s’il vous plaît.',
    cancel: 'Annuler',
  },
  call: {
    with: (host) => `En appel avec ${host}`,
    others: (count) => (count === 1 ? '1 autre' : `${count} autres`),
    somebody: 'Un invité',
    connecting: 'Connexion du son et de l’image…',
    restoring: 'Retour dans l’appel…',
    reconnecting: 'Reconnexion… Restez là, l’appel continue.',
    audioOnly: 'Son seul',
    hear: 'Appuyez pour entendre l’appel',
    controls: 'Commandes de l’appel',
    mute: 'Couper le micro',
    unmute: 'Rétablir le micro',
    stopCamera: 'Éteindre la caméra',
    startCamera: 'Allumer la caméra',
    settings: 'Réglages de la caméra et du son',
    fullScreen: 'Plein écran',
    exitFullScreen: 'Quitter le plein écran',
    leave: 'Quitter',
    own: 'Votre propre image. Appuyez pour la déplacer dans un autre coin.',
    microphoneOff: 'Votre micro est coupé',
    microphoneOn: 'Votre micro est activé',
    cameraOff: 'Votre caméra est éteinte',
    cameraOn: 'Votre caméra est allumée',
    noMicrophone: 'Personne ne vous entend\u00a0: il n’y a pas de micro.',
    offered: (host) => `${host} aimerait vous voir.`,
    noVideo: 'Il n’y a pas de vidéo dans cet appel pour le moment.',
    connectMicrophone: 'Connecter le micro',
    minutesLeft: (count) =>
      count === 1
        ? 'Plus qu’une minute. Ensuite l’appel se termine.'
        : `Encore ${count} minutes. Ensuite l’appel se termine.`,
    dismiss: 'Fermer ce message',
  },
  gallery: {
    others: 'Les autres dans l’appel',
    picture: (who) => `Image de ${who}`,
    enlarge: (who) => `Afficher ${who} en grand`,
    shrink: (who) => `Afficher tout le monde\u00a0; ${who} est en grand`,
    joined: (who) => `${who} a rejoint l’appel`,
    left: (who) => `${who} a quitté l’appel`,
  },
  ended: {
    again: 'Réessayer',
    rejoin: 'Rejoindre à nouveau',
    kinds: {
      left: () => ({ title: 'Vous avez quitté l’appel', text: 'Vous pouvez fermer cette page.' }),
      cancelled: (host) => ({ title: 'Vous avez cessé d’appeler', text: `${host} sait que vous étiez là.` }),
      finished: (host) => ({ title: 'L’appel est terminé', text: `${host} a raccroché. Vous pouvez fermer cette page.` }),
      time_over: () => ({ title: 'Le temps prévu pour cet appel est écoulé', text: 'Il s’est terminé comme prévu. Vous pouvez fermer cette page.' }),
      no_answer: (host) => ({
        title: `${host} n’a pas encore répondu`,
        text: `${host} sait que vous êtes là. Patientez un instant, puis réessayez.`,
      }),
      busy: (host) => ({
        title: `${host} est dans un autre appel`,
        text: `${host} sait que vous êtes là. Réessayez dans quelques minutes.`,
      }),
      declined: (host) => ({
        title: `${host} ne peut pas prendre l’appel pour le moment`,
        text: 'Réessayez dans quelques minutes.',
      }),
      unreachable: (host) => ({
        title: `${host} n’est pas joignable pour le moment`,
        text: 'Vous n’y êtes pour rien. Réessayez dans une minute.',
      }),
      no_media: () => ({
        title: 'Le son et l’image n’ont pas pu être connectés',
        text: 'Un réseau d’entreprise ou un VPN bloque peut-être les appels. Réessayez, ou passez par un autre réseau, par exemple celui de votre téléphone.',
      }),
      lost: () => ({
        title: 'La connexion a été perdue',
        text: 'L’interruption a duré trop longtemps. Rejoignez l’appel quand votre réseau sera revenu.',
      }),
      restarted: () => ({ title: 'L’appel a été coupé', text: 'Veuillez rejoindre l’appel à nouveau.' }),
      elsewhere: () => ({ title: 'L’appel est ouvert dans un autre onglet', text: 'Continuez là-bas, ou ramenez-le ici.' }),
    },
    useHere: 'Utiliser cet onglet',
  },
  notice: {
    checkAgain: 'Vérifier à nouveau',
    copyLink: 'Copier le lien',
    copied: 'Le lien a été copié.',
    retrying: 'Cette page réessaie d’elle-même.',
    kinds: {
      unsupported: () => ({
        title: 'Ce navigateur ne permet pas les appels vidéo',
        text: 'Ouvrez le lien dans une version à jour de Chrome, Edge, Firefox ou Safari.',
      }),
      insecure: () => ({
        title: 'Cette page a été ouverte sans chiffrement',
        text: 'L’adresse doit commencer par «\u00a0https\u00a0». Ouvrez de nouveau le lien depuis l’e-mail.',
      }),
      offline: () => ({
        title: 'Vous êtes hors ligne',
        text: 'Connectez-vous à internet\u00a0; cette page continuera d’elle-même.',
      }),
      unreachable: () => ({
        title: 'Le service est injoignable',
        text: 'Cela peut venir de votre réseau ou du nôtre.',
      }),
      too_many: () => ({
        title: 'Trop de tentatives',
        text: 'Il y a eu trop de tentatives depuis votre réseau. Il suffit d’attendre une minute.',
      }),
      full: () => ({
        title: 'Cet appel est complet pour le moment',
        text: 'Il ne peut pas accueillir plus de monde. Dès que quelqu’un le quitte, vous pourrez le rejoindre\u00a0: réessayez dans quelques minutes.',
      }),
      in_use: () => ({
        title: 'Ce lien est utilisé en ce moment',
        text: 'Quelqu’un participe à l’appel avec ce lien, dans un autre navigateur ou sur un autre appareil. Si c’est vous, quittez l’appel là-bas\u00a0; vous pourrez alors le rejoindre ici.',
      }),
      used_up: (host) => ({
        title: 'Ce lien a été ouvert dans trop de navigateurs',
        text: `Utilisez le navigateur ou l’appareil dans lequel vous l’avez ouvert en premier, ou demandez un nouveau lien à ${host}.`,
      }),
      over: () => ({
        title: 'Le temps prévu pour cet appel est écoulé',
        text: 'Le lien n’était valable que jusque-là.',
      }),
      cancelled: (host) => ({
        title: 'Cet appel a été annulé',
        text: `${host} l’a annulé. Vous n’avez rien à faire.`,
      }),
      revoked: (host) => ({
        title: 'Ce lien n’est plus valable',
        text: `${host} vous en a peut-être envoyé un plus récent\u00a0: cherchez le dernier e-mail.`,
      }),
      unknown: () => ({
        title: 'Ce lien ne fonctionne pas',
        text: 'Il en manque peut-être une partie. Ouvrez-le de nouveau depuis l’e-mail, ou copiez-le en entier.',
      }),
    },
  },
};
