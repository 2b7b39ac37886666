/** A stretch of time, in milliseconds since the epoch. */
export interface Span {
  fromMs: number;
  toMs: number;
}

/**
 * A text without what another run of the same program prints differently and nobody acts on: readings of the clock, which
 * are times within `span`; how long a runner of tests says that they took; where something lies in memory or on the disk; the
 * ids of the container and of Node's process. Times outside of the span are data and stay, as do all other durations, which
 * may be what was asked about, and all names and ids that a model may use in its next call.
 */
export function withoutReadings(text: string, span: Span): string {
  if (!/\d/.test(text)) return text;
  const slack = { fromMs: span.fromMs - SKEW_MS, toMs: span.toMs + SKEW_MS };
  const timeless = clocks.reduce((rest, clock) => withoutClock(rest, clock, slack), text);
  return stopwatches.reduce((rest, pattern) => rest.replace(pattern, '$1<n>'), timeless);
}

/** How far clocks of machines that work together may be apart. */
const SKEW_MS = 120_000;

/** A way to write a time. `readMs`: the time, UTC unless it says otherwise, and how exact it is; more than one when it leaves that open. */
interface Clock {
  pattern: RegExp;
  readMs: (parts: Record<string, string | undefined>, span: Span) => number[];
  exactMs: number;
}

const month = '(?<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const time = String.raw`(?<h>\d\d):(?<min>\d\d):(?<s>\d\d)(?:[.,]\d{1,9})?`;
const zone = String.raw`(?: ?(?<zone>Z|UTC|GMT(?![+-])|(?:GMT)?[+-]\d\d:?\d\d)(?: \([A-Z][\w ]{2,40}\))?)?`;
const weekday = '(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?';

const clocks: readonly Clock[] = [
  clock(
    String.raw`(?<y>\d{4})-(?<mon>\d\d)-(?<d>\d\d)[T ](?<h>\d\d):(?<min>\d\d)(?::(?<s>\d\d)(?:[.,]\d{1,9})?)?${zone}`,
  ),
  clock(String.raw`${weekday}${month} {1,2}(?<d>\d{1,2}) ${time}(?: (?:UTC|GMT))? (?<y>\d{4})${zone}`),
  clock(String.raw`${weekday}${month} (?<d>\d{1,2}) (?<y>\d{4}) ${time}${zone}`),
  clock(String.raw`${weekday}(?<d>\d{1,2}) ${month} (?<y>\d{4}) ${time}${zone}`),
  // As `ls -l` writes it, which leaves out the year.
  {
    pattern: new RegExp(String.raw`\b${month} {1,2}(?<d>\d{1,2}) {1,2}(?<h>\d\d):(?<min>\d\d)\b(?!:)`, 'g'),
    readMs: (parts, span) => [yearOf(span.fromMs), yearOf(span.toMs)].map((y) => utcMs({ ...parts, y })),
    exactMs: 60_000,
  },
  {
    pattern: /\b(?<digits>\d{10}|\d{13}|\d{16}|\d{19})(?:\.\d{1,9})?\b/g,
    readMs: ({ digits = '' }) => [Number(digits) * 10 ** (13 - digits.length)],
    exactMs: 1_000,
  },
  // The time of day alone, while it still tells something.
  {
    pattern: new RegExp(String.raw`(?<![\d:])${time}(?![\d:])`, 'g'),
    readMs: (parts, span) => (span.toMs - span.fromMs < DAY_MS ? daysOf(span).map((day) => day + dayMs(parts)) : []),
    exactMs: 1_000,
  },
];

const DAY_MS = 86_400_000;

function clock(written: string): Clock {
  return {
    pattern: new RegExp(String.raw`(?<!\d)${written}(?![\d:])`, 'g'),
    readMs: (parts) => [utcMs(parts) - zoneMs(parts.zone ?? '')],
    exactMs: 60_000,
  };
}

