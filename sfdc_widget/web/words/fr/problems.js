/** @import {words as english} from '../en/problems.js' */

/** @type {typeof english} */
export const words = {
  endReason: {
    hung_up_here: { title: 'Vous avez raccroché', text: '' },
    hung_up_there: { title: 'Votre correspondant a raccroché', text: '' },
    cancelled_here: { title: 'Vous avez annulé l’appel', text: '' },
    missed: { title: 'Appel manqué', text: 'Personne n’a répondu avant que l’appelant renonce.' },
    declined_here: { title: 'Vous avez refusé l’appel', text: '' },
    answered_elsewhere: { title: 'Pris sur un autre appareil', text: 'L’appel continue là-bas.' },
    declined_elsewhere: { title: 'Refusé sur un autre appareil', text: '' },
    busy: { title: 'La ligne est occupée', text: 'Votre correspondant est déjà en ligne. Réessayez dans quelques minutes.' },
    declined_there: { title: 'L’appel a été refusé', text: '' },
    no_answer: { title: 'Pas de réponse', text: 'Ça a sonné, mais personne n’a décroché.' },
    unknown_number: { title: 'Ce numéro n’existe pas', text: 'Vérifiez les chiffres et l’indicatif du pays.' },
    unreachable: {
      title: 'Ce téléphone est injoignable',
      text: 'Il est peut-être éteint ou hors réseau. Réessayez plus tard, ou appelez un autre numéro.',
    },
    not_allowed: {
      title: 'Vous ne pouvez pas appeler ce numéro',
      text: 'Votre entreprise ne l’autorise pas. Demandez-le à votre administrateur si vous en avez besoin.',
    },
    no_common_codec: { title: 'Les téléphones n’ont aucun format audio commun', text: 'Envoyez la référence à votre administrateur.' },
    server_unavailable: {
      title: 'Le système téléphonique ne répond pas',
      text: 'Réessayez dans une minute. Si cela dure, prévenez votre administrateur.',
    },
    client_lost: {
      title: 'La connexion avec cette page a été perdue',
      text: 'L’appel a pris fin parce que la page n’est pas revenue à temps.',
    },
    media_failed: {
      title: 'Le son n’a pas pu être connecté',
      text: 'Un pare-feu ou un VPN le bloque peut-être. Réessayez, ou depuis un autre réseau.',
    },
    gateway_restarted: { title: 'Le service téléphonique a redémarré', text: 'L’appel a été coupé. Rappelez.' },
    invite_over: { title: 'Le temps de l’invitation est écoulé', text: 'La réunion s’est terminée comme prévu.' },
    transferred: { title: 'Appel transféré', text: 'Ils parlent maintenant sans vous.' },
    do_not_disturb: { title: 'Non transmis', text: 'Vous étiez sur «\u00a0Ne pas déranger\u00a0».' },
    failed: { title: 'L’appel a échoué', text: 'Réessayez. Si cela dure, envoyez la référence à votre administrateur.' },
  },

  registrationProblem: {
    wrong_password: {
      title: 'Le mot de passe de votre téléphone n’est pas accepté',
      text: 'Les appels ne vous parviennent pas ici. Demandez à votre administrateur de corriger le mot de passe du téléphone, puis réessayez. Il n’y a pas d’essai automatique, pour ne pas bloquer votre compte.',
    },
    refused: {
      title: 'Le système téléphonique refuse votre compte',
      text: 'Les appels ne vous parviennent pas ici. Demandez à votre administrateur de vérifier que votre compte téléphonique est actif.',
    },
    unreachable: {
      title: 'Le système téléphonique est injoignable',
      text: 'Les appels ne vous parviennent pas ici. Un nouvel essai se fait tout seul\u00a0; vos autres téléphones fonctionnent peut-être.',
    },
    unavailable: {
      title: 'Le système téléphonique n’est pas disponible',
      text: 'Les appels ne vous parviennent pas ici pour le moment. Un nouvel essai se fait tout seul.',
    },
  },

  error: {
    'auth.expired': { title: 'Votre session a expiré', text: 'Connectez-vous de nouveau.' },
    'auth.denied': { title: 'La connexion a été refusée', text: 'Demandez l’accès à votre administrateur.' },
    'session.unknown': { title: 'La session est terminée', text: 'Rechargez la page.' },
    'session.observer': { title: 'Le téléphone est dans un autre onglet', text: 'Amenez-le d’abord ici.' },
    'session.superseded': { title: 'Ouvert dans un autre onglet', text: 'Reprenez le téléphone ici, ou utilisez l’autre onglet.' },
    'call.unknown': { title: 'Cet appel est terminé', text: '' },
    'call.wrong_state': { title: 'Impossible maintenant', text: 'L’appel a changé d’état entre-temps.' },
    'call.limit': { title: 'Trop d’appels à la fois', text: 'Terminez d’abord un appel.' },
    'number.invalid': { title: 'Ce n’est pas un numéro de téléphone', text: 'Saisissez des chiffres, ou commencez par + et l’indicatif du pays.' },
    'codec.none': { title: 'Aucun format audio commun', text: 'Utilisez une version actuelle de votre navigateur.' },
    'media.bad_sdp': { title: 'Le son n’a pas pu être préparé', text: 'Rechargez la page et réessayez.' },
    'media.unavailable': {
      title: 'Le service téléphonique n’a plus de ligne audio libre',
      text: 'Réessayez dans une minute. Si cela dure, prévenez votre administrateur.',
    },
    'registrar.down': { title: 'Le système téléphonique est injoignable', text: 'Réessayez dans une minute, ou utilisez un autre téléphone.' },
    'crm.unavailable': { title: 'Le CRM ne répond pas', text: 'Vos appels ne sont pas touchés. Réessayez dans une minute.' },
    'crm.limit': { title: 'Le quota du CRM est presque épuisé pour aujourd’hui', text: 'Les appels et leur historique continuent\u00a0; les recherches attendent qu’il se libère.' },
    'crm.refused': { title: 'Le CRM ne l’a pas accepté', text: 'Vérifiez les champs, ou utilisez le formulaire du CRM.' },
    'crm.duplicate': { title: 'Ce contact existe peut-être déjà', text: 'Utilisez l’une des fiches ci-dessous.' },
    'invite.unknown': { title: 'Cette invitation n’existe plus', text: 'Rouvrez la liste des invitations.' },
    'invite.invalid': { title: 'L’invitation n’est pas complète', text: 'Voyez ce qui est signalé.' },
    'invite.closed': { title: 'Cette invitation est terminée', text: 'Créez-en une nouvelle.' },
    'policy.denied': { title: 'Ce n’est pas autorisé', text: 'Demandez-le à votre administrateur si vous en avez besoin.' },
    'op.conflict': { title: 'La demande a été envoyée deux fois', text: 'Réessayez.' },
    'rate.limited': { title: 'Trop de demandes', text: 'Attendez un instant, puis réessayez.' },
    drain: { title: 'Le service téléphonique va redémarrer', text: 'Réessayez dans quelques secondes.' },
    bad_request: { title: 'Le service téléphonique n’a pas compris', text: 'Rechargez la page et réessayez.' },
    'method.unknown': { title: 'Le service téléphonique est plus ancien que cette page', text: 'Prévenez votre administrateur.' },
    internal: { title: 'Le service téléphonique a rencontré un problème', text: 'Réessayez. Si cela dure, envoyez la référence à votre administrateur.' },
    connection: { title: 'Pas de connexion', text: 'Rien n’a été envoyé. Réessayez quand le téléphone sera connecté.' },
  },

  microphone: {
    insecure: { title: 'Le micro exige une page sécurisée', text: 'Ouvrez cette page avec https://.' },
    unsupported: { title: 'Ce navigateur ne permet pas de téléphoner', text: 'Utilisez une version actuelle de Chrome, Edge, Firefox ou Safari.' },
    blocked_by_policy: {
      title: 'La page autour du téléphone bloque le micro',
      text: 'Votre administrateur peut l’autoriser\u00a0: dans la Configuration de Salesforce, «\u00a0Paramètres de session\u00a0», «\u00a0Autorisations des fonctionnalités du navigateur\u00a0», autorisez le micro pour ce site comme URL de confiance.',
    },
    denied: {
      title: 'Le micro est bloqué dans votre navigateur',
      text: 'Ouvrez les paramètres du site à gauche de la barre d’adresse, réglez le micro sur «\u00a0Autoriser\u00a0», puis réessayez.',
    },
    no_device: { title: 'Aucun micro trouvé', text: 'Branchez un casque ou un micro, puis réessayez.' },
    device_busy: {
      title: 'Le micro ne démarre pas',
      text: 'Un autre programme l’utilise peut-être. Fermez-le, ou débranchez le casque et rebranchez-le.',
    },
  },
};
