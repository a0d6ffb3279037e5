import { groupBy } from '../base/group.ts';
import { several } from '../base/words.ts';
import type { Diffs } from '../engine/current.ts';
import type { Plan } from '../engine/plan.ts';
import type { Step } from '../engine/step.ts';
import { turnsOf } from '../engine/turns.ts';
import type { Paint } from './style.ts';

export interface PlanTextOptions {
  paint: Paint;
  /** Every step with its reason, instead of a line for each phase and host. */
  details: boolean;
  /** What changes in files: see readDiffs. */
  diffs?: Diffs;
}

/** The plan for a person: by phase, hosts with the same work together. */
export function planText(plan: Plan, { paint, details, diffs = {} }: PlanTextOptions): string {
  if (plan.steps.length === 0) return 'Nothing to change.';
  const lines: string[] = [];
  for (const [phase, steps] of groupBy(plan.steps, (step) => step.phase)) {
    lines.push(paint('bold', phase));
    const byHost = [...groupBy(steps, (step) => step.host)].map(([host, own]) => ({
      host,
      work: [...(details ? detailed(own) : brief(own)), ...own.flatMap((step) => diffLines(diffs[step.id], paint))],
    }));
    for (const [work, same] of groupBy(byHost, (entry) => entry.work.join('\n').replaceAll(entry.host, '*'))) {
      lines.push(`  ${paint('cyan', same.map(({ host }) => host).join(', '))}`);
      lines.push(...(same.length === 1 ? same[0]!.work : work.split('\n')).map((line) => `    ${line}`));
    }
  }
  lines.push(...turnLines(plan, paint));
  const hosts = new Set(plan.steps.map((step) => step.host).filter((host) => host !== 'operator'));
  lines.push('', `${plan.steps.length} steps on ${hosts.size} ${hosts.size === 1 ? 'host' : 'hosts'}.`);
  return lines.join('\n');
}

/** In which order what serves is changed, and what is noticed of it. */
function turnLines(plan: Plan, paint: Paint): string[] {
  const atOnce = groupBy(
    plan.steps.filter(({ change, effect }) => change === undefined && effect !== undefined),
    ({ effect }) => effect!,
  );
  const outages = [...atOnce].map(([effect, steps]) => `At once on ${paint('cyan', several(steps.map(({ host }) => host)))}: ${effect}.`);
  const turns = turnsOf(plan);
  if (turns.length === 0) return outages.length === 0 ? [] : ['', ...outages];
  return [
    ...(outages.length === 0 ? [] : ['', ...outages]),
    '',
    'What serves is changed in turns, each when all before it serve again:',
    ...turns.map(({ kind, hosts, effects }) => {
      const order = hosts.map((together) => paint('cyan', several(together))).join(', then ');
      return `  ${[`${kind}: ${order}`, ...effects].join('; ')}`;
    }),
  ];
}

function diffLines(diff: string | undefined, paint: Paint): string[] {
  const colours = { '+': 'green', '-': 'red', '@': 'cyan' } as const;
  return (diff ? diff.split('\n') : []).map((line) => {
    const colour = colours[line[0] as '+'];
    return `  ${colour ? paint(colour, line) : line}`;
  });
}

function detailed(steps: readonly Step[]): string[] {
  return steps.map((step) => `${step.summary} (${step.reason})`);
}

/** Files and links are counted, everything else is named. */
function brief(steps: readonly Step[]): string[] {
  const counted = (kind: Step['action']['kind'], one: string, many: string): string[] => {
    const count = steps.filter((step) => step.action.kind === kind).length;
    return count === 0 ? [] : [`${count} ${count === 1 ? one : many}`];
  };
  const small = [
    ...counted('directory', 'directory', 'directories'),
    ...counted('file', 'file', 'files'),
    ...counted('link', 'link', 'links'),
  ];
  const artefacts = steps.flatMap(({ action }) => (action.kind === 'artefact' ? [`${action.name} ${action.version}`] : []));
  return [
    ...(small.length > 0 ? [`write ${small.join(', ')}`] : []),
    ...(artefacts.length > 0 ? [`deliver ${artefacts.join(', ')}`] : []),
    ...steps
      .filter(({ action }) => !['directory', 'file', 'link', 'artefact'].includes(action.kind))
      .map((step) =>
        step.action.kind === 'unit' && step.reason !== 'new'
          ? `${step.summary.replace('start', 'restart')} (${step.reason})`
          : step.summary,
      ),
  ];
}
