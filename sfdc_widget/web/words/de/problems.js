/** @import {words as english} from '../en/problems.js' */

/** @type {typeof english} */
export const words = {
  endReason: {
    hung_up_here: { title: 'Sie haben aufgelegt', text: '' },
    hung_up_there: { title: 'Die Gegenseite hat aufgelegt', text: '' },
    cancelled_here: { title: 'Sie haben den Anruf abgebrochen', text: '' },
    missed: { title: 'Verpasster Anruf', text: 'Niemand hat angenommen, bevor der Anrufer aufgab.' },
    declined_here: { title: 'Sie haben den Anruf abgelehnt', text: '' },
    answered_elsewhere: { title: 'Auf einem anderen Gerät angenommen', text: 'Das Gespräch läuft dort weiter.' },
    declined_elsewhere: { title: 'Auf einem anderen Gerät abgelehnt', text: '' },
    busy: { title: 'Besetzt', text: 'Die Gegenseite spricht gerade. Versuchen Sie es in einigen Minuten noch einmal.' },
    declined_there: { title: 'Der Anruf wurde abgelehnt', text: '' },
    no_answer: { title: 'Keine Antwort', text: 'Es hat geklingelt, aber niemand hat abgenommen.' },
    unknown_number: { title: 'Diese Nummer gibt es nicht', text: 'Prüfen Sie die Ziffern und die Landesvorwahl.' },
    unreachable: {
      title: 'Der Anschluss ist nicht erreichbar',
      text: 'Das Telefon ist vielleicht ausgeschaltet oder ohne Empfang. Versuchen Sie es später oder unter einer anderen Nummer.',
    },
    not_allowed: {
      title: 'Sie dürfen diese Nummer nicht anrufen',
      text: 'Ihr Unternehmen lässt Anrufe dorthin nicht zu. Wenden Sie sich an Ihren Administrator, wenn Sie sie brauchen.',
    },
    no_common_codec: {
      title: 'Die Telefone haben kein gemeinsames Audioformat',
      text: 'Schicken Sie den Code an Ihren Administrator.',
    },
    server_unavailable: {
      title: 'Die Telefonanlage antwortet nicht',
      text: 'Versuchen Sie es in einer Minute noch einmal. Hält es an, melden Sie es Ihrem Administrator.',
    },
    client_lost: {
      title: 'Die Verbindung zu dieser Seite ging verloren',
      text: 'Das Gespräch wurde beendet, weil die Seite nicht rechtzeitig zurückkam.',
    },
    media_failed: {
      title: 'Der Ton ließ sich nicht verbinden',
      text: 'Vielleicht blockiert ihn eine Firewall oder ein VPN. Versuchen Sie es noch einmal oder aus einem anderen Netzwerk.',
    },
    gateway_restarted: { title: 'Der Telefondienst wurde neu gestartet', text: 'Das Gespräch wurde unterbrochen. Rufen Sie noch einmal an.' },
    invite_over: { title: 'Die Zeit der Einladung ist um', text: 'Das Treffen endete wie geplant.' },
    transferred: { title: 'Gespräch übergeben', text: 'Die beiden sprechen jetzt ohne Sie.' },
    do_not_disturb: { title: 'Nicht durchgestellt', text: 'Sie waren auf „Nicht stören“.' },
    failed: { title: 'Der Anruf ist fehlgeschlagen', text: 'Versuchen Sie es noch einmal. Hält es an, schicken Sie den Code an Ihren Administrator.' },
  },

  registrationProblem: {
    wrong_password: {
      title: 'Ihr Telefonkennwort wird nicht angenommen',
      text: 'Anrufe erreichen Sie hier nicht. Bitten Sie Ihren Administrator, das Telefonkennwort zu berichtigen, und versuchen Sie es dann noch einmal. Von selbst wird es nicht versucht, damit Ihr Konto nicht gesperrt wird.',
    },
    refused: {
      title: 'Die Telefonanlage weist Ihr Konto ab',
      text: 'Anrufe erreichen Sie hier nicht. Bitten Sie Ihren Administrator, zu prüfen, ob Ihr Telefonkonto aktiv ist.',
    },
    unreachable: {
      title: 'Die Telefonanlage ist nicht erreichbar',
      text: 'Anrufe erreichen Sie hier nicht. Es wird von selbst erneut versucht; Ihre anderen Telefone funktionieren vielleicht.',
    },
    unavailable: {
      title: 'Die Telefonanlage steht nicht zur Verfügung',
      text: 'Anrufe erreichen Sie hier zurzeit nicht. Es wird von selbst erneut versucht.',
    },
  },

  error: {
    'auth.expired': { title: 'Ihre Anmeldung ist abgelaufen', text: 'Melden Sie sich neu an.' },
    'auth.denied': { title: 'Die Anmeldung wurde abgewiesen', text: 'Bitten Sie Ihren Administrator um Zugang.' },
    'session.unknown': { title: 'Die Sitzung ist beendet', text: 'Laden Sie die Seite neu.' },
    'session.observer': { title: 'Das Telefon ist in einem anderen Tab', text: 'Holen Sie es zuerst hierher.' },
    'session.superseded': { title: 'In einem anderen Tab geöffnet', text: 'Übernehmen Sie das Telefon hier oder verwenden Sie den anderen Tab.' },
    'call.unknown': { title: 'Dieses Gespräch ist beendet', text: '' },
    'call.wrong_state': { title: 'Jetzt nicht möglich', text: 'Der Stand des Gesprächs hat sich inzwischen geändert.' },
    'call.limit': { title: 'Zu viele Gespräche zugleich', text: 'Beenden Sie zuerst eines.' },
    'number.invalid': { title: 'Das ist keine Telefonnummer', text: 'Geben Sie Ziffern ein oder beginnen Sie mit + und der Landesvorwahl.' },
    'codec.none': { title: 'Kein gemeinsames Audioformat', text: 'Verwenden Sie einen aktuellen Browser.' },
    'media.bad_sdp': { title: 'Der Ton ließ sich nicht einrichten', text: 'Laden Sie die Seite neu und versuchen Sie es noch einmal.' },
    'media.unavailable': {
      title: 'Der Telefondienst hat keine Sprachleitung frei',
      text: 'Versuchen Sie es in einer Minute noch einmal. Hält es an, melden Sie es Ihrem Administrator.',
    },
    'registrar.down': { title: 'Die Telefonanlage ist nicht erreichbar', text: 'Versuchen Sie es in einer Minute noch einmal oder verwenden Sie ein anderes Telefon.' },
    'crm.unavailable': { title: 'Das CRM antwortet nicht', text: 'Ihre Anrufe sind nicht betroffen. Versuchen Sie es in einer Minute noch einmal.' },
    'crm.limit': { title: 'Das Tageskontingent des CRM ist fast aufgebraucht', text: 'Anrufe und ihre Einträge laufen weiter; die Suche wartet, bis wieder etwas frei ist.' },
    'crm.refused': { title: 'Das CRM hat dies nicht angenommen', text: 'Prüfen Sie die Felder oder verwenden Sie das Formular im CRM.' },
    'crm.duplicate': { title: 'Diesen Kontakt gibt es vielleicht schon', text: 'Verwenden Sie einen der Einträge unten.' },
    'invite.unknown': { title: 'Diese Einladung gibt es nicht mehr', text: 'Öffnen Sie die Liste der Einladungen neu.' },
    'invite.invalid': { title: 'Die Einladung ist nicht vollständig', text: 'Beachten Sie die Markierungen.' },
    'invite.closed': { title: 'Diese Einladung ist vorbei', text: 'Legen Sie eine neue an.' },
    'policy.denied': { title: 'Das ist nicht erlaubt', text: 'Wenden Sie sich an Ihren Administrator, wenn Sie es brauchen.' },
    'op.conflict': { title: 'Das wurde zweimal gesendet', text: 'Versuchen Sie es noch einmal.' },
    'rate.limited': { title: 'Zu viele Anfragen', text: 'Warten Sie einen Augenblick und versuchen Sie es noch einmal.' },
    drain: { title: 'Der Telefondienst startet gleich neu', text: 'Versuchen Sie es in einigen Sekunden noch einmal.' },
    bad_request: { title: 'Der Telefondienst hat das nicht verstanden', text: 'Laden Sie die Seite neu und versuchen Sie es noch einmal.' },
    'method.unknown': { title: 'Der Telefondienst ist älter als diese Seite', text: 'Melden Sie es Ihrem Administrator.' },
    internal: { title: 'Im Telefondienst ist etwas schiefgegangen', text: 'Versuchen Sie es noch einmal. Hält es an, schicken Sie den Code an Ihren Administrator.' },
    connection: { title: 'Keine Verbindung', text: 'Es wurde nichts gesendet. Versuchen Sie es noch einmal, wenn das Telefon verbunden ist.' },
  },

  microphone: {
    insecure: { title: 'Das Mikrofon braucht eine sichere Seite', text: 'Öffnen Sie diese Seite mit https://.' },
    unsupported: { title: 'Mit diesem Browser kann man nicht telefonieren', text: 'Verwenden Sie einen aktuellen Chrome, Edge, Firefox oder Safari.' },
    blocked_by_policy: {
      title: 'Die Seite um das Telefon herum blockiert das Mikrofon',
      text: 'Ihr Administrator kann es zulassen: in Salesforce unter Setup, „Sitzungseinstellungen“, „Browserfunktionsberechtigungen“ das Mikrofon für diese Website als vertrauenswürdige URL freigeben.',
    },
    denied: {
      title: 'Das Mikrofon ist in Ihrem Browser blockiert',
      text: 'Öffnen Sie links in der Adressleiste die Website-Einstellungen, stellen Sie das Mikrofon auf „Zulassen“ und versuchen Sie es noch einmal.',
    },
    no_device: { title: 'Kein Mikrofon gefunden', text: 'Schließen Sie ein Headset oder Mikrofon an und versuchen Sie es noch einmal.' },
    device_busy: {
      title: 'Das Mikrofon startet nicht',
      text: 'Vielleicht verwendet es ein anderes Programm. Schließen Sie dieses, oder ziehen Sie das Headset ab und stecken Sie es wieder an.',
    },
  },
};
