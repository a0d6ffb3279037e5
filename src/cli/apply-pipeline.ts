import { apply as playbook } from '../../playbooks/apply.ts';
import { SlipwayError } from '../base/errors.ts';
import { controlPlanes, isControlPlane, isEtcdMember } from '../components/topology.ts';
import type { Manifests } from '../config/manifests.ts';
import { readDiffs } from '../engine/current.ts';
import type { Gathered, Pipeline } from '../engine/pipeline.ts';
import type { Playbook } from '../engine/phase.ts';
import { plannedHosts, type Context } from '../phases/context.ts';
import { bundledPackages, missingPackages } from '../phases/deliver-artifacts.ts';
import { artefactsToFetch } from '../phases/fetch-artifacts.ts';
import { leftUnlabelled } from '../phases/nodes.ts';
import { refuseChanges } from '../verbs/guards/changes.ts';
import { strayWarnings } from '../verbs/guards/strays.ts';
import { checkFlags, fetchAndCheckFlags, uncheckedWarning, type Unchecked } from './check-flags.ts';
import { confirmPlan } from './confirm.ts';
import type { Io } from './io.ts';
import { readManifests } from './manifests.ts';
import type { GlobalOptions } from './options.ts';
import { debtText, readDebts } from './owed.ts';
import { measureNewHosts, runPreflight } from './preflight.ts';
import type { Session } from './session.ts';
import { verifyCluster } from './verify.ts';
import { working } from './working.ts';

/** The part of the apply pipeline that plan and apply share. */
export interface Planning extends Pick<Pipeline<Context>, 'playbook' | 'gather' | 'check' | 'emit' | 'stop'> {
  /**
   * What must be here before a host is touched: the binaries that are asked whether they have the flags of the cluster file; and all that comes
   * from a bundle, because only unpacking shows whether everything in it is what it says.
   */
  fetchFirst(gathered: Gathered<Context>): Promise<void>;
}

/** The whole pipeline of a verb that brings hosts to what a playbook like apply's wants. */
export function applying(
  session: Session,
  { options, io, playbook: whole = playbook }: { options: GlobalOptions; io: Io; playbook?: Playbook<Context> },
): Pipeline<Context> {
  const { fetchFirst, ...shared } = planning(session, options, whole);
  return {
    ...shared,
    ...working(session),
    confirm: async (plan, gathered) => {
      await session.settleDisplay();
      const diffs = await readDiffs(plan, session.runner);
      const confirmed = await confirmPlan(plan, { options, io, context: gathered.context, diffs });
      if (confirmed) await fetchFirst(gathered);
      return confirmed;
    },
    verify: (gathered, changed) =>
      verifyCluster(session, { context: { ...gathered.context, inventory: session.state.inventory() }, quick: !changed }),
  };
}

export function planning(session: Session, options: GlobalOptions, whole: Playbook<Context> = playbook): Planning {
  const question = { cluster: session.cluster, locate: session.locate, file: options.file, store: session.store, signal: session.stop };
  let unchecked: readonly Unchecked[] | undefined;
  let manifests: Manifests | undefined;
  return {
    playbook: withoutPhases(whole, options.skipPhase),
    gather: async () => {
      // Once for a run; before any host is asked, because the file alone can be wrong here.
      if (unchecked === undefined) {
        unchecked = await checkFlags(question);
        for (const one of unchecked)
          session.emit({ code: 'warning', ...uncheckedWarning(one, 'apply fetches it and checks them before it changes a host') });
      }
      manifests ??= await readManifests(session);
      const gathered = await session.gather();
      return { ...gathered, context: { ...gathered.context, manifests, outageAccepted: options.acceptOutage } };
    },
    fetchFirst: async ({ context }) => {
      const wanted = session.bundle ? artefactsToFetch(context) : [];
      if (wanted.length > 0) {
        session.emit({ code: 'stage', stage: 'check', detail: `unpacking ${wanted.length} artefacts of ${session.bundle!.path}` });
        await session.store.resolve(wanted, { signal: session.stop });
      }
      await fetchAndCheckFlags({
        ...question,
        unchecked: unchecked ?? [],
        onFetch: (names) => session.emit({ code: 'stage', stage: 'check', detail: `fetching ${names.join(', ')} to ask for flags` }),
      });
    },
    check: async ({ context }) => {
      refuseChanges(context);
      await warnOfSkipped(context, session);
      for (const warning of strayWarnings(context)) session.emit({ code: 'warning', ...warning });
      const network = await measureNewHosts(context, session, options.skipCheck);
      runPreflight(context, { emit: session.emit, skip: options.skipCheck, network });
      const unlabelled = leftUnlabelled(context);
      const observer = controlPlanes(context.cluster)[0]!.name;
      if (unlabelled.length > 0)
        session.emit({
          code: 'warning',
          message: `labels and taints of ${unlabelled.join(', ')} are not set: that is done through a control plane, and --limit has none`,
          hint: `run slipway apply afterwards, or --limit ${[observer, ...unlabelled].join(',')}`,
        });
      await checkBundle(context, session);
    },
    emit: session.emit,
    stop: session.stop,
  };
}

/** Says which hosts the plan goes on without, and what else it must do without for that. */
async function warnOfSkipped({ skipped = [] }: Context, { state, emit }: Session): Promise<void> {
  if (skipped.length === 0) return;
  const debts = await readDebts(state.directory);
  for (const { host, error } of skipped) {
    const debt = debts[host.name];
    emit({
      code: 'warning',
      message: `${host.name} cannot be reached and is left out: ${error.message}${debt === undefined ? '' : `; it has been ${debtText(debt)}`}`,
      hint: `when it can be: slipway apply${isControlPlane(host) || isEtcdMember(host) ? '; it may be one of those on which etcd counts' : ''}`,
    });
  }
}

/** A bundle that is damaged, for other processors or not what the lock says is refused before a host is touched. */
async function checkBundle(context: Context, { bundle, emit, stop }: Session): Promise<void> {
  const wanted = artefactsToFetch(context);
  if (bundle === undefined || wanted.length === 0) return;
  emit({ code: 'stage', stage: 'check', detail: `reading ${bundle.path}` });
  await bundle.verify({ signal: stop });
  await bundle.require(wanted);
  const bare = plannedHosts(context).filter((host) => missingPackages(context, host).length > 0 && !bundledPackages(context, host));
  if (bare.length > 0)
    emit({
      code: 'warning',
      message: `${bundle.path} has no packages for the system of ${bare.map(({ name }) => name).join(', ')}: ${[...new Set(bare.flatMap((host) => missingPackages(context, host).map(({ name }) => name)))].join(', ')} will come from the package sources of the hosts`,
      hint: 'without a way to them, make the bundle anew with --system',
    });
}

function withoutPhases(whole: Playbook<Context>, skip: readonly string[]): Playbook<Context> {
  const unknown = skip.find((id) => !whole.phases.some((phase) => phase.id === id));
  if (unknown !== undefined) {
    throw new SlipwayError(`there is no phase ${unknown}`, {
      code: 'PHASE_UNKNOWN',
      category: 'usage',
      hint: `phases of ${whole.verb}: ${whole.phases.map(({ id }) => id).join(', ')}`,
    });
  }
  return { ...whole, skip };
}
