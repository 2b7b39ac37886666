/** Seconds as `m:ss`, from one hour on as `h:mm:ss`. Fractions are cut off. */
export function formatDuration(seconds) {
  if (!Number.isFinite(seconds)) throw new TypeError(`not a number of seconds: ${seconds}`);
  if (seconds < 0) return `-${formatDuration(-seconds)}`;
  const whole = Math.trunc(seconds);
  const minutes = Math.floor(whole / 60);
  return `${minutes}:${twoDigits(whole % 60)}`;
}

/** The seconds of `m:ss` or `h:mm:ss`. */
export function parseDuration(text) {
  const parts = text.split(':').map(Number);
  if (parts.length < 2 || parts.some(Number.isNaN)) throw new TypeError(`not a duration: ${text}`);
  return parts.reduce((sum, part) => sum * 60 + part, 0);
}

function twoDigits(number) {
  return String(number).padStart(2, '0');
}
