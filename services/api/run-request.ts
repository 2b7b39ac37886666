import type { RunSpec } from '#archive/schema.ts';
import { CladeError } from '#services/errors.ts';
import type { ModelView } from './schema.ts';

/**
 * Checks that the models a run asks for can be called, so that it does not fail at its first call.
 * @throws CladeError `model-not-ready`, naming the variable to set. Models that are not known are left to `createRun`.
 */
export function checkModelsReady({ models }: Pick<RunSpec, 'models'>, known: readonly ModelView[]): void {
  for (const role of ['trial', 'diagnosis', 'selfEdit'] as const) {
    const model = known.find((one) => one.name === models[role]);
    if (model === undefined || model.ready) continue;
    throw new CladeError('model-not-ready', `models.${role}: model ${model.name} cannot be called: ${model.missing}.`);
  }
}