function withoutClock(text: string, { pattern, readMs, exactMs }: Clock, span: Span): string {
  return text.replace(pattern, (found: string, ...rest: unknown[]) => {
    // The last of what `replace` hands over are the named groups.
    const parts = rest.at(-1) as Record<string, string | undefined>;
    const isReading = readMs(parts, span).some((ms) => ms + exactMs > span.fromMs && ms <= span.toMs);
    return isReading ? '<time>' : found;
  });
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function utcMs(parts: Record<string, string | number | undefined>): number {
  const { y, mon, month: name, d } = parts;
  const at = mon === undefined ? months.indexOf(String(name)) : Number(mon) - 1;
  return Date.UTC(Number(y), at, Number(d)) + dayMs(parts);
}

function dayMs({ h, min, s = 0 }: Record<string, string | number | undefined>): number {
  return ((Number(h) * 60 + Number(min)) * 60 + Number(s)) * 1_000;
}

function zoneMs(zone: string): number {
  const [, sign, hours, minutes] = /([+-])(\d\d):?(\d\d)$/.exec(zone) ?? [];
  return hours === undefined ? 0 : (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}

function yearOf(ms: number): number {
  return new Date(ms).getUTCFullYear();
}

/** The starts of the days that a span touches. */
function daysOf({ fromMs, toMs }: Span): number[] {
  return [fromMs, toMs].map((ms) => ms - (ms % DAY_MS));
}

// Every repetition here has an end: agents write these texts.
const took = String.raw`\d{1,9}(?:\.\d{1,9})?`;
const unit = '(?:ms|s|sec)';

/** How long it took, as runners of tests and builds say it beside their results, and ids that the system gave. What the group holds stays. */
const stopwatches: readonly RegExp[] = [
  // The mark of a result, and the time at the end of its line: node:test, mocha, jest, vitest, go, gtest.
  of(
    String.raw`^([ \t]{0,40}(?:[✔✖✓✗×√▶ℹ﹣❯↓]|---|\[[ A-Z=-]{4,12}\]|(?:not )?ok|PASS|FAIL)[ \t][^\n]{0,300}?[ \t(])${took} ?${unit}(?: total)?\)?$`,
  ),
  of(String.raw`\b(duration_ms:? )${took}`), // node:test
  of(String.raw`^([ \t]{0,40}\d{1,6} (?:passing|failing|pending) )\(${took}${unit}\)$`), // mocha
  of(String.raw`^([ \t]{0,40}Duration[ \t]{1,8})${took}${unit}(?: \([^\n]{0,300}\))?$`), // vitest
  of(String.raw`^(Time:[ \t]{1,12})${took} ${unit}(?:, estimated ${took} ${unit})?$`), // jest
  of(String.raw`\b((?:passed|failed|errors?|skipped|deselected|xfailed|xpassed|warnings?|tests ran) in )${took}s`), // pytest
  of(String.raw`^()${took}s(?= (?:call|setup|teardown)\b)`), // pytest
  of(String.raw`^(Ran \d{1,9} tests? in )${took}s$`), // unittest
  of(String.raw`^((?:ok|FAIL)[ \t]{1,8}[^\s]{1,300}[ \t]{1,8})${took}s\b`), // go
  of(String.raw`\b((?:finished|target\(s\)) in )(?:\d{1,4}m )?${took}s\b`), // cargo
  of(String.raw`^(BUILD (?:SUCCESSFUL|FAILED) in )(?:\d{1,4}m )?${took}${unit}\b`), // gradle
  of(String.raw`\b(Time elapsed: |Total time: {1,4}|Test run finished after )[\d.:]{1,12} (?:${unit}|min)\b`), // maven, junit
  of(String.raw`\b((?:Passed|Failed|Total Test time \(real\) =) {1,8})${took} sec\b`), // ctest
  of(String.raw`^(Device: )[^\n]{1,60}\tInode: \d{1,20}`), // where a file is on its disk, as `stat` says
  of(String.raw`( at 0x)[0-9a-f]{8,16}\b`), // an object's address, in Python
  of(String.raw`(/docker[/-])[0-9a-f]{64}\b`), // the container, in the name of its control group
  of(String.raw`(\(node:)\d{1,7}\)`), // the process, in a warning of Node
];

function of(pattern: string): RegExp {
  return new RegExp(pattern, 'gm');
}
