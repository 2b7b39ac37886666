import { concat } from './bytes.ts';
import { SandboxLimit, type TakeCaps } from './sandbox.ts';
import type { TarEntry } from './schema.ts';

/** The bytes are no tar archive, or one that was cut off. */
export class BrokenTar extends Error {
  override name = 'BrokenTar';
}

const BLOCK = 512;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A tar archive (POSIX.1-2001: ustar, with pax headers for names that do not fit) of regular files, in the order given.
 * The same entries always give the same bytes: times and owners are zero.
 */
export function packTar(entries: Iterable<TarEntry>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const entry of entries) parts.push(...packEntry(entry));
  parts.push(new Uint8Array(2 * BLOCK));
  return concat(parts);
}

/**
 * The regular files of a tar archive (ustar, pax or GNU long names), by their cleaned-up relative paths; of two with one
 * path the later counts. Links, special files and directories are left out, and so are files whose name is absolute,
 * contains `..`, or is not UTF-8.
 * @throws SandboxLimit when the files are more than `caps` allow; BrokenTar when this is no archive.
 */
export function readTar(tar: Uint8Array, caps: TakeCaps = { maxBytes: Infinity, maxEntries: Infinity }): TarEntry[] {
  const files = new Map<string, TarEntry>();
  let bytes = 0;
  for (const { path, content, mode } of regularFiles(tar)) {
    const clean = cleanPath(path);
    if (clean === undefined) continue;
    bytes += content.length;
    files.set(clean, { path: clean, bytes: content, executable: (mode & 0o100) !== 0 });
    if (bytes > caps.maxBytes) throw new SandboxLimit(`The files are more than ${caps.maxBytes} bytes.`);
    if (files.size > caps.maxEntries) throw new SandboxLimit(`There are more than ${caps.maxEntries} files.`);
  }
  return [...files.values()];
}

interface RawFile {
  path: string | undefined;
  content: Uint8Array;
  mode: number;
}

function* regularFiles(tar: Uint8Array): Generator<RawFile> {
  let longName: Uint8Array | undefined;
  let pax = new Map<string, Uint8Array>();
  for (let offset = 0; offset < tar.length; ) {
    const header = slice(tar, offset, BLOCK);
    if (header.every((byte) => byte === 0)) return;
    checkSum(header);
    const size = pax.has('size') ? Number(text(pax.get('size'))) : numberField(header, 124, 12);
    if (!Number.isSafeInteger(size) || size < 0) throw new BrokenTar(`The entry at byte ${offset} has no valid size.`);
    const content = slice(tar, offset + BLOCK, size);
    offset += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    const type = String.fromCharCode(header[156] ?? 0);
    if (type === 'L') longName = untilNul(content);
    else if (type === 'x') pax = paxRecords(content);
    else if (type !== 'K' && type !== 'g') {
      const name = pax.get('path') ?? longName ?? headerName(header);
      if (type === '0' || type === '\0' || type === '7') {
        yield { path: text(name), content, mode: numberField(header, 100, 8) };
      }
      longName = undefined;
      pax = new Map();
    }
  }
  throw new BrokenTar('The archive ends before its end mark.');
}

function slice(tar: Uint8Array, offset: number, length: number): Uint8Array {
  if (offset + length > tar.length) throw new BrokenTar(`The archive is cut off at byte ${tar.length}.`);
  return tar.subarray(offset, offset + length);
}

function checkSum(header: Uint8Array): void {
  let sum = 0;
  for (let at = 0; at < BLOCK; at++) sum += at >= 148 && at < 156 ? 32 : (header[at] ?? 0);
  if (sum !== numberField(header, 148, 8)) throw new BrokenTar('A header of the archive has a wrong checksum.');
}

/** Octal digits, or GNU's base 256 when the first bit is set. */
function numberField(header: Uint8Array, offset: number, length: number): number {
  const field = header.subarray(offset, offset + length);
  if (((field[0] ?? 0) & 0x80) !== 0) {
    return field.reduce((value, byte, at) => (at === 0 ? byte & 0x7f : value * 256 + byte), 0);
  }
  return Number.parseInt(String.fromCharCode(...untilNul(field)).trim() || '0', 8);
}

function headerName(header: Uint8Array): Uint8Array {
  const name = untilNul(header.subarray(0, 100));
  const isUstar = text(header.subarray(257, 263)) === 'ustar\0';
  const prefix = isUstar ? untilNul(header.subarray(345, 500)) : new Uint8Array(0);
  return prefix.length === 0 ? name : concat([prefix, encoder.encode('/'), name]);
}

/** Records of the form `LENGTH KEY=VALUE\n`, where the length counts itself. */
function paxRecords(content: Uint8Array): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  for (let offset = 0; offset < content.length; ) {
    const space = content.indexOf(0x20, offset);
    const length = Number(text(content.subarray(offset, space)));
    if (space < 0 || !Number.isSafeInteger(length) || length <= 0) throw new BrokenTar('A pax header is malformed.');
    const equals = content.indexOf(0x3d, space);
    const key = text(content.subarray(space + 1, equals));
    if (key !== undefined) records.set(key, content.subarray(equals + 1, offset + length - 1));
    offset += length;
  }
  return records;
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/** Undefined when the bytes are not UTF-8. */
function text(bytes: Uint8Array | undefined): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function cleanPath(path: string | undefined): string | undefined {
  if (path === undefined || path.startsWith('/') || path.includes('\0')) return undefined;
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return parts.length === 0 || parts.includes('..') ? undefined : parts.join('/');
}

function packEntry({ path, bytes, executable }: TarEntry): Uint8Array[] {
  if (cleanPath(path) !== path) throw new BrokenTar(`${JSON.stringify(path)} cannot be a path in an archive.`);
  const name = encoder.encode(path);
  const mode = executable ? 0o755 : 0o644;
  // Names that are plain ASCII of up to 100 bytes need no pax header; every tar reads those alike.
  const fits = name.length <= 100 && /^[\x20-\x7e]+$/.test(path);
  const file = [header(fits ? name : encoder.encode('long-name'), '0', bytes.length, mode), ...padded(bytes)];
  if (fits) return file;
  const record = paxRecord('path', path);
  return [header(encoder.encode('pax-header'), 'x', record.length, 0o644), ...padded(record), ...file];
}

function header(name: Uint8Array, type: string, size: number, mode: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (value: string, offset: number): void => block.set(encoder.encode(value), offset);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;
  block.set(name, 0);
  put(octal(mode, 7), 100);
  put(octal(0, 7), 108);
  put(octal(0, 7), 116);
  put(octal(size, 11), 124);
  put(octal(0, 11), 136);
  put(`        ${type}`, 148);
  put('ustar\x0000', 257);
  put(
    `${octal(
      block.reduce((sum, byte) => sum + byte, 0),
      6,
    )} `,
    148,
  );
  return block;
}

function paxRecord(key: string, value: string): Uint8Array {
  const rest = encoder.encode(` ${key}=${value}\n`);
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return concat([encoder.encode(String(length)), rest]);
}

const padded = (bytes: Uint8Array): Uint8Array[] => [bytes, new Uint8Array(-bytes.length & (BLOCK - 1))];
