import type { Playbook } from '../src/engine/phase.ts';
import { everyApiEndpoint } from '../src/phases/api-endpoint.ts';
import type { Context } from '../src/phases/context.ts';
import { apply } from './apply.ts';

/** Adds hosts to a running cluster: what apply does to them, and the endpoint lists of the others. */
export const join: Playbook<Context> = {
  verb: 'join',
  phases: apply.phases
    .filter(({ id }) => id !== 'addons' && id !== 'user-manifests')
    .map((phase) => (phase.id === 'api-endpoint' ? everyApiEndpoint : phase)),
};
