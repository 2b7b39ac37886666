const DAY_MS = 24 * 60 * 60 * 1000;

/** The days from `first` to `last`, both included, as `YYYY-MM-DD`. Empty when `last` is before `first`. */
export function dayRange(first, last, { stepDays = 1 } = {}) {
  if (!(stepDays >= 1)) throw new RangeError(`stepDays must be at least 1, not ${stepDays}`);
  const days = [];
  const end = midnight(last);
  for (let day = midnight(first); day < end; day += stepDays * DAY_MS) days.push(format(day));
  return days;
}

/** Whether `day` lies in the range, both ends included. */
export function contains(first, last, day) {
  return midnight(first) <= midnight(day) && midnight(day) <= midnight(last);
}

function midnight(day) {
  const time = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(time)) throw new TypeError(`not a day: ${day}`);
  return time;
}

function format(time) {
  return new Date(time).toISOString().slice(0, 10);
}
