/** Splits tokens at semicolons; empty statements are left out. */
export function split(tokens) {
  const statements = [[]];
  for (const token of tokens) {
    if (token.kind === 'symbol' && token.text === ';') statements.push([]);
    else statements.at(-1).push(token);
  }
  return statements.filter((statement) => statement.length > 0);
}
