/** Outline icons drawn for this page, 20 x 20; keys are those adapters set. */

const HANDSET =
  'M5.2 3.5 7 3.1c.4-.1.8.1 1 .5l.9 2.1c.1.3.1.7-.2 1L7.500 8a10 10 0 0 0 4.500 4.500' +
  'l1.300-1.200c.3-.3.7-.3 1-.2l2.100.9c.4.2.6.6.5 1l-.4 1.800c-.1.5-.5.8-1 .8A11.500 11.500 0 0 1 4.400 4.500c0-.5.3-.9.8-1Z';

const SHAPES = {
  call: [HANDSET],
  end_call: ['M2.500 12.500c4-4.600 11-4.600 15 0l-1.600 1.800-3-1.300v-2c-1.900-.6-3.900-.6-5.800 0v2l-3 1.300Z'],
  incoming_call: [HANDSET, 'M17 3l-4.500 4.500M12.500 4.200v3.300h3.300'],
  outbound_call: [HANDSET, 'M12.500 7.500 17 3M13.700 3H17v3.300'],
  missed_call: [HANDSET, 'M12.500 3.500l4 4M16.500 3.500l-4 4'],
  muted: ['M8 4.500a2 2 0 0 1 4 0v5a2 2 0 0 1-4 0ZM5 9.500a5 5 0 0 0 10 0M10 14.500V17M4 4l12 12'],
  unmuted: ['M8 4.500a2 2 0 0 1 4 0v5a2 2 0 0 1-4 0ZM5 9.500a5 5 0 0 0 10 0M10 14.500V17'],
  video: ['M3 6h9v8H3ZM12 9l5-2.500v7L12 11'],
  pause: ['M7 4.500v11M13 4.500v11'],
  Contact: ['M10 9.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM4 16.500c.6-3.300 3-5 6-5s5.400 1.700 6 5Z'],
  Account: ['M4 16.500v-12h7v12M11 8h5v8.500M2.500 16.500h15M6.500 7.500h2M6.500 10.500h2M13 11h1'],
  Lead: ['M10 3l2.100 4.400 4.900.6-3.600 3.300.9 4.800L10 13.700l-4.300 2.400.9-4.800L3 8l4.900-.6Z'],
  Opportunity: ['M3.500 8l3 6.500h7l3-6.500-3.700 2.500L10 5l-2.800 5.500Z'],
  Case: ['M3.500 7h13v8.500h-13ZM7.500 7V4.500h5V7M3.500 10.500h13'],
  Task: ['M4.500 4.500h11v11h-11ZM7.500 10l2 2 3.500-4'],
  Event: ['M4 5.500h12v10.500H4ZM4 9h12M7.500 3.500v3M12.500 3.500v3'],
  refresh: ['M15.500 8A6 6 0 1 0 16 11.500M16 4v4h-4'],
  plus: ['M10 4.500v11M4.500 10h11'],
};

const SVG = 'http://www.w3.org/2000/svg';

export function icon(key) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', 'icon');
  for (const shape of SHAPES[key] ?? SHAPES.call) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', shape);
    svg.append(path);
  }
  return svg;
}
