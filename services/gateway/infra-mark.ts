/** Set, to the error's code, on answers that failed through no fault of the agent. */
export const INFRA_HEADER = 'x-clade-infra';

/**
 * The same, for a stream that breaks off once its headers have left: a comment of the event stream, which clients skip. The
 * events of a provider are written anew by the gateway, so that none of them can look like it.
 */
export function infraComment(code: string): string {
  return `: ${INFRA_HEADER} ${code}\n\n`;
}

/** The code in such a comment; null when the text of the stream holds none. */
export function infraCodeIn(text: string): string | null {
  return COMMENT.exec(text)?.[1] ?? null;
}

const COMMENT = new RegExp(`^: ${INFRA_HEADER} (\\S+)$`, 'm');
