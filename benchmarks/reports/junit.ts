import type { TestStatus } from '#benchmarks/schema.ts';
import { NESTED, note, type TestReport } from './report.ts';

// No part can run past the next `<`, so that reading takes time in proportion to the text whatever it holds.
const TAG = /<(\/?)([A-Za-z][\w:.-]*)((?:"[^"<]*"|'[^'<]*'|[^"'<>])*)>/y;
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

interface TestCase {
  name: string;
  status: TestStatus;
}

/**
 * Reads JUnit XML, with other text around it if need be. Tests are named `classname > name`, or `name` where there is no
 * class. `<failure>` and `<error>` fail a test, `<skipped>` skips it. A test whose end is missing failed.
 */
export function parseJunit(text: string): TestReport {
  const report: TestReport = new Map();
  let current: TestCase | null = null;
  for (const { tag, kind, attributes } of tagsOf(text)) {
    if (tag === 'testcase' && kind !== 'close') current = { name: nameOf(attributes), status: 'passed' };
    if (current && tag !== 'testcase' && kind !== 'close') current.status = worse(current.status, tag);
    if (current && tag === 'testcase' && kind !== 'open') {
      note(report, current.name, current.status);
      current = null;
    }
  }
  if (current) note(report, current.name, 'failed');
  return report;
}

interface Tag {
  tag: string;
  kind: 'open' | 'close' | 'empty';
  attributes: string;
}

function* tagsOf(text: string): Generator<Tag> {
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', at)) {
    const end = endOfAside(text, at);
    if (end !== null) {
      at = end;
      continue;
    }
    TAG.lastIndex = at;
    const [whole = '<', slash, tag = '', rest = ''] = TAG.exec(text) ?? [];
    at += whole.length;
    const kind = slash === '/' ? 'close' : rest.endsWith('/') ? 'empty' : 'open';
    if (tag !== '') yield { tag, kind, attributes: rest };
  }
}

/** The end of a comment or of CDATA that begins here; the end of the text when it is never closed; null for anything else. */
function endOfAside(text: string, at: number): number | null {
  const closing = text.startsWith('<!--', at) ? '-->' : text.startsWith('<![CDATA[', at) ? ']]>' : null;
  if (closing === null) return null;
  const end = text.indexOf(closing, at);
  return end < 0 ? text.length : end + closing.length;
}

function worse(status: TestStatus, tag: string): TestStatus {
  if (tag === 'failure' || tag === 'error') return 'failed';
  return tag === 'skipped' && status === 'passed' ? 'skipped' : status;
}

function nameOf(attributes: string): string {
  const group = attribute(attributes, 'classname');
  const name = attribute(attributes, 'name') ?? '';
  return group ? `${group}${NESTED}${name}` : name;
}

function attribute(attributes: string, name: string): string | undefined {
  const value = new RegExp(`(?:^|\\s)${name}\\s*=\\s*("[^"]*"|'[^']*')`).exec(attributes)?.[1];
  return value === undefined ? undefined : decode(value.slice(1, -1));
}

function decode(text: string): string {
  return text.replace(/&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(\w+));/g, (whole, hex, decimal, word) => {
    const code = hex ? Number.parseInt(hex, 16) : decimal ? Number(decimal) : null;
    if (code !== null) return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    return ENTITIES[word] ?? whole;
  });
}
