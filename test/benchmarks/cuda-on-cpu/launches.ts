/**
 * A source of CUDA C++ as C++: each `kernel<<<grid, block, bytes, stream>>>(arguments)` becomes a call of the launch function in
 * `include/cuda_runtime.h`, shared memory of a size given at the launch a pointer to it.
 */
export function withoutLaunches(source: string): string {
  const hasFibers = /\b__sync|\b__shfl|cooperative_groups/.test(source);
  let text = source.replaceAll(
    /\bextern\s+__shared__\s+([\w\s]+?)\s*(\w+)\[\];/g,
    '$1* $2 = static_cast<$1*>(cuda_on_cpu::dynamic_shared());',
  );
  for (let at = text.indexOf('<<<'); at >= 0; at = text.indexOf('<<<')) text = replaceLaunch(text, at, hasFibers);
  return text;
}

function replaceLaunch(text: string, open: number, hasFibers: boolean): string {
  const start = kernelStart(text, open);
  const close = text.indexOf('>>>', open);
  const call = text.indexOf('(', close);
  const end = closingParenthesis(text, call);
  if (close < 0 || call < 0 || end < 0) throw new Error(`A launch cannot be read: ${text.slice(open - 40, open + 80)}`);
  const launch = `const cuda_on_cpu::Launch launch{${text.slice(open + 3, close)}}`;
  const thread = `[=] { ${text.slice(start, open)}${text.slice(call, end + 1)}; }`;
  const all = `do { ${launch}; cuda_on_cpu::launch(launch.grid, launch.block, launch.shared_bytes, launch.stream, ${thread}, ${hasFibers}); } while (false)`;
  return text.slice(0, start) + all + text.slice(end + 1);
}

/** Where the kernel's name begins, template arguments and all. */
function kernelStart(text: string, open: number): number {
  let at = open;
  if (text[at - 1] === '>') {
    let depth = 0;
    do {
      at--;
      if (text[at] === '>') depth++;
      if (text[at] === '<') depth--;
    } while (depth > 0 && at > 0);
  }
  while (at > 0 && /[\w:]/.test(text[at - 1] ?? '')) at--;
  return at;
}

function closingParenthesis(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === '(') depth++;
    if (text[at] === ')' && --depth === 0) return at;
  }
  return -1;
}
