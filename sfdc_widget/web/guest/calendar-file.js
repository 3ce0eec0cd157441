/** Hands the user an iCalendar file, as a download. @param {string} text */
export function saveCalendar(text) {
  const address = URL.createObjectURL(new Blob([text], { type: 'text/calendar;charset=utf-8' }));
  const anchor = document.createElement('a');
  anchor.href = address;
  anchor.download = 'invite.ics';
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  // Some browsers fetch it only after a moment.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
