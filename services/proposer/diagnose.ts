import { z } from 'zod';
import type { CallRole } from '#archive/schema.ts';
import { ModelUnavailable } from '#services/evaluator/model-watch.ts';
import { firstLine, withoutControls } from '#services/evaluator/transcript.ts';
import { type Diagnosis, type DiagnosisMaterial, diagnosisMessages, maxTitleChars } from './prompts.ts';

export interface DiagnoseDeps {
  model: (role: CallRole, request: Request) => Promise<Response>;
  signal: AbortSignal;
}

/** The model's answer, and the improvement in it or why there is none. */
export type Diagnosed = { diagnosis: Diagnosis; answer: string } | { diagnosis: null; reason: string; answer: string };

/**
 * Asks the diagnosis model for one improvement, in one call.
 * @throws ModelUnavailable when there is no answer; the signal's reason when aborted.
 */
export async function diagnose(model: string, material: DiagnosisMaterial, deps: DiagnoseDeps): Promise<Diagnosed> {
  const response = await deps.model(
    'diagnosis',
    chatRequest({ model, messages: diagnosisMessages(material) }, deps.signal),
  );
  const body = await response.text();
  if (refusesPrompt(response.status)) return nothing(`The model refused the question: ${firstLine(body)}`, body);
  if (!response.ok) throw new ModelUnavailable(`The diagnosis model answered ${response.status}: ${firstLine(body)}`);
  const answer = contentOf(body);
  if (answer === null) return nothing('The model gave no text.', body);
  const diagnosis = readDiagnosis(answer);
  return diagnosis === null
    ? nothing('The answer holds no JSON object with "title" and "improvement".', answer)
    : { diagnosis, answer };
}

/** Finds the improvement in an answer: bare JSON, fenced, or with prose around it. Null when there is none. */
export function readDiagnosis(answer: string): Diagnosis | null {
  for (const candidate of candidates(answer)) {
    const parsed = Answer.safeParse(parseJson(candidate));
    if (!parsed.success) continue;
    const title = titleOf(parsed.data.title);
    const improvement = withoutControls(parsed.data.improvement).trim();
    if (title !== '' && improvement !== '') return { title, improvement };
  }
  return null;
}

const Answer = z.object({ title: z.string(), improvement: z.string() });

const Completion = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string().nullish() }) })).min(1),
});

function* candidates(answer: string): Generator<string> {
  yield answer;
  for (const [, fenced] of answer.matchAll(/```[a-z]*\s*\n(.*?)\n\s*```/gs)) if (fenced !== undefined) yield fenced;
  const end = answer.lastIndexOf('}') + 1;
  // Prose may hold braces as well, so not only from the first one on.
  for (const { index } of [...answer.matchAll(/\{/g)].slice(0, 50)) yield answer.slice(index, end);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** One line that fits a summary, cut at a word. */
function titleOf(text: string): string {
  const line = withoutControls(text).replace(/\s+/g, ' ').trim();
  if (line.length <= maxTitleChars) return line;
  const cut = line.slice(0, maxTitleChars);
  return cut.slice(0, Math.max(cut.lastIndexOf(' '), maxTitleChars / 2)).trimEnd();
}

function chatRequest(body: unknown, signal: AbortSignal): Request {
  const headers = { 'content-type': 'application/json' };
  return new Request('http://relay/v1/chat/completions', {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
    signal,
  });
}

/** Too long, or not allowed by the provider: asking again would not help. */
function refusesPrompt(status: number): boolean {
  return status === 400 || status === 413 || status === 422;
}

function contentOf(body: string): string | null {
  const parsed = Completion.safeParse(parseJson(body));
  return parsed.success ? (parsed.data.choices[0]?.message.content ?? null) : null;
}

function nothing(reason: string, answer: string): Diagnosed {
  return { diagnosis: null, reason, answer };
}
