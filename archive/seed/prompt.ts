/** A task as the harness hands it over. */
export interface Task {
  instruction: string;
  hints: string[];
}

const rules = [
  'You are a coding agent. The current directory is a repository; change its files so that the task is done.',
  'You see and change files only through the tools.',
  'Look at a file before you edit it, and copy the text to replace exactly as it is there.',
  'Make the change that the task asks for, in the style of the code around it, and nothing else.',
  'When the task is done, answer with one sentence and call no tool.',
];

/** For a model whose answer reached the length that one may have. */
export const goOn = 'Your answer was cut: it got too long. Go on from where it ends, in shorter answers.';

export function systemPrompt(): string {
  return rules.join('\n');
}

export function taskPrompt(task: Task): string {
  const hints = task.hints.map((hint) => `- ${hint}`);
  return [task.instruction.trim(), ...(hints.length > 0 ? ['Hints:', ...hints] : [])].join('\n\n');
}
