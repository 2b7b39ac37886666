const blockBytes = 512;

/**
 * Sets every entry's time in a tar archive of git's to zero, so that the bytes depend on the content alone: for a tree,
 * git writes the clock. Format: POSIX.1-1988 ustar; the time is 12 octal characters at 136, the checksum 8 at 148.
 */
export function plainTar(tar: Uint8Array): Uint8Array {
  const plain = new Uint8Array(tar);
  for (let at = 0; at + blockBytes <= plain.length && plain[at] !== 0; at = nextEntry(plain, at)) {
    plain.set(new TextEncoder().encode('00000000000\0'), at + 136);
    plain.set(new TextEncoder().encode(checksum(plain.subarray(at, at + blockBytes))), at + 148);
  }
  return plain;
}

function nextEntry(tar: Uint8Array, at: number): number {
  const size = Number.parseInt(new TextDecoder('latin1').decode(tar.subarray(at + 124, at + 136)), 8);
  return at + blockBytes + Math.ceil(size / blockBytes) * blockBytes;
}

/** The sum of the header's bytes, its own place counted as blanks. */
function checksum(header: Uint8Array): string {
  const blanked = Uint8Array.from(header).fill(0x20, 148, 156);
  const sum = blanked.reduce((total, byte) => total + byte, 0);
  return `${sum.toString(8).padStart(6, '0')}\0 `;
}
