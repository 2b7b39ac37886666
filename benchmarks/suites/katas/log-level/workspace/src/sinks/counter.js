/** Counts the records of each level. */
export function counter() {
  const counts = {};
  const sink = ({ lvl }) => {
    counts[lvl] = (counts[lvl] ?? 0) + 1;
  };
  return { sink, counts };
}
