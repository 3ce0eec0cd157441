/** @import {words as english} from '../en/problems.js' */

/** @type {typeof english} */
export const words = {
  endReason: {
    hung_up_here: { title: 'Usted terminó la llamada', text: '' },
    hung_up_there: { title: 'La otra persona colgó', text: '' },
    cancelled_here: { title: 'Usted canceló la llamada', text: '' },
    missed: { title: 'Llamada perdida', text: 'Nadie contestó antes de que colgaran.' },
    declined_here: { title: 'Usted rechazó la llamada', text: '' },
    answered_elsewhere: { title: 'Atendida en otro dispositivo', text: 'La llamada continúa allí.' },
    declined_elsewhere: { title: 'Rechazada en otro dispositivo', text: '' },
    busy: { title: 'La línea está ocupada', text: 'Está en otra llamada. Inténtelo de nuevo en unos minutos.' },
    declined_there: { title: 'Rechazaron la llamada', text: '' },
    no_answer: { title: 'Sin respuesta', text: 'Sonó y nadie contestó.' },
    unknown_number: { title: 'Este número no existe', text: 'Compruebe los dígitos y el código de país.' },
    unreachable: {
      title: 'No se puede localizar ese teléfono',
      text: 'Puede estar apagado o sin cobertura. Inténtelo más tarde o llame a otro número.',
    },
    not_allowed: {
      title: 'No puede llamar a este número',
      text: 'Su empresa no permite llamar a él. Pídalo a su administrador si lo necesita.',
    },
    no_common_codec: { title: 'Los teléfonos no comparten ningún formato de audio', text: 'Envíe el código a su administrador.' },
    server_unavailable: {
      title: 'El sistema telefónico no responde',
      text: 'Inténtelo de nuevo en un minuto. Si continúa, avise a su administrador.',
    },
    client_lost: {
      title: 'Se perdió la conexión con esta página',
      text: 'La llamada se terminó porque la página no volvió a tiempo.',
    },
    media_failed: {
      title: 'No se pudo conectar el audio',
      text: 'Puede que lo bloquee un cortafuegos o una VPN. Inténtelo de nuevo, o desde otra red.',
    },
    gateway_restarted: { title: 'El servicio telefónico se reinició', text: 'La llamada se cortó. Llame de nuevo.' },
    invite_over: { title: 'El tiempo de la invitación ha terminado', text: 'La reunión terminó como estaba previsto.' },
    transferred: { title: 'Llamada transferida', text: 'Ahora hablan sin usted.' },
    do_not_disturb: { title: 'No se pasó', text: 'Estaba en «No molestar».' },
    failed: { title: 'La llamada falló', text: 'Inténtelo de nuevo. Si continúa, envíe el código a su administrador.' },
  },

  registrationProblem: {
    wrong_password: {
      title: 'No se acepta la contraseña de su teléfono',
      text: 'Aquí no le llegan llamadas. Pida a su administrador que corrija la contraseña del teléfono e inténtelo de nuevo. No se reintenta solo, para que no se bloquee su cuenta.',
    },
    refused: {
      title: 'El sistema telefónico rechaza su cuenta',
      text: 'Aquí no le llegan llamadas. Pida a su administrador que compruebe que su cuenta de teléfono está activa.',
    },
    unreachable: {
      title: 'No se puede acceder al sistema telefónico',
      text: 'Aquí no le llegan llamadas. Se reintenta solo; puede que sus otros teléfonos funcionen.',
    },
    unavailable: {
      title: 'El sistema telefónico no está disponible',
      text: 'De momento aquí no le llegan llamadas. Se reintenta solo.',
    },
  },

  error: {
    'auth.expired': { title: 'Su sesión ha caducado', text: 'Inicie sesión de nuevo.' },
    'auth.denied': { title: 'Se rechazó el inicio de sesión', text: 'Pida acceso a su administrador.' },
    'session.unknown': { title: 'La sesión ha terminado', text: 'Recargue la página.' },
    'session.observer': { title: 'El teléfono está en otra pestaña', text: 'Tráigalo aquí primero.' },
    'session.superseded': { title: 'Abierto en otra pestaña', text: 'Traiga el teléfono aquí o use la otra pestaña.' },
    'call.unknown': { title: 'Esta llamada ha terminado', text: '' },
    'call.wrong_state': { title: 'Ahora no es posible', text: 'La llamada ha cambiado de estado entretanto.' },
    'call.limit': { title: 'Demasiadas llamadas a la vez', text: 'Termine antes una llamada.' },
    'number.invalid': { title: 'Eso no es un número de teléfono', text: 'Escriba dígitos, o empiece por + y el código de país.' },
    'codec.none': { title: 'No hay un formato de audio común', text: 'Use una versión actual de su navegador.' },
    'media.bad_sdp': { title: 'No se pudo preparar el audio', text: 'Recargue la página e inténtelo de nuevo.' },
    'media.unavailable': {
      title: 'El servicio telefónico no tiene líneas de audio libres',
      text: 'Inténtelo de nuevo en un minuto. Si continúa, avise a su administrador.',
    },
    'registrar.down': { title: 'No se puede acceder al sistema telefónico', text: 'Inténtelo de nuevo en un minuto, o use otro teléfono.' },
    'crm.unavailable': { title: 'El CRM no responde', text: 'Sus llamadas no se ven afectadas. Inténtelo de nuevo en un minuto.' },
    'crm.limit': { title: 'Al CRM le queda poco margen por hoy', text: 'Las llamadas y sus registros continúan; las búsquedas esperan a que haya más.' },
    'crm.refused': { title: 'El CRM no lo aceptó', text: 'Compruebe los campos, o use el formulario del CRM.' },
    'crm.duplicate': { title: 'Puede que este contacto ya exista', text: 'Use uno de los registros de abajo.' },
    'invite.unknown': { title: 'Esta invitación ya no existe', text: 'Abra de nuevo la lista de invitaciones.' },
    'invite.invalid': { title: 'La invitación no está completa', text: 'Revise lo que está marcado.' },
    'invite.closed': { title: 'Esta invitación ha terminado', text: 'Cree una nueva.' },
    'policy.denied': { title: 'Esto no está permitido', text: 'Pídalo a su administrador si lo necesita.' },
    'op.conflict': { title: 'Esto se envió dos veces', text: 'Inténtelo de nuevo.' },
    'rate.limited': { title: 'Demasiadas peticiones', text: 'Espere un momento e inténtelo de nuevo.' },
    drain: { title: 'El servicio telefónico está a punto de reiniciarse', text: 'Inténtelo de nuevo en unos segundos.' },
    bad_request: { title: 'El servicio telefónico no lo entendió', text: 'Recargue la página e inténtelo de nuevo.' },
    'method.unknown': { title: 'El servicio telefónico es más antiguo que esta página', text: 'Avise a su administrador.' },
    internal: { title: 'Algo falló en el servicio telefónico', text: 'Inténtelo de nuevo. Si continúa, envíe el código a su administrador.' },
    connection: { title: 'Sin conexión', text: 'No se envió nada. Inténtelo de nuevo cuando el teléfono esté conectado.' },
  },

  microphone: {
    insecure: { title: 'El micrófono necesita una página segura', text: 'Abra esta página con https://.' },
    unsupported: { title: 'Este navegador no puede hacer llamadas', text: 'Use un Chrome, Edge, Firefox o Safari actual.' },
    blocked_by_policy: {
      title: 'La página que rodea al teléfono bloquea el micrófono',
      text: 'Su administrador puede permitirlo: en la Configuración de Salesforce, «Configuración de sesión», «Permisos de funciones del navegador», permita el micrófono a este sitio como URL de confianza.',
    },
    denied: {
      title: 'El micrófono está bloqueado en su navegador',
      text: 'Abra los ajustes del sitio a la izquierda de la barra de direcciones, ponga el micrófono en «Permitir» e inténtelo de nuevo.',
    },
    no_device: { title: 'No se encontró ningún micrófono', text: 'Conecte unos auriculares o un micrófono e inténtelo de nuevo.' },
    device_busy: {
      title: 'El micrófono no arranca',
      text: 'Puede que lo use otro programa. Ciérrelo, o desenchufe los auriculares y vuelva a enchufarlos.',
    },
  },
};
