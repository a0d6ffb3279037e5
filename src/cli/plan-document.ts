import { z } from 'zod';
import type { Cluster } from '../config/cluster.ts';
import type { Diffs } from '../engine/current.ts';
import type { Plan } from '../engine/plan.ts';
import type { Action, Step } from '../engine/step.ts';
import { limitTo } from './limit.ts';

export const PLAN_API_VERSION = 'slipway.dev/v1';
export const PLAN_SCHEMA_URL = 'https://slipway.dev/schema/v1/plan.json';

const path = z.string().describe('Absolute path on the host.');
const mode = z.string().regex(/^[0-7]{4}$/);
const owner = z.string().describe('user:group.');

const content = z
  .union([
    z.strictObject({ text: z.string().describe('The whole text.') }),
    z.strictObject({
      ref: z.string().describe('What the bytes are, such as authority:etcd or key:HOST/NAME. The bytes themselves are never in a plan.'),
      sha256: z.string().exactOptional().describe('Of the bytes, in hex. Missing while they do not exist yet.'),
    }),
  ])
  .describe('The bytes of the file: in the plan itself, or as a reference to something that is kept on the operator’s machine.');

/** One entry for each kind of action. `satisfies` and the type check below keep it complete. */
const actions = {
  directory: z
    .strictObject({
      kind: z.literal('directory'),
      path,
      mode: mode.describe('Octal digits, such as 0755.'),
      owner,
      shared: z.boolean().exactOptional().describe('Others fill it: a link to a directory will do.'),
    })
    .describe('A directory is made, or its mode and owner are set.'),
  file: z
    .strictObject({
      kind: z.literal('file'),
      path,
      mode: mode.describe('Octal digits, such as 0600.'),
      owner,
      content,
      secret: z.boolean().exactOptional().describe('The contents are never shown, nor read back for a diff.'),
      once: z.boolean().exactOptional().describe('Written only when it is missing: afterwards it belongs to a daemon.'),
    })
    .describe('A file is written under a temporary name and renamed.'),
  link: z
    .strictObject({ kind: z.literal('link'), path, target: z.string().describe('What it points to.') })
    .describe('A symbolic link is made or swapped.'),
  user: z
    .strictObject({
      kind: z.literal('user'),
      name: z.string().describe('Name of the user and of its group.'),
      home: z.string().describe('Home directory; not made by this step.'),
    })
    .describe('A system user is created.'),
  sysctl: z
    .strictObject({
      kind: z.literal('sysctl'),
      settings: z.record(z.string(), z.string()).describe('Dotted keys, with values as the kernel prints them.'),
    })
    .describe('Kernel parameters are set.'),
  package: z
    .strictObject({
      kind: z.literal('package'),
      names: z.array(z.string()).describe('Names of the distribution’s packages.'),
      provides: z.array(z.string()).describe('Commands that tell that they are there.'),
      install: z.string().describe('The shell text that installs them.'),
    })
    .describe('Packages of the distribution are installed.'),
  artefact: z
    .strictObject({
      kind: z.literal('artefact'),
      name: z.string().describe('Name of the artefact, such as kubelet or image-pause.'),
      version: z.string().describe('Its version.'),
      digest: z.string().exactOptional().describe('Of its contents, by cluster.lock. Missing before the first fetch.'),
    })
    .describe('Binaries or an image archive are sent to /opt/slipway/NAME/VERSION.'),
  unit: z
    .strictObject({
      kind: z.literal('unit'),
      name: z.string().describe('Name of the systemd unit, such as kubelet.service.'),
      path: z.string().describe('Its unit file.'),
      digest: z.string().describe('Of everything that the process is started from; another one means a restart.'),
      running: z.boolean().exactOptional().describe('false: enabled at boot, but started by something else.'),
      makes: z.array(z.string()).readonly().exactOptional().describe('Paths that its process makes by itself, which reset removes.'),
      clients: z
        .array(z.string())
        .readonly()
        .exactOptional()
        .describe('Units that are stopped before it and started after it when it is restarted.'),
    })
    .describe('A unit is enabled, and started or restarted.'),
  script: z
    .strictObject({
      kind: z.literal('script'),
      script: z.string().describe('POSIX shell text.'),
      done: z
        .strictObject({
          probe: z.string().describe('Name of the probe that was run while the host was read.'),
          lines: z.array(z.string()).describe('Lines that the probe prints when nothing is to be done.'),
        })
        .exactOptional()
        .describe('How to see that it is done already. Without it the step runs whenever it is planned.'),
      stdin: z.array(z.string()).exactOptional().describe('References whose bytes the script reads, as in content.ref of a file.'),
      each: z
        .array(z.string())
        .exactOptional()
        .describe(
          'Names of the hosts that it is done for together, its arguments. It goes on without those on which something failed that it needs.',
        ),
      progress: z.boolean().exactOptional().describe('What it prints is shown while it runs.'),
      timeoutSeconds: z.number().exactOptional().describe('How long it may wait on purpose.'),
    })
    .describe('A script is run.'),
  wait: z
    .strictObject({
      kind: z.literal('wait'),
      condition: z.string().describe('Shell text that succeeds when the condition holds.'),
      timeoutSeconds: z.number().describe('How long it may take.'),
      units: z.array(z.string()).exactOptional().describe('Units whose logs explain a failure.'),
      restarts: z.number().exactOptional().describe('The wait fails early when these units were restarted more often than this meanwhile.'),
    })
    .describe('A condition is waited for on the host.'),
  local: z
    .strictObject({
      kind: z.literal('local'),
      task: z.string().describe('What is done: make-shared, issue or fetch.'),
      parameters: z.unknown().describe('What the task needs to know; no secrets. Not part of the contract.'),
    })
    .describe('Work on the operator’s own machine.'),
} as const satisfies Record<Action['kind'], z.ZodType>;

