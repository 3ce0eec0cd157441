/** @import {words as english} from '../en/sign-in.js' */

/** @type {typeof english} */
export const words = {
  signIn: {
    title: 'Connectez-vous à votre téléphone',
    tenant: 'Entreprise',
    username: 'Nom d’utilisateur',
    password: 'Mot de passe',
    submit: 'Se connecter',
    busy: 'Connexion…',
    required: 'Remplissez tous les champs.',
    salesforce: 'Se connecter avec Salesforce',
    waiting: 'Continuez dans la fenêtre qui s’est ouverte.',
    cancel: 'Annuler',
    phone: 'Se connecter avec votre compte téléphonique',
    byPassword: 'Se connecter avec un mot de passe',
    phoneUsername: 'Nom d’utilisateur du téléphone',
    phonePassword: 'Mot de passe du téléphone',
    phoneNote: 'Le nom et le mot de passe avec lesquels votre poste fixe se connecte.',
  },

  signInProblem: {
    denied: 'Le nom d’utilisateur ou le mot de passe est incorrect.',
    expired: 'Votre session a expiré. Connectez-vous de nouveau.',
    rate_limited: 'Trop de tentatives. Attendez une minute, puis réessayez.',
    unreachable: 'Le service téléphonique est injoignable. Vérifiez votre réseau, puis réessayez.',
    failed: 'La connexion n’a pas fonctionné. Réessayez, ou adressez-vous à votre administrateur.',
    phone_unreachable: 'Le système téléphonique ne répond pas. Réessayez dans une minute, ou connectez-vous autrement.',
    popup_blocked: 'Le navigateur a bloqué la fenêtre de connexion. Autorisez les fenêtres pop-up de ce site à droite de la barre d’adresse, puis réessayez.',
    popup_closed: 'La fenêtre a été fermée avant la fin de la connexion. Réessayez, ou connectez-vous autrement.',
    declined: 'Vous n’avez pas autorisé Ringbridge dans Salesforce. Réessayez et choisissez «\u00a0Autoriser\u00a0», ou connectez-vous autrement.',
    not_approved: 'Votre administrateur Salesforce n’a pas encore approuvé le téléphone pour vous. Demandez-lui l’ensemble d’autorisations «\u00a0Ringbridge Rep\u00a0».',
    wrong_org: 'Vous vous êtes connecté à une autre organisation Salesforce. Déconnectez-vous-en, puis réessayez avec le compte de votre entreprise.',
    unknown_user: 'Votre utilisateur Salesforce n’a pas encore de téléphone ici. Demandez à votre administrateur de vous ajouter, ou connectez-vous avec votre compte téléphonique.',
    window_expired: 'Cela a pris trop de temps, ou la fenêtre a été ouverte deux fois. Réessayez.',
    off: 'Cette entreprise n’utilise pas la connexion avec Salesforce. Connectez-vous autrement.',
    crm_unreachable: 'Salesforce ne répond pas. Réessayez dans une minute, ou connectez-vous autrement.',
  },
  signInWindow: {
    done: 'Vous êtes connecté',
    problem: 'Vous n’êtes pas connecté',
    close: 'Vous pouvez fermer cette fenêtre et revenir au téléphone.',
    cutOff: 'Le téléphone est injoignable d’ici',
    cutOffText:
      'Le navigateur a séparé cette fenêtre du téléphone. Fermez-la et connectez-vous là-bas autrement, ou adressez-vous à votre administrateur.',
  },
  signInByHost:
    'Salesforce n’a pas confirmé qui vous êtes\u00a0: connectez-vous ici. Votre administrateur peut configurer la connexion automatique.',
};
