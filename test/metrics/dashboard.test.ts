import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { createMetrics } from '#services/metrics/metrics.ts';
import { testService } from '#test/api/service.ts';

const file = fileURLToPath(new URL('../../docs/deploy/grafana/dashboards/clade.json', import.meta.url));
const Dashboard = z.object({
  uid: z.string(),
  panels: z.array(z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })) })),
});

it('the prepared dashboard asks for nothing that the service does not tell', async () => {
  await using service = await testService();
  const { archive } = service;
  const text = await createMetrics({ archive, workers: () => [], redisIsUp: () => true }).text();
  const told = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
  const { panels } = Dashboard.parse(JSON.parse(readFileSync(file, 'utf8')));
  const asked = panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => metricsIn(expr)));
  expect(new Set(asked).size).toBeGreaterThan(20);
  expect(asked.filter((name) => !told.has(name))).toEqual([]);
});

it('the prepared dashboard takes rates of totals alone', () => {
  const { panels } = Dashboard.parse(JSON.parse(readFileSync(file, 'utf8')));
  const rated = panels.flatMap(({ targets }) =>
    targets.flatMap(({ expr }) => [...expr.matchAll(/(?:rate|increase)\((\w+)/g)].map(([, name]) => name!)),
  );
  expect(rated.filter((name) => !/_(total|bucket)$/.test(name))).toEqual([]);
});

function metricsIn(expression: string): string[] {
  const names = expression.match(/\b(?:clade|nodejs|process)_\w+/g) ?? [];
  return names.map((name) => name.replace(/_bucket$/, ''));
}
