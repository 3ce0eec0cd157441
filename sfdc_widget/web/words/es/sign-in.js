/** @import {words as english} from '../en/sign-in.js' */

/** @type {typeof english} */
export const words = {
  signIn: {
    title: 'Inicie sesión en su teléfono',
    tenant: 'Empresa',
    username: 'Nombre de usuario',
    password: 'Contraseña',
    submit: 'Iniciar sesión',
    busy: 'Iniciando sesión…',
    required: 'Rellene todos los campos.',
    salesforce: 'Iniciar sesión con Salesforce',
    waiting: 'Continúe en la ventana que se ha abierto.',
    cancel: 'Cancelar',
    phone: 'Iniciar sesión con su cuenta de teléfono',
    byPassword: 'Iniciar sesión con contraseña',
    phoneUsername: 'Usuario del teléfono',
    phonePassword: 'Contraseña del teléfono',
    phoneNote: 'El nombre y la contraseña con que se registra su teléfono de mesa.',
  },

  signInProblem: {
    denied: 'El nombre de usuario o la contraseña no son correctos.',
    expired: 'Su sesión ha caducado. Inicie sesión de nuevo.',
    rate_limited: 'Demasiados intentos. Espere un minuto e inténtelo de nuevo.',
    unreachable: 'No se puede acceder al servicio telefónico. Compruebe su red e inténtelo de nuevo.',
    failed: 'No se pudo iniciar sesión. Inténtelo de nuevo o consulte a su administrador.',
    phone_unreachable: 'El sistema telefónico no responde. Inténtelo de nuevo en un minuto, o inicie sesión de otra forma.',
    popup_blocked: 'El navegador bloqueó la ventana de inicio de sesión. Permita las ventanas emergentes de este sitio a la derecha de la barra de direcciones e inténtelo de nuevo.',
    popup_closed: 'La ventana se cerró antes de iniciar la sesión. Inténtelo de nuevo, o inicie sesión de otra forma.',
    declined: 'No permitió Ringbridge en Salesforce. Inténtelo de nuevo y elija «Permitir», o inicie sesión de otra forma.',
    not_approved: 'Su administrador de Salesforce aún no ha aprobado el teléfono para usted. Pídale el conjunto de permisos «Ringbridge Rep».',
    wrong_org: 'Inició sesión en otra organización de Salesforce. Cierre esa sesión e inténtelo con la cuenta de su empresa.',
    unknown_user: 'Su usuario de Salesforce aún no tiene teléfono aquí. Pida a su administrador que le añada, o inicie sesión con su cuenta de teléfono.',
    window_expired: 'Tardó demasiado, o la ventana se abrió dos veces. Inténtelo de nuevo.',
    off: 'Esta empresa no usa el inicio de sesión con Salesforce. Inicie sesión de otra forma.',
    crm_unreachable: 'Salesforce no responde. Inténtelo de nuevo en un minuto, o inicie sesión de otra forma.',
  },
  signInWindow: {
    done: 'Ha iniciado sesión',
    problem: 'No ha iniciado sesión',
    close: 'Puede cerrar esta ventana y volver al teléfono.',
    cutOff: 'Desde aquí no se puede acceder al teléfono',
    cutOffText:
      'El navegador ha separado esta ventana del teléfono. Ciérrela e inicie sesión allí de otra forma, o consulte a su administrador.',
  },
  signInByHost: 'Salesforce no confirmó quién es usted, así que inicie sesión aquí. Su administrador puede configurar el inicio automático.',
};
