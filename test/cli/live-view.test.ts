import pc from 'picocolors';
import { describe, expect, it } from 'vitest';
import type { Event } from '#archive/schema.ts';
import { createLiveView } from '#services/cli/live-view.ts';
import type { Terminal } from '#services/cli/terminal.ts';
import { agent, runShown } from './views.ts';

/** A screen that understands what the live view uses: newline, up n lines to column one, erase line, erase below. */
function screen() {
  const lines = [''];
  let row = 0;
  const write = (text: string) => {
    for (const [part] of text.matchAll(/\u001b\[\d*[A-Za-z]|\n|[^\u001b\n]+/g)) {
      if (part === '\n') lines[++row] ??= '';
      else if (part.endsWith('F') && part.startsWith('\u001b')) row -= Number(part.slice(2, -1));
      else if (part === '\u001b[K') continue;
      else if (part === '\u001b[J') lines.splice(row, Number.POSITIVE_INFINITY, '');
      else lines[row] = part;
    }
  };
  return { lines, write };
}

function terminal(over: Partial<Terminal>): Terminal {
  const nowhere = () => undefined;
  return {
    env: {},
    paint: pc.createColors(false),
    interactive: true,
    exitCode: 0,
    columns: () => 100,
    print: nowhere,
    write: nowhere,
    say: nowhere,
    ...over,
  };
}

const champion = agent(2, { parent: 1, n: 20, s: 15 });
const progress = [
  {
    jobId: 'r000000-t9' as const,
    runId: 'r000000',
    stage: 'solving',
    detail: 'fix-\u001b[2Jparser by a2',
    sinceMs: 57_000,
  },
];
const joined: Event = {
  seq: 1,
  runId: 'r000000',
  at: 1,
  data: {
    kind: 'agent-joined',
    agent: 'r000000-a2',
    parent: 'r000000-a1',
    proposal: 'r000000-p1',
    commit: 'c',
    summary: 'Search first',
  },
};
const warning: Event = {
  seq: 2,
  runId: 'r000000',
  at: 1,
  data: { kind: 'notice', level: 'warning', code: 'x', message: 'disk nearly full' },
};

describe('on a screen', () => {
  it('shows what each slot does, trials, champion with n and interval, and spend against budget', () => {
    const { lines, write } = screen();
    using view = createLiveView(terminal({ write }), { json: false });
    view.show({ run: runShown({ champion }), progress, nowMs: 60_000 }, []);
    expect(lines).toEqual([
      'r000000  katas  hgm  running  1:00',
      '  1    3 s  t9    solving    fix-parser by a2',
      '  2  -',
      '  trials 4/10  proposals 2  agents 3  spent $0.0312 of $1.00',
      '  champion so far: a2 (generation 1)  0.75 [0.53, 0.89] n=20',
      '',
    ]);
  });

  it('draws over its own picture, keeps warnings above it, and leaves nothing else behind', () => {
    const { lines, write } = screen();
    const view = createLiveView(terminal({ write }), { json: false });
    view.show({ run: runShown({ champion }), progress, nowMs: 60_000 }, [joined]);
    view.show({ run: runShown({ champion }), progress, nowMs: 61_000 }, [warning]);
    view.show({ run: runShown({ champion }), progress: [], nowMs: 62_000 }, []);
    expect(lines.slice(0, 3)).toEqual(['warning: disk nearly full', 'r000000  katas  hgm  running  1:02', '  1  -']);
    expect(lines).toHaveLength(7);
    view[Symbol.dispose]();
    expect(lines).toEqual(['warning: disk nearly full', '']);
  });

  it('cuts lines to the width, so that none wraps', () => {
    const { lines, write } = screen();
    using view = createLiveView(terminal({ write, columns: () => 40 }), { json: false });
    view.show({ run: runShown(), progress: [{ ...progress[0]!, detail: 'x'.repeat(200) }], nowMs: 60_000 }, []);
    expect(lines[1]!.length).toBeLessThan(40);
  });
});

it('elsewhere it says a line every few seconds, and at once what is worth knowing', () => {
  const said: string[] = [];
  using view = createLiveView(terminal({ interactive: false, say: (line) => said.push(line) }), { json: false });
  const show = (nowMs: number, news: Event[] = [], shown = runShown()) =>
    view.show({ run: shown, progress, nowMs }, news);
  show(1_000, [joined, warning]);
  show(2_000);
  show(3_000, [], runShown({ champion }));
  show(4_000, [], runShown({ champion }));
  show(9_000, [], runShown({ champion }));
  expect(said.map((line) => line.split(/[:,]/)[0])).toEqual(['a2 joined', 'warning', '1 s', '3 s', '9 s']);
});
