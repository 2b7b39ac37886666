// A stand-in for nvidia-smi: answers from the state.json beside it as the real one would, in its CSV form.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const state = JSON.parse(readFileSync(join(__dirname, 'state.json'), 'utf8'));
const option = (name) => process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);

if (state.hangs) setInterval(() => {}, 1_000);
else if (state.fails) end(state.fails);
else answer();

function answer() {
  const ids = option('id')?.split(',');
  const isAsked = (uuid) => ids === undefined || ids.includes(uuid);
  const fields = (option('query-gpu') ?? option('query-compute-apps') ?? '').split(',');
  const unknown = fields.find((field) => state.unknownFields?.includes(field));
  if (unknown) return end({ code: 2, stdout: `Field "${unknown}" is not a valid field to query.\n` });
  const rows =
    option('query-gpu') === undefined
      ? (state.processes ?? []).filter((row) => isAsked(row.gpu_uuid))
      : state.gpus.map((gpu, index) => ({ index, ...gpu })).filter((row) => isAsked(row.uuid));
  if (option('query-gpu') !== undefined && state.gpus.length === 0)
    return end({ code: 6, stdout: 'No devices were found\n' });
  const lines = rows.map((row) => fields.map((field) => row[field] ?? '[N/A]').join(', '));
  process.stdout.write([...lines, ...(state.warnings ?? [])].map((line) => `${line}\n`).join(''));
}

function end({ code, stdout = '', stderr = '' }) {
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  process.exitCode = code;
}
