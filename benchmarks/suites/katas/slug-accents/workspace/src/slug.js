/** A readable part of a URL: small letters, digits and single dashes, at most `maxLength` characters. */
export function slug(title, { maxLength = 60 } = {}) {
  const words = title
    .toLowerCase()
    .replace(/['’]/g, '')
    .replace(/[^a-z0-9]+/g, '-');
  return trimDashes(trimDashes(words).slice(0, maxLength));
}

function trimDashes(text) {
  return text.replace(/^-+|-+$/g, '');
}
