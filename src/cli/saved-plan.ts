import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { SlipwayError, messageOf } from '../base/errors.ts';
import { digestOf, type Plan } from '../engine/plan.ts';
import { PLAN_API_VERSION, type PlanScope } from './plan-document.ts';

/** What of a saved plan is compared. Older versions of Slipway did not write the scope. */
export interface SavedPlan extends Partial<PlanScope> {
  path: string;
  cluster: string;
  digest: string;
}

/** Fields that came later, and what a step may be, are none of its business. */
const document = z.object({
  apiVersion: z.literal(PLAN_API_VERSION, { error: ({ input }) => `its apiVersion is ${said(input)}, not ${PLAN_API_VERSION}` }),
  kind: z.literal('Plan', { error: ({ input }) => `its kind is ${said(input)}, not Plan` }),
  cluster: z.string('it does not name its cluster'),
  digest: z.string('it has no digest'),
  steps: z.array(z.looseObject({}), 'it has no steps'),
  limit: z.array(z.string()).exactOptional(),
  skipPhase: z.array(z.string()).exactOptional(),
});

/** Reads what `plan --out` wrote. Throws PLAN_UNREADABLE (usage). */
export async function readSavedPlan(path: string): Promise<SavedPlan> {
  try {
    const parsed = document.safeParse(JSON.parse(await readFile(path, 'utf8')));
    if (!parsed.success) throw new Error(parsed.error.issues[0]!.message);
    const { apiVersion: _, kind: __, steps, ...plan } = parsed.data;
    // What a person has read in it is what they agreed to.
    if (digestOf(steps.map(({ diff: _diff, ...step }) => step)) !== plan.digest) throw new Error('its steps are not those of its digest');
    return { path, ...plan };
  } catch (cause) {
    throw new SlipwayError(`it is no saved plan: ${messageOf(cause)}`, {
      code: 'PLAN_UNREADABLE',
      category: 'usage',
      where: { file: path },
      hint: 'make one with slipway plan --out FILE',
      cause,
    });
  }
}

/** Throws PLAN_FOREIGN (refused) when it was made from the file of another cluster. */
export function refuseForeignPlan({ path, cluster }: SavedPlan, here: { cluster: string; file: string }): void {
  if (cluster === here.cluster) return;
  throw new SlipwayError(`it is a plan for the cluster ${cluster}, and ${here.file} is that of ${here.cluster}`, {
    code: 'PLAN_FOREIGN',
    category: 'refused',
    where: { file: path },
    hint: `use the cluster file of ${cluster}: -f FILE`,
  });
}

/** Throws PLAN_OUTDATED (refused) unless this plan is the saved one. */
export function refuseOtherPlan(saved: SavedPlan, plan: Plan, scope: PlanScope): void {
  if (plan.digest === saved.digest) return;
  const other = flagsOf(saved) !== flagsOf(scope) && saved.limit !== undefined;
  throw new SlipwayError(
    other
      ? `it was made ${flagsOf(saved) || 'for all hosts and phases'}, and this is ${flagsOf(scope) || 'for all hosts and phases'}`
      : 'it is not the plan that follows from the cluster file and the hosts as they are now',
    {
      code: 'PLAN_OUTDATED',
      category: 'refused',
      where: { file: saved.path },
      hint: other
        ? 'give the flags that it was made with, or make another one: slipway plan --out FILE'
        : 'look at the new plan: slipway plan --out FILE',
    },
  );
}

function flagsOf({ limit = [], skipPhase = [] }: Partial<PlanScope>): string {
  const flags = [...(limit.length > 0 ? [`--limit ${limit.join(',')}`] : []), ...skipPhase.map((id) => `--skip-phase ${id}`)];
  return flags.length === 0 ? '' : `with ${flags.join(' ')}`;
}

function said(input: unknown): string {
  return input === undefined ? 'missing' : JSON.stringify(input);
}
