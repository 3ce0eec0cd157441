/** @import {words as english} from '../en/sign-in.js' */

/** @type {typeof english} */
export const words = {
  signIn: {
    title: 'Am Telefon anmelden',
    tenant: 'Unternehmen',
    username: 'Benutzername',
    password: 'Kennwort',
    submit: 'Anmelden',
    busy: 'Anmeldung läuft …',
    required: 'Füllen Sie alle Felder aus.',
    salesforce: 'Mit Salesforce anmelden',
    waiting: 'Fahren Sie in dem Fenster fort, das sich geöffnet hat.',
    cancel: 'Abbrechen',
    phone: 'Mit dem Telefonkonto anmelden',
    byPassword: 'Mit einem Kennwort anmelden',
    phoneUsername: 'Telefon-Benutzername',
    phonePassword: 'Telefonkennwort',
    phoneNote: 'Name und Kennwort, mit denen sich Ihr Tischtelefon anmeldet.',
  },

  signInProblem: {
    denied: 'Benutzername oder Kennwort stimmt nicht.',
    expired: 'Ihre Anmeldung ist abgelaufen. Melden Sie sich neu an.',
    rate_limited: 'Zu viele Versuche. Warten Sie eine Minute und versuchen Sie es noch einmal.',
    unreachable: 'Der Telefondienst ist nicht erreichbar. Prüfen Sie Ihr Netzwerk und versuchen Sie es noch einmal.',
    failed: 'Die Anmeldung hat nicht geklappt. Versuchen Sie es noch einmal oder wenden Sie sich an Ihren Administrator.',
    phone_unreachable: 'Die Telefonanlage antwortet nicht. Versuchen Sie es in einer Minute noch einmal oder melden Sie sich auf andere Weise an.',
    popup_blocked: 'Der Browser hat das Anmeldefenster blockiert. Lassen Sie rechts in der Adressleiste Pop-ups für diese Website zu und versuchen Sie es noch einmal.',
    popup_closed: 'Das Anmeldefenster wurde geschlossen, bevor Sie angemeldet waren. Versuchen Sie es noch einmal oder melden Sie sich auf andere Weise an.',
    declined: 'Sie haben Ringbridge in Salesforce nicht zugelassen. Versuchen Sie es noch einmal und wählen Sie „Zulassen“, oder melden Sie sich auf andere Weise an.',
    not_approved: 'Ihr Salesforce-Administrator hat das Telefon für Sie noch nicht freigegeben. Bitten Sie um den Berechtigungssatz „Ringbridge Rep“.',
    wrong_org: 'Sie haben sich bei einer anderen Salesforce-Organisation angemeldet. Melden Sie sich dort ab und versuchen Sie es mit dem Konto Ihres Unternehmens noch einmal.',
    unknown_user: 'Für Ihren Salesforce-Benutzer gibt es hier noch kein Telefon. Bitten Sie Ihren Administrator, Sie einzutragen, oder melden Sie sich mit Ihrem Telefonkonto an.',
    window_expired: 'Das hat zu lange gedauert, oder das Fenster wurde zweimal geöffnet. Versuchen Sie es noch einmal.',
    off: 'Dieses Unternehmen verwendet die Anmeldung mit Salesforce nicht. Melden Sie sich auf andere Weise an.',
    crm_unreachable: 'Salesforce antwortet nicht. Versuchen Sie es in einer Minute noch einmal oder melden Sie sich auf andere Weise an.',
  },
  signInWindow: {
    done: 'Sie sind angemeldet',
    problem: 'Sie sind nicht angemeldet',
    close: 'Sie können dieses Fenster schließen und zum Telefon zurückkehren.',
    cutOff: 'Das Telefon ist von hier aus nicht erreichbar',
    cutOffText:
      'Der Browser hat dieses Fenster vom Telefon getrennt. Schließen Sie es und melden Sie sich dort auf andere Weise an, oder wenden Sie sich an Ihren Administrator.',
  },
  signInByHost:
    'Salesforce hat nicht bestätigt, wer Sie sind. Melden Sie sich deshalb hier an. Ihr Administrator kann die automatische Anmeldung einrichten.',
};
