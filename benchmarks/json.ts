import { z } from 'zod';
import { reasonOf } from './files.ts';
import { SuiteError } from './suite-error.ts';

/** Parses JSON of a known shape. @throws SuiteError with the file (`where`) and what is wrong in it. */
export function parseJson<Shape extends z.ZodType>(shape: Shape, text: string, where: string): z.infer<Shape> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SuiteError(`${where} is not JSON (${reasonOf(cause)}): correct it there`, { cause });
  }
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = z.prettifyError(parsed.error).replace(/\s*\n\s*/g, ' ');
  throw new SuiteError(`${where} does not fit: ${problems}; correct it there`);
}
