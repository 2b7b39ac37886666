/** Splits arguments into the command's name, words and flags. */
export function parseArguments(argv) {
  const flags = {};
  const words = [];
  for (const argument of argv) {
    const [, name, value] = /^--([a-z-]+)(?:=(.*))?$/.exec(argument) ?? [];
    if (name) flags[name] = value ?? true;
    else words.push(argument);
  }
  const [name = 'list', ...rest] = words;
  return { name, words: rest, flags };
}
