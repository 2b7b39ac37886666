import CliTable from 'cli-table3';

const BORDERLESS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** Rows under their headings, in columns. Headings that end in `>` align their column to the right. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const drawn = new CliTable({
    head: headings.map((heading) => heading.replace(/>$/, '')),
    colAligns: headings.map((heading) => (heading.endsWith('>') ? 'right' : 'left')),
    chars: BORDERLESS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  });
  for (const row of rows) drawn.push([...row]);
  return drawn.toString().replace(/ +$/gm, '');
}
