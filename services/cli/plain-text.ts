// ANSI escape sequences: CSI, OSC (to BEL or ST), and the two-character ones. ECMA-48, sections 5.3 and 5.4.
const ESCAPES = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[@-Z\\-_]/g;
// C0 but for tab and newline, DEL, C1, and what reorders or hides text (bidirectional controls, zero-width characters).
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** Text that an agent wrote, made harmless to a terminal: it can move no cursor, change no title and hide nothing. */
export function plainText(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(ESCAPES, '').replace(CONTROLS, '');
}

/** The same on one line of at most `width` characters. */
export function plainLine(text: string, width = 200): string {
  const line = plainText(text).replace(/\s+/g, ' ').trim();
  return line.length <= width ? line : `${line.slice(0, Math.max(0, width - 1))}…`;
}
