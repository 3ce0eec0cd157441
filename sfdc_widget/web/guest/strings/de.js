/** @import {Words} from './en.js' */

/** @type {Words} */
export const words = {
  page: {
    title: 'Videogespräch',
    titleWith: (host) => `Videogespräch mit ${host}`,
    host: 'Ihr Gegenüber',
    loading: 'Einen Augenblick …',
  },
  invite: {
    by: (host) => `${host} lädt Sie zum Videogespräch ein`,
    hostTime: (time, host) => `${time} bei ${host}`,
    addToCalendar: 'In den Kalender eintragen',
    calendarFailed: 'Der Kalendereintrag war nicht abrufbar. Versuchen Sie es noch einmal.',
    calendarSaved: 'Der Kalendereintrag wurde heruntergeladen.',
    reach: (host) => `So erreichen Sie ${host}`,
  },
  wait: {
    opensIn: (time) => `Öffnet in ${time}`,
    opensOn: (time) => `Öffnet ${time}`,
    stay: 'Lassen Sie diese Seite offen: Es geht von selbst weiter. Inzwischen können Sie Kamera und Ton prüfen.',
    later: 'Kommen Sie dann mit diesem Link wieder.',
    minutes: (count) =>
      count === 1 ? 'In einer Minute können Sie teilnehmen.' : `In ${count} Minuten können Sie teilnehmen.`,
    open: 'Sie können jetzt teilnehmen.',
  },
  join: {
    name: 'Ihr Name',
    nameHint: (host) => `${host} sieht ihn bei Ihrem Anruf.`,
    nameNeeded: 'Geben Sie Ihren Namen ein.',
    join: 'Teilnehmen',
    joining: 'Verbindung wird hergestellt …',
    withoutCamera: 'Ihre Kamera ist aus: Man hört Sie, sieht Sie aber nicht.',
    withoutMicrophone: 'Ohne Mikrofon können Sie zusehen und zuhören, aber man hört Sie nicht.',
    failed: 'Das hat nicht geklappt. Klicken Sie noch einmal auf „Teilnehmen“.',
    busy: 'Zu viele Versuche aus Ihrem Netz. Warten Sie eine Minute und klicken Sie dann noch einmal auf „Teilnehmen“.',
  },
  check: {
    title: 'Kamera und Ton',
    turnOn: 'Kamera und Mikrofon einschalten',
    turnOnText: 'Ihr Browser bittet um Erlaubnis: Wählen Sie „Zulassen“. Niemand sieht oder hört Sie, bevor Sie teilnehmen.',
    asking: 'Ihr Browser stellt gerade eine Frage: Wählen Sie „Zulassen“.',
    starting: 'Die Kamera startet …',
    cameraOff: 'Ihre Kamera ist aus',
    preview: 'Ihr Kamerabild',
    muteMicrophone: 'Mikrofon ausschalten',
    unmuteMicrophone: 'Mikrofon einschalten',
    stopCamera: 'Kamera ausschalten',
    startCamera: 'Kamera einschalten',
    camera: 'Kamera',
    microphone: 'Mikrofon',
    speaker: 'Lautsprecher',
    standard: 'Standardgerät',
    level: 'Mikrofonpegel',
    speak: 'Sagen Sie ein paar Worte, um Ihr Mikrofon zu prüfen.',
    heard: 'Ihr Mikrofon funktioniert.',
    muted: 'Ihr Mikrofon ist aus.',
    test: 'Lautsprecher testen',
    tested: 'Haben Sie es gehört? Wenn nicht, stellen Sie lauter oder wählen Sie einen anderen Lautsprecher.',
    close: 'Schließen',
  },
  problem: {
    retry: 'Noch einmal versuchen',
    both: {
      title: 'Kamera und Mikrofon sind blockiert',
      text: 'Ihr Browser erlaubt dieser Seite den Zugriff nicht.',
    },
    camera: {
      denied: {
        title: 'Die Kamera ist blockiert',
        text: 'Ihr Browser erlaubt dieser Seite den Zugriff nicht. Sie können auch nur mit Ton teilnehmen.',
      },
      no_device: {
        title: 'Keine Kamera gefunden',
        text: 'Das macht nichts: Nehmen Sie nur mit Ton teil. Oder schließen Sie eine Kamera an; sie wird von selbst erkannt.',
      },
      device_busy: {
        title: 'Ein anderes Programm benutzt die Kamera',
        text: 'Schließen Sie andere Videoprogramme und Tabs und versuchen Sie es noch einmal. Sie können auch nur mit Ton teilnehmen.',
      },
      other: {
        title: 'Die Kamera lässt sich hier nicht benutzen',
        text: 'Sie können nur mit Ton teilnehmen.',
      },
    },
    microphone: {
      denied: {
        title: 'Das Mikrofon ist blockiert',
        text: 'Ihr Browser erlaubt dieser Seite den Zugriff nicht. Ohne Mikrofon kann man Sie nicht hören.',
      },
      no_device: {
        title: 'Kein Mikrofon gefunden',
        text: 'Schließen Sie ein Headset oder Mikrofon an; es wird von selbst erkannt. Ohne können Sie zusehen und zuhören.',
      },
      device_busy: {
        title: 'Ein anderes Programm benutzt das Mikrofon',
        text: 'Schließen Sie andere Telefonprogramme und versuchen Sie es noch einmal. Ohne Mikrofon können Sie zusehen und zuhören.',
      },
      other: {
        title: 'Das Mikrofon lässt sich hier nicht benutzen',
        text: 'Zusehen und zuhören können Sie trotzdem.',
      },
    },
    fix: {
      chrome: 'Klicken Sie auf das Symbol links neben der Adresse, schalten Sie Kamera und Mikrofon ein und klicken Sie auf „Noch einmal versuchen“.',
      edge: 'Klicken Sie auf das Schloss links neben der Adresse, stellen Sie Kamera und Mikrofon auf „Zulassen“ und klicken Sie auf „Noch einmal versuchen“.',
      firefox: 'Klicken Sie auf die durchgestrichene Kamera oder das Mikrofon links neben der Adresse, heben Sie die Blockierung auf und klicken Sie auf „Noch einmal versuchen“.',
      safari: 'Wählen Sie im Menü „Safari“ den Punkt „Einstellungen für diese Website“, stellen Sie Kamera und Mikrofon auf „Erlauben“ und klicken Sie auf „Noch einmal versuchen“.',
      ios: 'Tippen Sie auf die Taste neben der Adresse, dann auf „Website-Einstellungen“, stellen Sie Kamera und Mikrofon auf „Erlauben“ und tippen Sie auf „Noch einmal versuchen“.',
      ios_other: 'Öffnen Sie die App „Einstellungen“, suchen Sie diesen Browser, schalten Sie Kamera und Mikrofon ein und kommen Sie hierher zurück.',
      android: 'Tippen Sie auf das Symbol links neben der Adresse, dann auf „Berechtigungen“, erlauben Sie Kamera und Mikrofon und tippen Sie auf „Noch einmal versuchen“.',
      mac_system: 'Ihr Mac blockiert den Zugriff: Erlauben Sie ihn diesem Browser in den Systemeinstellungen unter „Datenschutz & Sicherheit“ und starten Sie den Browser neu.',
      windows_system: 'Windows blockiert den Zugriff: Erlauben Sie Apps in den Einstellungen unter „Datenschutz und Sicherheit“ Kamera und Mikrofon und klicken Sie auf „Noch einmal versuchen“.',
      other: 'Erlauben Sie dieser Seite in den Einstellungen Ihres Browsers Kamera und Mikrofon und klicken Sie auf „Noch einmal versuchen“.',
    },
  },
  ringing: {
    calling: (host) => `${host} wird angerufen …`,
    ringing: (host) => `Es klingelt bei ${host} …`,
    stay: 'Bitte bleiben Sie auf dieser Seite.',
    cancel: 'Abbrechen',
  },
  call: {
    with: (host) => `Im Gespräch mit ${host}`,
    others: (count) => (count === 1 ? '1 weitere Person' : `${count} weitere Personen`),
    somebody: 'Ein Gast',
    connecting: 'Ton und Bild werden verbunden …',
    restoring: 'Sie kommen zurück ins Gespräch …',
    reconnecting: 'Verbindung wird wiederhergestellt … Bleiben Sie hier, das Gespräch geht weiter.',
    audioOnly: 'Nur Ton',
    hear: 'Klicken, um das Gespräch zu hören',
    controls: 'Bedienung des Gesprächs',
    mute: 'Mikrofon ausschalten',
    unmute: 'Mikrofon einschalten',
    stopCamera: 'Kamera ausschalten',
    startCamera: 'Kamera einschalten',
    settings: 'Einstellungen für Kamera und Ton',
    fullScreen: 'Vollbild',
    exitFullScreen: 'Vollbild verlassen',
    leave: 'Verlassen',
    own: 'Ihr eigenes Bild. Drücken, um es in eine andere Ecke zu schieben.',
    microphoneOff: 'Ihr Mikrofon ist aus',
    microphoneOn: 'Ihr Mikrofon ist an',
    cameraOff: 'Ihre Kamera ist aus',
    cameraOn: 'Ihre Kamera ist an',
    noMicrophone: 'Man hört Sie nicht: Es gibt kein Mikrofon.',
    offered: (host) => `${host} möchte Sie gern sehen.`,
    noVideo: 'In diesem Gespräch gibt es gerade kein Bild.',
    connectMicrophone: 'Mikrofon verbinden',
    minutesLeft: (count) =>
      count === 1
        ? 'Noch eine Minute. Dann endet das Gespräch.'
        : `Noch ${count} Minuten. Dann endet das Gespräch.`,
    dismiss: 'Diesen Hinweis schließen',
  },
  gallery: {
    others: 'Die anderen im Gespräch',
    picture: (who) => `Bild von ${who}`,
    enlarge: (who) => `${who} groß zeigen`,
    shrink: (who) => `Alle zeigen; ${who} ist groß`,
    joined: (who) => `${who} ist jetzt dabei`,
    left: (who) => `${who} hat das Gespräch verlassen`,
  },
  ended: {
    again: 'Noch einmal versuchen',
    rejoin: 'Wieder teilnehmen',
    kinds: {
      left: () => ({ title: 'Sie haben das Gespräch verlassen', text: 'Sie können diese Seite schließen.' }),
      cancelled: (host) => ({ title: 'Sie haben den Anruf abgebrochen', text: `${host} weiß, dass Sie da waren.` }),
      finished: (host) => ({ title: 'Das Gespräch ist beendet', text: `${host} hat aufgelegt. Sie können diese Seite schließen.` }),
      time_over: () => ({ title: 'Die Zeit für dieses Gespräch ist um', text: 'Es wurde wie geplant beendet. Sie können diese Seite schließen.' }),
      no_answer: (host) => ({
        title: `${host} hat noch nicht geantwortet`,
        text: `${host} weiß, dass Sie da sind. Warten Sie einen Augenblick und versuchen Sie es noch einmal.`,
      }),
      busy: (host) => ({
        title: `${host} ist in einem anderen Gespräch`,
        text: `${host} weiß, dass Sie da sind. Versuchen Sie es in ein paar Minuten noch einmal.`,
      }),
      declined: (host) => ({
        title: `${host} kann gerade nicht sprechen`,
        text: 'Versuchen Sie es in ein paar Minuten noch einmal.',
      }),
      unreachable: (host) => ({
        title: `${host} ist gerade nicht erreichbar`,
        text: 'Das liegt nicht an Ihnen. Versuchen Sie es in einer Minute noch einmal.',
      }),
      no_media: () => ({
        title: 'Ton und Bild konnten nicht verbunden werden',
        text: 'Vielleicht blockiert ein Firmennetz oder VPN das Gespräch. Versuchen Sie es noch einmal oder über ein anderes Netz, etwa das Ihres Telefons.',
      }),
      lost: () => ({
        title: 'Die Verbindung ist abgerissen',
        text: 'Sie war zu lange weg. Nehmen Sie wieder teil, sobald Ihr Netz zurück ist.',
      }),
      restarted: () => ({ title: 'Das Gespräch wurde unterbrochen', text: 'Bitte nehmen Sie noch einmal teil.' }),
      elsewhere: () => ({ title: 'Das Gespräch ist in einem anderen Tab offen', text: 'Sprechen Sie dort weiter, oder holen Sie es hierher.' }),
    },
    useHere: 'In diesem Tab fortsetzen',
  },
  notice: {
    checkAgain: 'Noch einmal prüfen',
    copyLink: 'Link kopieren',
    copied: 'Der Link wurde kopiert.',
    retrying: 'Diese Seite versucht es von selbst weiter.',
    kinds: {
      unsupported: () => ({
        title: 'Dieser Browser kann keine Videogespräche',
        text: 'Öffnen Sie den Link in einem aktuellen Chrome, Edge, Firefox oder Safari.',
      }),
      insecure: () => ({
        title: 'Diese Seite wurde unverschlüsselt geöffnet',
        text: 'Die Adresse muss mit „https“ beginnen. Öffnen Sie den Link noch einmal aus der E-Mail.',
      }),
      offline: () => ({
        title: 'Sie sind offline',
        text: 'Verbinden Sie sich mit dem Internet; diese Seite macht von selbst weiter.',
      }),
      unreachable: () => ({
        title: 'Der Dienst ist nicht erreichbar',
        text: 'Es kann an Ihrem Netz liegen oder an unserem.',
      }),
      too_many: () => ({
        title: 'Zu viele Versuche',
        text: 'Aus Ihrem Netz kamen zu viele Versuche. Es genügt, eine Minute zu warten.',
      }),
      full: () => ({
        title: 'Dieses Gespräch ist gerade voll besetzt',
        text: 'Mehr Teilnehmende sind nicht möglich. Sobald jemand geht, können Sie dabei sein: Versuchen Sie es in ein paar Minuten noch einmal.',
      }),
      in_use: () => ({
        title: 'Dieser Link wird gerade benutzt',
        text: 'Jemand nimmt mit ihm teil, in einem anderen Browser oder auf einem anderen Gerät. Wenn Sie das sind, verlassen Sie das Gespräch dort; dann können Sie hier teilnehmen.',
      }),
      used_up: (host) => ({
        title: 'Dieser Link wurde in zu vielen Browsern geöffnet',
        text: `Benutzen Sie den Browser oder das Gerät, in dem Sie ihn zuerst geöffnet haben, oder bitten Sie ${host} um einen neuen Link.`,
      }),
      over: () => ({
        title: 'Die Zeit für dieses Gespräch ist um',
        text: 'Der Link galt nur bis dahin.',
      }),
      cancelled: (host) => ({
        title: 'Dieses Gespräch wurde abgesagt',
        text: `${host} hat es abgesagt. Sie brauchen nichts zu tun.`,
      }),
      revoked: (host) => ({
        title: 'Dieser Link gilt nicht mehr',
        text: `Vielleicht hat Ihnen ${host} einen neuen geschickt: Suchen Sie die neueste E-Mail.`,
      }),
      unknown: () => ({
        title: 'Dieser Link funktioniert nicht',
        text: 'Vielleicht fehlt ein Stück. Öffnen Sie ihn noch einmal aus der E-Mail, oder kopieren Sie ihn ganz.',
      }),
    },
  },
};
