'use strict';
// Runs inside a sandbox: reads every source file below the directory given and says which do not parse. Runs none of them.
// Prints one JSON line: {"files": <how many were read>, "broken": [{"path", "reason"}]}.
const { readdirSync, readFileSync } = require('node:fs');
const { stripTypeScriptTypes } = require('node:module');
const { join, relative } = require('node:path');
const { Script } = require('node:vm');

const root = process.argv.at(-1);
const checks = {
  '.json': (text) => JSON.parse(text),
  '.ts': (text) => stripTypeScriptTypes(text),
  '.mts': (text) => stripTypeScriptTypes(text),
  '.mjs': (text) => stripTypeScriptTypes(text),
  '.cjs': checkScript,
  '.js': checkEither,
};

const files = sourceFiles(root);
const broken = files.flatMap((path) => {
  try {
    checks[extensionOf(path)](withoutShebang(readFileSync(path, 'utf8')));
    return [];
  } catch (error) {
    return [{ path: relative(root, path), reason: String(error.message ?? error).split('\n', 1)[0] }];
  }
});
process.stdout.write(`${JSON.stringify({ files: files.length, broken })}\n`);

function sourceFiles(dir) {
  const entries = readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return sourceFiles(path);
    return entry.isFile() && extensionOf(path) in checks ? [path] : [];
  });
}

function extensionOf(path) {
  return /\.[a-z]+$/.exec(path)?.[0] ?? '';
}

function withoutShebang(text) {
  return text.replace(/^#!.*/, '');
}

/** As CommonJS does: in a function. */
function checkScript(text) {
  new Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`);
}

function checkEither(text) {
  try {
    stripTypeScriptTypes(text);
  } catch (error) {
    try {
      checkScript(text);
    } catch {
      throw error;
    }
  }
}
