import type { Edit } from './entry.ts';

/** A tool `view` for the seed agent. */
export const rangedView: readonly Edit[] = [
  {
    kind: 'create',
    path: 'view.ts',
    text: `import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Tool } from './tools.ts';

const most = 200;

/** Shows some lines of a file with their numbers. */
export function viewTool(directory: string): Tool {
  return {
    name: 'view',
    description: \`Shows the lines of a file from a first to a last one, at most \${most} of them.\`,
    parameters: {
      path: { type: 'string', description: 'The file, relative to the repository.' },
      first: { type: 'integer', description: 'The first line, from 1.' },
      last: { type: 'integer', description: 'The last line.' },
    },
    required: ['path', 'first', 'last'],
    run: ({ path, first, last }) => view(resolve(directory, String(path)), Number(first), Number(last)),
  };
}

function view(file: string, first: number, last: number): string {
  const lines = readFileSync(file, 'utf8').split('\\n');
  const from = Math.max(1, first || 1);
  const shown = lines.slice(from - 1, Math.min(last || from, from + most - 1));
  return [...shown.map((line, index) => \`\${from + index}: \${line}\`), \`(of \${lines.length} lines)\`].join('\\n');
}
`,
  },
  ...offer('view'),
];

/** A tool `search` for the seed agent. */
export const searchFiles: readonly Edit[] = [
  {
    kind: 'create',
    path: 'search.ts',
    text: `import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text, type Tool } from './tools.ts';

const most = 50;
const skipped = new Set(['.git', 'node_modules']);

/** Finds a text in the files of the repository. */
export function searchTool(directory: string): Tool {
  return {
    name: 'search',
    description: 'Finds a text in all files and shows path, line number and line.',
    parameters: { pattern: { type: 'string', description: 'The text to find, as it is written.' } },
    required: ['pattern'],
    run: (args) => {
      const found = filesIn(directory, '').flatMap((path) => linesWith(directory, path, text(args, 'pattern')));
      return found.length > 0 ? found.slice(0, most).join('\\n') : 'found nowhere';
    },
  };
}

function filesIn(directory: string, folder: string): string[] {
  const entries = readdirSync(join(directory, folder), { withFileTypes: true });
  const sorted = entries.filter(({ name }) => !skipped.has(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
  return sorted.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesIn(directory, path);
    return entry.isFile() ? [path] : [];
  });
}

function linesWith(directory: string, path: string, wanted: string): string[] {
  const lines = readFileSync(join(directory, path), 'utf8').split('\\n');
  return lines.flatMap((line, index) => (line.includes(wanted) ? [\`\${path}:\${index + 1}: \${line.slice(0, 200)}\`] : []));
}
`,
  },
  ...offer('search'),
];

/** Puts a tool of a new file on the list of tools. */
function offer(name: string): Edit[] {
  return [
    {
      kind: 'replace',
      path: 'tools.ts',
      anchor: "import { edit } from './edit.ts';",
      replacement: `import { edit } from './edit.ts';\nimport { ${name}Tool } from './${name}.ts';`,
    },
    {
      kind: 'replace',
      path: 'tools.ts',
      anchor: 'editTool(directory)',
      replacement: `editTool(directory), ${name}Tool(directory)`,
    },
  ];
}
