import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { resolve } from 'node:path';
import type { Store } from '../artifacts/store.ts';
import type { SlipwayError } from '../base/errors.ts';
import { createRedactor, redactDeep } from '../base/redact.ts';
import type { Host } from '../config/cluster.ts';
import { loadCluster } from '../config/load.ts';
import type { LoadedCluster } from '../config/parse.ts';
import type { Emit, EngineEvent } from '../engine/events.ts';
import type { LockInfo } from '../engine/lock.ts';
import type { Gathered } from '../engine/pipeline.ts';
import type { Context } from '../phases/context.ts';
import { gather, hostsToRead, type Reach } from '../phases/gather.ts';
import type { Render } from '../phases/templates.ts';
import { openState, stateDirectory, type State } from '../pki/state.ts';
import { identityProblem, type IdentityOptions } from '../verbs/guards/identity.ts';
import { createFleet } from '../remote/fleet.ts';
import type { Runner, RunnerStats } from '../remote/runner.ts';
import type { Io } from './io.ts';
import { openLogFile } from './log-file.ts';
import { limitTo } from './limit.ts';
import type { GlobalOptions } from './options.ts';
import { prompts } from './prompts.ts';
import { plainRenderer } from './render/plain.ts';
import type { Renderer } from './render/renderer.ts';
import { steadyRenderer } from './render/steady.ts';
import { bundleOf, storeFor, type Bundle } from './store.ts';
import { targetsOf } from './targets.ts';
import { loadTemplates } from './templates.ts';

/** An opened cluster: everything that a verb needs, closed in one place. */
export interface Session extends Pick<LoadedCluster, 'cluster' | 'locate'> {
  clusterFile: string;
  run: string;
  lock: LockInfo;
  store: Store;
  /** Where the cluster file takes its artefacts from a bundle. */
  bundle: Bundle | undefined;
  state: State;
  render: Render;
  emit: Emit;
  logPath: string;
  /** Aborted by the first interrupt. */
  stop: AbortSignal;
  /** Throws what identityProblem finds, unless the session only reports it. */
  gather(): Promise<Gathered<Context>>;
  /** Why nothing may be done to the hosts that were gathered with the keys that are here. */
  identityProblem(context: Context): SlipwayError | undefined;
  /** Before anything else is written to the terminal. */
  settleDisplay(): Promise<void>;
  /** By settled name, after `gather`; by the name in the file before. */
  runner(host: string): Promise<Runner>;
  readonly stats: Record<string, RunnerStats>;
}

export interface SessionOptions {
  options: GlobalOptions;
  io: Io;
  reach?: Reach;
  /** The cluster as its file is going to say, where the verb changes it. Default: as it says. */
  loaded?: LoadedCluster;
  /** Hosts that cannot be read, or belong to another cluster, are left to be told of: `gather` goes on. */
  tolerant?: boolean;
  /** Which hosts of another cluster `gather` lets pass nevertheless. */
  strangers?: Pick<IdentityOptions, 'accepted' | 'undoing'>;
}

