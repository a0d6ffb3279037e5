import type { Desired } from '../../engine/step.ts';
import { oncePerContext } from '../context.ts';
import { stepsOf, type Installation } from '../install.ts';
import { inBatches } from './batches.ts';
import { oneByOne } from './one-by-one.ts';

/** How a component's installation reaches a host, by what its component declares of its rollout. */
export const rolledOut = oncePerContext((context): ((installation: Installation) => Desired[]) => {
  const ways = { 'one-by-one': oneByOne(context), batches: inBatches(context) };
  return (installation) => {
    const { rollout } = installation.component;
    return rollout === undefined ? stepsOf([installation]) : ways[rollout](installation);
  };
});
