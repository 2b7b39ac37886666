import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Behaviour, completion, json } from '#test/gateway/stand-in-provider.ts';

/** Looks at all that a model may look at in a repository, much of which another run shows otherwise. */
const looks = [
  'pwd; hostname; env | sort',
  'date; date -R; date +%s; date +%s%N; date -Iseconds',
  'ls -la; ls -la --full-time; stat package.json',
  "find . -not -path './.git/*'",
  'git status; git log; git cat-file -p HEAD; ls .git',
  'node --test 2>&1 | head -n 80',
  'node --test --test-reporter=tap 2>&1 | head -n 80',
  'node -e "process.emitWarning(\'old\'); console.log(new Date(), new Date().toISOString(), Date.now())" 2>&1',
  'echo "// seen" >> package.json.note; ls -l; git diff; git status --short',
  'python3 -c "print(object(), hash(str(1)), set(map(str, range(9))))" 2>&1; cat /proc/self/cgroup | head -n 1',
];

/**
 * A model that looks at one thing after the other and then is done, whatever the task. Like those of providers it takes
 * its time, and gives each answer and each call an id that never comes again.
 */
export const curious: Behaviour = async (response, received) => {
  const messages = received.body.messages as { role: string }[];
  const command = looks[messages.filter(({ role }) => role === 'assistant').length];
  await sleep(40);
  const id = `chatcmpl-${randomUUID()}`;
  if (command === undefined) return json({ ...completion({ content: 'I have seen it all.' }), id })(response, received);
  const call = {
    id: `call_${randomUUID()}`,
    type: 'function',
    function: { name: 'bash', arguments: JSON.stringify({ command }) },
  };
  return json({ ...completion({ tool_calls: [call] }, 'tool_calls'), id })(response, received);
};
