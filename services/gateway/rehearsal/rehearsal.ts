import type { ChatCompletion, ChatCompletionCreateParams } from 'openai/resources/chat/completions';
import type { Suite } from '#benchmarks/schema.ts';
import { completion } from './completion.ts';
import { type Conversation, readConversation } from './conversation.ts';
import { diagnose, isDiagnosis } from './diagnose.ts';
import { improve, isImprovement } from './improve.ts';
import { findTask } from './knowledge.ts';
import { type Move, say } from './move.ts';
import { solve } from './solve.ts';
import { readToolbox } from './toolbox.ts';

/** A model that needs no network: the answer follows from the request, the seed and the suites, and from nothing else. */
export interface Rehearsal {
  chat(request: ChatCompletionCreateParams, seed: number): ChatCompletion;
}

export interface RehearsalOptions {
  /** The suites whose reference patches it knows. */
  suites: () => readonly Suite[];
}

/**
 * The scripted model. It knows how the tasks of its suites are solved, but acts only through the tools that the agent offers
 * and on what the conversation has shown it, so that a task is solved only by an agent whose code gives a model what the task
 * takes. Asked to improve an agent it answers from a bank of good, useless and harmful edits, chosen by the seed.
 */
export function createRehearsal({ suites }: RehearsalOptions): Rehearsal {
  return {
    chat(request, seed) {
      const talk = readConversation(request);
      return completion(request, next(request, talk, { suites: suites(), seed }), talk.steps);
    },
  };
}

function next(
  request: ChatCompletionCreateParams,
  talk: Conversation,
  { suites, seed }: { suites: readonly Suite[]; seed: number },
): Move {
  if (isDiagnosis(talk)) return diagnose(talk, suites, seed);
  const tools = readToolbox(request);
  if (isImprovement(talk)) return improve(talk, tools);
  const known = findTask(suites, talk.task);
  if (!known) return say('This task is in no suite that I know, so I change nothing.');
  return solve(known, talk, tools);
}
