import { chance } from './chance.ts';
import type { Conversation } from './conversation.ts';
import type { Toolbox } from './toolbox.ts';

/** How the agent's prompt and tools tell the model to work. */
export interface Advice {
  /** Read a part of a file by its lines. */
  ranges: boolean;
  search: boolean;
  runTests: boolean;
  /** Make several calls in one answer. */
  severalCalls: boolean;
  /** Answer without looking closely. */
  haste: boolean;
}

/**
 * What the model will do of what the prompt says. A tool for it is always used. Advice on ranges and searching alone is
 * heeded in about half of the tasks: `task` decides.
 */
export function readAdvice({ system }: Conversation, toolbox: Toolbox, task: string): Advice {
  const heeded = (what: string) => chance(`${what} ${task}`) < 0.5;
  return {
    ranges: toolbox.view !== null || (/sed -n/.test(system) && heeded('ranges')),
    search: toolbox.search !== null || (/\bgrep\b/.test(system) && heeded('search')),
    runTests: /\brun (the|its|all) tests\b/i.test(system),
    severalCalls: /several (tools|calls) (at once|in one answer)/i.test(system),
    haste: /as few calls as possible/i.test(system),
  };
}
