/** Said where another page has the phone. */
export const words = {
  elsewhere: {
    title: 'Open in another tab',
    text: 'Your phone is in use in another tab or window. Calls ring there.',
    takeOver: 'Use it here',
    windowTitle: 'Your call is in the video window',
    windowText: 'Calls ring there. Close it, and the phone is here again.',
    windowGone: 'The window was not found. Bring the call back here instead.',
    idle: 'Your phone is in another tab. Calls ring there.',
    ringing: 'It rings in another tab. Answer, and the call is here.',
    inCall: 'You are talking in another tab.',
    move: 'Move the call here',
  },
};
