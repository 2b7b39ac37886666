import { contentType } from './mime.js';

/** The headers a static file is served with. */
export function headersFor(path, bytes) {
  return { 'content-type': contentType(path), 'content-length': String(bytes) };
}
