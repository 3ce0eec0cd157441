/** @import {words as english} from '../en/elsewhere.js' */

/** @type {typeof english} */
export const words = {
  elsewhere: {
    title: 'Abierto en otra pestaña',
    text: 'Su teléfono se está usando en otra pestaña o ventana. Las llamadas suenan allí.',
    takeOver: 'Usarlo aquí',
    windowTitle: 'Su llamada está en la ventana de vídeo',
    windowText: 'Las llamadas suenan allí. Ciérrela y el teléfono volverá aquí.',
    windowGone: 'No se encontró la ventana. Traiga la llamada aquí.',
    idle: 'Su teléfono está en otra pestaña. Las llamadas suenan allí.',
    ringing: 'Suena en otra pestaña. Conteste y la llamada pasará aquí.',
    inCall: 'Está hablando en otra pestaña.',
    move: 'Traer la llamada aquí',
  },
};
