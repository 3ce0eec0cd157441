/** @import {Words} from './en.js' */

/** @type {Words} */
export const words = {
  page: {
    title: 'Videollamada',
    titleWith: (host) => `Videollamada con ${host}`,
    host: 'Su anfitrión',
    loading: 'Un momento…',
  },
  invite: {
    by: (host) => `${host} le invita a una videollamada`,
    hostTime: (time, host) => `${time} para ${host}`,
    addToCalendar: 'Añadir al calendario',
    calendarFailed: 'No se ha podido obtener la cita. Inténtelo de nuevo.',
    calendarSaved: 'Se ha descargado la cita para su calendario.',
    reach: (host) => `Cómo localizar a ${host}`,
  },
  wait: {
    opensIn: (time) => `Se abre en ${time}`,
    opensOn: (time) => `Se abre: ${time}`,
    stay: 'Deje esta página abierta: continuará por sí sola. Mientras tanto puede comprobar la cámara y el sonido.',
    later: 'Vuelva entonces con este mismo enlace.',
    minutes: (count) =>
      count === 1 ? 'Podrá entrar dentro de un minuto.' : `Podrá entrar dentro de ${count} minutos.`,
    open: 'Ya puede entrar.',
  },
  join: {
    name: 'Su nombre',
    nameHint: (host) => `${host} lo verá cuando usted llame.`,
    nameNeeded: 'Escriba su nombre.',
    join: 'Entrar',
    joining: 'Entrando…',
    withoutCamera: 'Su cámara está apagada: se le oirá, pero no se le verá.',
    withoutMicrophone: 'Sin micrófono puede ver y escuchar, pero no se le oirá.',
    failed: 'No ha funcionado. Pulse «Entrar» otra vez.',
    busy: 'Demasiados intentos desde su red. Espere un minuto y pulse «Entrar» de nuevo.',
  },
  check: {
    title: 'Cámara y sonido',
    turnOn: 'Encender la cámara y el micrófono',
    turnOnText: 'El navegador le pedirá permiso: elija «Permitir». Nadie le ve ni le oye antes de entrar.',
    asking: 'Responda a la pregunta del navegador: elija «Permitir».',
    starting: 'Iniciando la cámara…',
    cameraOff: 'Su cámara está apagada',
    preview: 'La imagen de su cámara',
    muteMicrophone: 'Apagar el micrófono',
    unmuteMicrophone: 'Encender el micrófono',
    stopCamera: 'Apagar la cámara',
    startCamera: 'Encender la cámara',
    camera: 'Cámara',
    microphone: 'Micrófono',
    speaker: 'Altavoz',
    standard: 'El del sistema',
    level: 'Nivel del micrófono',
    speak: 'Diga unas palabras para probar el micrófono.',
    heard: 'Su micrófono funciona.',
    muted: 'Su micrófono está apagado.',
    test: 'Probar el altavoz',
    tested: '¿Lo ha oído? Si no, suba el volumen o elija otro altavoz.',
    close: 'Cerrar',
  },
  problem: {
    retry: 'Intentar de nuevo',
    both: {
      title: 'La cámara y el micrófono están bloqueados',
      text: 'El navegador no permite que esta página los use.',
    },
    camera: {
      denied: {
        title: 'La cámara está bloqueada',
        text: 'El navegador no permite que esta página la use. También puede entrar solo con sonido.',
      },
      no_device: {
        title: 'No se encuentra ninguna cámara',
        text: 'No pasa nada: entre solo con sonido. O conecte una cámara; se detectará por sí sola.',
      },
      device_busy: {
        title: 'Otro programa está usando la cámara',
        text: 'Cierre otros programas y pestañas de vídeo e inténtelo de nuevo. También puede entrar solo con sonido.',
      },
      other: {
        title: 'La cámara no se puede usar aquí',
        text: 'Puede entrar solo con sonido.',
      },
    },
    microphone: {
      denied: {
        title: 'El micrófono está bloqueado',
        text: 'El navegador no permite que esta página lo use. Sin él nadie puede oírle.',
      },
      no_device: {
        title: 'No se encuentra ningún micrófono',
        text: 'Conecte unos auriculares con micrófono; se detectarán por sí solos. Sin micrófono puede ver y escuchar.',
      },
      device_busy: {
        title: 'Otro programa está usando el micrófono',
        text: 'Cierre otros programas de llamadas e inténtelo de nuevo. Sin micrófono puede ver y escuchar.',
      },
      other: {
        title: 'El micrófono no se puede usar aquí',
        text: 'Aun así puede ver y escuchar.',
      },
    },
    fix: {
      chrome: 'Haga clic en el icono a la izquierda de la dirección, active la cámara y el micrófono y pulse «Intentar de nuevo».',
      edge: 'Haga clic en el candado a la izquierda de la dirección, ponga la cámara y el micrófono en «Permitir» y pulse «Intentar de nuevo».',
      firefox: 'Haga clic en la cámara o el micrófono tachados a la izquierda de la dirección, quite el bloqueo y pulse «Intentar de nuevo».',
      safari: 'En el menú Safari elija «Ajustes para este sitio web», ponga la cámara y el micrófono en «Permitir» y pulse «Intentar de nuevo».',
      ios: 'Toque el botón junto a la dirección, luego «Ajustes del sitio web», ponga la cámara y el micrófono en «Permitir» y toque «Intentar de nuevo».',
      ios_other: 'Abra la app Ajustes, busque este navegador, active la cámara y el micrófono y vuelva aquí.',
      android: 'Toque el icono a la izquierda de la dirección, luego «Permisos», permita la cámara y el micrófono y toque «Intentar de nuevo».',
      mac_system: 'El Mac lo bloquea: en Ajustes del Sistema, «Privacidad y seguridad», permita la cámara y el micrófono a este navegador y reinícielo.',
      windows_system: 'Windows lo bloquea: en Configuración, «Privacidad y seguridad», permita que las aplicaciones usen la cámara y el micrófono y pulse «Intentar de nuevo».',
      other: 'Permita la cámara y el micrófono para esta página en los ajustes del navegador y pulse «Intentar de nuevo».',
    },
  },
  ringing: {
    calling: (host) => `Llamando a ${host}…`,
    ringing: (host) => `Está sonando el teléfono de ${host}…`,
    stay: 'Permanezca en esta página, por favor.',
    cancel: 'Cancelar',
  },
  call: {
    with: (host) => `En llamada con ${host}`,
    others: (count) => (count === 1 ? '1 persona más' : `${count} personas más`),
    somebody: 'Un invitado',
    connecting: 'Conectando el sonido y la imagen…',
    restoring: 'Volviendo a la llamada…',
    reconnecting: 'Restableciendo la conexión… No se vaya, la llamada sigue.',
    audioOnly: 'Solo sonido',
    hear: 'Pulse para oír la llamada',
    controls: 'Controles de la llamada',
    mute: 'Apagar el micrófono',
    unmute: 'Encender el micrófono',
    stopCamera: 'Apagar la cámara',
    startCamera: 'Encender la cámara',
    settings: 'Ajustes de cámara y sonido',
    fullScreen: 'Pantalla completa',
    exitFullScreen: 'Salir de la pantalla completa',
    leave: 'Salir',
    own: 'Su propia imagen. Pulse para llevarla a otra esquina.',
    microphoneOff: 'Su micrófono está apagado',
    microphoneOn: 'Su micrófono está encendido',
    cameraOff: 'Su cámara está apagada',
    cameraOn: 'Su cámara está encendida',
    noMicrophone: 'Nadie le oye: no hay micrófono.',
    offered: (host) => `A ${host} le gustaría verle.`,
    noVideo: 'En esta llamada no hay vídeo en este momento.',
    connectMicrophone: 'Conectar el micrófono',
    minutesLeft: (count) =>
      count === 1
        ? 'Queda un minuto. Después terminará la llamada.'
        : `Quedan ${count} minutos. Después terminará la llamada.`,
    dismiss: 'Cerrar este aviso',
  },
  gallery: {
    others: 'Los demás en la llamada',
    picture: (who) => `Imagen de ${who}`,
    enlarge: (who) => `Ver a ${who} en grande`,
    shrink: (who) => `Ver a todos; ${who} está en grande`,
    joined: (who) => `${who} ha entrado`,
    left: (who) => `${who} ha salido`,
  },
  ended: {
    again: 'Intentar de nuevo',
    rejoin: 'Volver a entrar',
    kinds: {
      left: () => ({ title: 'Ha salido de la llamada', text: 'Puede cerrar esta página.' }),
      cancelled: (host) => ({ title: 'Ha dejado de llamar', text: `${host} sabe que usted ha estado aquí.` }),
      finished: (host) => ({ title: 'La llamada ha terminado', text: `${host} ha colgado. Puede cerrar esta página.` }),
      time_over: () => ({ title: 'El tiempo de esta llamada ha terminado', text: 'Ha acabado según lo previsto. Puede cerrar esta página.' }),
      no_answer: (host) => ({
        title: `${host} todavía no ha contestado`,
        text: `${host} sabe que usted está aquí. Espere un momento e inténtelo de nuevo.`,
      }),
      busy: (host) => ({
        title: `${host} está en otra llamada`,
        text: `${host} sabe que usted está aquí. Inténtelo de nuevo dentro de unos minutos.`,
      }),
      declined: (host) => ({
        title: `${host} no puede atenderle en este momento`,
        text: 'Inténtelo de nuevo dentro de unos minutos.',
      }),
      unreachable: (host) => ({
        title: `No se puede localizar a ${host} en este momento`,
        text: 'No es culpa suya. Inténtelo de nuevo dentro de un minuto.',
      }),
      no_media: () => ({
        title: 'No se han podido conectar el sonido y la imagen',
        text: 'Puede que una red de empresa o una VPN bloquee las llamadas. Inténtelo de nuevo, o desde otra red, como la de su teléfono.',
      }),
      lost: () => ({
        title: 'Se ha perdido la conexión',
        text: 'Ha faltado demasiado tiempo. Vuelva a entrar cuando tenga red.',
      }),
      restarted: () => ({ title: 'La llamada se ha cortado', text: 'Entre de nuevo, por favor.' }),
      elsewhere: () => ({ title: 'La llamada está abierta en otra pestaña', text: 'Siga allí, o tráigala aquí.' }),
    },
    useHere: 'Usar esta pestaña',
  },
  notice: {
    checkAgain: 'Comprobar de nuevo',
    copyLink: 'Copiar el enlace',
    copied: 'Se ha copiado el enlace.',
    retrying: 'Esta página vuelve a intentarlo por sí sola.',
    kinds: {
      unsupported: () => ({
        title: 'Este navegador no permite hacer videollamadas',
        text: 'Abra el enlace en un Chrome, Edge, Firefox o Safari actualizado.',
      }),
      insecure: () => ({
        title: 'Esta página se ha abierto sin cifrado',
        text: 'La dirección debe empezar por «https». Abra de nuevo el enlace del correo.',
      }),
      offline: () => ({
        title: 'No tiene conexión',
        text: 'Conéctese a internet; esta página continuará por sí sola.',
      }),
      unreachable: () => ({
        title: 'No se puede acceder al servicio',
        text: 'Puede ser su red o la nuestra.',
      }),
      too_many: () => ({
        title: 'Demasiados intentos',
        text: 'Ha habido demasiados intentos desde su red. Basta con esperar un minuto.',
      }),
      full: () => ({
        title: 'Esta llamada está completa en este momento',
        text: 'Ya no cabe nadie más. Cuando salga alguien podrá entrar: inténtelo de nuevo en unos minutos.',
      }),
      in_use: () => ({
        title: 'Este enlace se está usando ahora',
        text: 'Alguien está en la llamada con él, en otro navegador o dispositivo. Si es usted, salga allí de la llamada; después podrá entrar aquí.',
      }),
      used_up: (host) => ({
        title: 'Este enlace se ha abierto en demasiados navegadores',
        text: `Use el navegador o dispositivo en que lo abrió primero, o pida un enlace nuevo a ${host}.`,
      }),
      over: () => ({
        title: 'El tiempo de esta llamada ha terminado',
        text: 'El enlace solo servía hasta entonces.',
      }),
      cancelled: (host) => ({
        title: 'Esta llamada se ha cancelado',
        text: `${host} la ha cancelado. Usted no tiene que hacer nada.`,
      }),
      revoked: (host) => ({
        title: 'Este enlace ya no es válido',
        text: `Puede que ${host} le haya enviado otro: busque el correo más reciente.`,
      }),
      unknown: () => ({
        title: 'Este enlace no funciona',
        text: 'Tal vez le falte una parte. Ábralo de nuevo desde el correo o cópielo entero.',
      }),
    },
  },
};
