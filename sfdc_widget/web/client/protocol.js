/** Constants of the browser protocol; its types are generated into `wire.d.ts`. */

export const SUBPROTOCOL = 'ringbridge.v1';

/** WebSocket close codes that mean more than "the link broke". */
export const CLOSE = Object.freeze({
  PROTOCOL: 4400,
  NO_HELLO: 4401,
  SUPERSEDED: 4409,
  SIGNED_OUT: 4410,
  DRAIN: 4503,
});
