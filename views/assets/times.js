/** Turns moments, sent in UTC, into the reader's own time zone; the original stays as the title. */
export function showLocalTimes(root) {
  const language = root.documentElement.lang;
  const day = { year: 'numeric', month: 'short', day: 'numeric' };
  const styles = {
    date: new Intl.DateTimeFormat(language, day),
    time: new Intl.DateTimeFormat(language, { ...day, hour: '2-digit', minute: '2-digit' }),
  };
  for (const element of root.querySelectorAll('time[data-style]')) {
    element.title = element.textContent;
    element.textContent = styles[element.dataset.style].format(new Date(element.dateTime));
  }
}
