import type { z } from 'zod';

/** What a zod parse found wrong, as one line: `budget.usd: Too small: expected number to be >0; policy.kind: ...`. */
export function describeIssues(issues: readonly z.core.$ZodIssue[], what: string): string {
  return issues.map((issue) => `${[what, ...issue.path].join('.')}: ${reasonOf(issue)}`).join('; ');
}

function reasonOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys')
    return `does not know ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}`;
  if (issue.code === 'invalid_union' && 'options' in issue && Array.isArray(issue.options))
    return `must be one of ${issue.options.join(', ')}`;
  if (issue.code === 'invalid_value')
    return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.join(', ')}`;
  if (issue.code === 'too_small')
    return `must be ${issue.inclusive === true ? 'at least' : 'more than'} ${issue.minimum}${unit(issue.origin)}`;
  if (issue.code === 'too_big')
    return `must be ${issue.inclusive === true ? 'at most' : 'less than'} ${issue.maximum}${unit(issue.origin)}`;
  return issue.message;
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' items' : '';
}
