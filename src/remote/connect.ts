import { askerFor } from './asker.ts';
import { createHops, type Hops } from './hops.ts';
import { createLinkRunner, type RemoteLogEntry } from './link-runner.ts';
import type { Runner } from './runner.ts';
import type { Prompts, Target } from './target.ts';
import { dial, type Link } from './transport.ts';

export type { RemoteLogEntry };

export interface ConnectOptions {
  prompts?: Prompts | undefined;
  signal?: AbortSignal | undefined;
  log?: ((entry: RemoteLogEntry) => void) | undefined;
  /** Default: every 10 s, lost after 3 without an answer. */
  keepalive?: { intervalMs: number; count: number } | undefined;
}

/**
 * Connects to a host: verifies its key, logs in, and makes sure that scripts can become root, so that everything that can be refused
 * is refused before anything is changed. Rejects with REMOTE_UNREACHABLE, HOST_KEY_*, AUTH_*, KEY_*, SUDO_*, LOGIN_SHELL_REFUSED, ABORTED.
 */
export async function connect(target: Target, options: ConnectOptions = {}): Promise<Runner> {
  const hops = createHops();
  const closeHops = (): Promise<void> => hops.close();
  const { runner } = await connectThrough(target, hops, options).catch(async (error: unknown) => {
    await closeHops();
    throw error;
  });
  return { ...runner, close: () => runner.close().then(closeHops) };
}

/** The same over jump hosts that are shared with others; closing the runner leaves them open. */
export async function connectThrough(target: Target, hops: Hops, options: ConnectOptions): Promise<{ runner: Runner; link: Link }> {
  const asker = askerFor(options.prompts);
  const dialOptions = {
    asker,
    signal: options.signal,
    warn: (message: string) => options.log?.({ host: target.name, level: 'warn', message }),
    keepalive: options.keepalive ?? { intervalMs: 10_000, count: 3 },
  };
  const via = await hops.through(target.jump, dialOptions);
  const link = await dial(target, { ...dialOptions, via });
  try {
    return { link, runner: await createLinkRunner(link, { asker, signal: options.signal, log: options.log }) };
  } catch (error) {
    await link.close();
    throw error;
  }
}