const step = z
  .strictObject({
    id: z.string().describe('Unique in the plan and stable between runs: HOST/PHASE-OR-COMPONENT/WHAT.'),
    host: z.string().describe('Name of the host, or operator for work on the operator’s own machine.'),
    phase: z.string().describe('The phase that it belongs to, as --skip-phase takes it.'),
    summary: z.string().describe('What is done, as a person reads it.'),
    reason: z.string().describe('Why: what differs on the host from what the cluster file says.'),
    lane: z
      .enum(['main', 'delivery', 'packages', 'images', 'api', 'reloads', 'rollout', 'gates'])
      .describe(
        'Steps of one host and lane run in the order of the plan; lanes run side by side, and so do steps that concern different hosts.',
      ),
    concerns: z.string().exactOptional().describe('Name of the host that it is done for, when it is not the one that it runs on.'),
    change: z
      .string()
      .exactOptional()
      .describe(
        'Steps with the same one are one script on their host, and are put back together when the last of them finds that it does not serve.',
      ),
    effect: z.string().exactOptional().describe('What those who use the cluster notice of a change.'),
    accompanies: z.literal(true).exactOptional().describe('It is planned because of other steps, and never alone: a wait after a restart.'),
    wanted: z
      .string()
      .exactOptional()
      .describe('Digest of what the cluster file wants of it, as the host remembers it, where that is not all of the action.'),
    needs: z.array(z.string()).describe('Ids of steps of this plan that must be done before.'),
    action: z.discriminatedUnion('kind', Object.values(actions) as unknown as Actions).describe('What is done, by kind.'),
    diff: z
      .string()
      .exactOptional()
      .describe('For a file that changes and is no secret: the unified diff from what is on the host now. No part of the digest.'),
  })
  .describe('One thing that is done on one host.');

/** The plan as data, version 1: the source of schema/v1/plan.json. */
export const planSchema = z
  .strictObject({
    apiVersion: z
      .literal(PLAN_API_VERSION)
      .describe('Version of this format. Fields may be added to it, none is removed or changes its meaning.'),
    kind: z.literal('Plan').describe('Kind of this document.'),
    cluster: z.string().describe('Name of the cluster.'),
    digest: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .describe('sha256 over the steps: equal plans have equal digests. apply FILE refuses when the plan has become another one.'),
    limit: z
      .array(z.string())
      .exactOptional()
      .describe('Hosts that --limit named; empty: none. apply FILE needs the same ones. Missing in plans of older versions.'),
    skipPhase: z
      .array(z.string())
      .exactOptional()
      .describe('Phases that --skip-phase left out. apply FILE needs the same ones. Missing in plans of older versions.'),
    steps: z.array(step).describe('Every step, phase by phase. Empty when nothing is to be done.'),
  })
  .describe('What slipway plan prints with -o json or -o yaml and saves with --out: what apply would do to which host, and why.');

export type PlanDocument = z.output<typeof planSchema>;

type Actions = [(typeof actions)[keyof typeof actions], ...(typeof actions)[keyof typeof actions][]];

/** Fails to compile when the schema and the engine disagree about what an action is. */
type Agrees<A extends B, B> = A;
export type ActionsAgree = Agrees<PlanDocument['steps'][number]['action'], Action>;
/** The same of a step; what only decides whether it is planned is not in a plan. */
export type StepsAgree = Agrees<Exclude<keyof Step, 'onlyIfAny' | 'triggeredBy' | 'drift'>, keyof PlanDocument['steps'][number]>;

/** What flags left of the plan, in one spelling. */
export interface PlanScope {
  limit: readonly string[];
  skipPhase: readonly string[];
}

export function planScope(cluster: Cluster, { limit, skipPhase }: PlanScope): PlanScope {
  return { limit: limitTo(cluster, limit) ?? [], skipPhase: [...new Set(skipPhase)].sort() };
}

/** The plan as a documented document. Texts of files are in it, secrets are not. */
export function planDocument(plan: Plan, { cluster, diffs, scope }: { cluster: string; diffs: Diffs; scope: PlanScope }): PlanDocument {
  const document = {
    apiVersion: PLAN_API_VERSION,
    kind: 'Plan',
    cluster,
    digest: plan.digest,
    ...scope,
    steps: plan.steps.map((one) => (diffs[one.id] === undefined ? one : { ...one, diff: diffs[one.id] })),
  };
  // What is undefined is missing in a document, also for YAML.
  return JSON.parse(JSON.stringify(document)) as PlanDocument;
}

/** The text of schema/v1/plan.json: JSON Schema, draft 2020-12. A reader must expect fields that came later. */
export function planSchemaText(): string {
  const { $schema, ...shape } = z.toJSONSchema(planSchema, { override: ({ jsonSchema }) => openEnded(jsonSchema) });
  return `${JSON.stringify({ $schema, $id: PLAN_SCHEMA_URL, title: 'Slipway plan, version 1', ...shape }, null, 2)}\n`;
}

function openEnded(schema: { additionalProperties?: unknown }): void {
  if (schema.additionalProperties === false) delete schema.additionalProperties;
}