export async function withSession<T>(
  verb: string,
  { options, io, reach, loaded, tolerant = false, strangers = {} }: SessionOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const clusterFile = resolve(options.file);
  const { cluster, warnings, locate } = loaded ?? (await loadCluster(options.file));
  const limit = limitTo(cluster, options.limit);
  const redactor = createRedactor();
  const log = openLogFile(io, { verb, now: new Date(), redact: redactor.redact });
  const renderer = steadyRenderer(await rendererFor(options, io), {
    otherwise: plainRenderer(io.stderr, { verbose: options.verbose }),
    onFault: (error) => log.write({ code: 'display', message: String(error instanceof Error ? error.stack : error) }),
  });
  const events =
    options.events === undefined ? undefined : options.events === '-' ? io.stdout : createWriteStream(options.events, { mode: 0o600 });
  const emit: Emit = (event) => {
    renderer.handle(event);
    log.write(forLog(event));
    events?.write(`${JSON.stringify({ time: new Date().toISOString(), ...(redactDeep(event, redactor.redact) as object) })}\n`);
  };
  const stop = interruptible(io);
  const state = await openState(stateDirectory(clusterFile, cluster.name), { cluster: cluster.name });
  const store = storeFor(cluster, { clusterFile, io });
  const bundle = bundleOf(cluster, { clusterFile, io });
  const render = loadTemplates();
  const fleet = createFleet(await targetsOf(cluster), {
    prompts: prompts(io, { options, onSecret: redactor.add }),
    signal: stop.signal,
    log: (entry) => log.write({ code: 'remote', ...entry }),
  });
  /** Normalised name to the name in the file. */
  const loadedName = new Map<string, string>();
  const run = randomBytes(6).toString('hex');
  const stats: Record<string, RunnerStats> = {};
  const runner = async (host: string): Promise<Runner> => {
    const opened = await fleet.runner(loadedName.get(host) ?? host);
    stats[host] = opened.stats;
    return opened;
  };

  for (const { message, where, hint } of warnings)
    emit({
      code: 'warning',
      message: `${options.file}${where.line ? `:${where.line}:${where.column ?? 1}` : ''}: ${message}`,
      ...(hint ? { hint } : {}),
    });
  for (const message of state.warnings) emit({ code: 'warning', message });
  try {
    return await work({
      cluster,
      locate,
      clusterFile,
      run,
      lock: { run, operator: `${userInfo().username}@${hostname()}`, verb: `slipway ${verb}`, since: new Date().toISOString() },
      store,
      bundle,
      state,
      render,
      emit,
      logPath: log.path,
      stop: stop.signal,
      gather: async () => {
        const { needed, useful, observers } = hostsToRead(cluster, limit, reach);
        emit({ code: 'run.started', verb, run, hosts: [...needed, ...useful, ...observers].map(({ name }) => name) });
        const gathered = await gather({
          cluster,
          limit,
          reach,
          without: tolerant ? 'telling' : options.skipUnreachable ? 'skipping' : undefined,
          runner: (host: Host) => runner(host.name),
          store,
          packages: await bundle?.packages(),
          state,
          render,
          now: Date.now(),
          emit,
        });
        cluster.hosts.forEach((host, i) => loadedName.set(gathered.context.cluster.hosts[i]!.name, host.name));
        const problem = identityProblem(gathered.context, { directory: state.directory, ...strangers });
        if (problem && !tolerant) throw problem;
        return gathered;
      },
      identityProblem: (context) => identityProblem(context, { directory: state.directory, ...strangers }),
      settleDisplay: () => renderer.settle(),
      runner,
      stats,
    });
  } catch (error) {
    log.write({ code: 'error', message: String(error instanceof Error ? error.stack : error) });
    throw Object.assign(error as object, { logPath: log.path });
  } finally {
    await renderer.stop();
    await fleet.closeAll();
    await state.close();
    stop.end();
    if (events && events !== io.stdout) await new Promise<void>((done) => void events.end(() => done()));
    await log.close();
  }
}

/** The first interrupt asks the work to stop where it is safe; the second leaves at once. */
function interruptible(io: Io): { signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  const end = io.onInterrupt(() => {
    if (controller.signal.aborted) process.exit(130);
    io.stderr.write('\nStopping after the running steps; again to leave at once (hosts give their locks up within a minute).\n');
    controller.abort();
  });
  return { signal: controller.signal, end };
}

async function rendererFor(options: GlobalOptions, io: Io): Promise<Renderer> {
  if (!io.animated || options.verbose) return plainRenderer(io.stderr, { verbose: options.verbose });
  const [{ terminalRenderer }, { apply }, { remove }, { reset }, { restore }] = await Promise.all([
    import('./render/terminal.ts'),
    import('../../playbooks/apply.ts'),
    import('../../playbooks/remove.ts'),
    import('../../playbooks/reset.ts'),
    import('../../playbooks/restore.ts'),
  ]);
  const all = [apply, reset, restore, remove({ dead: false, force: false, timeout: 0 })].flatMap(({ phases }) => phases);
  const phaseTitles = Object.fromEntries(all.map(({ id, title }) => [id, title]));
  return terminalRenderer(io.stderr as NodeJS.WriteStream, { color: io.color.stderr, phaseTitles });
}

/** A whole plan in every log would bury the rest; its steps follow one by one anyway. */
function forLog(event: EngineEvent): Record<string, unknown> {
  return event.code === 'plan.made'
    ? { code: event.code, digest: event.plan.digest, steps: event.plan.steps.map(({ id, reason }) => ({ id, reason })) }
    : { ...event };
}
