import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { SlipwayError } from '../base/errors.ts';
import { makePrivateDirectory, writePrivateFile } from '../pki/private-files.ts';
import { plannedHosts, type Context } from '../phases/context.ts';
import type { Cluster } from '../config/cluster.ts';

const debt = z.object({ since: z.iso.datetime(), verb: z.string(), reason: z.string() });
const debts = z.record(z.string(), debt);

/** What a host has not been brought to because it could not be reached. */
export type Debt = z.output<typeof debt>;
/** By the names of the cluster file. */
export type Debts = z.output<typeof debts>;

const fileIn = (directory: string): string => join(directory, 'owed.json');

/** What hosts are owed by runs that went on without them. Throws STATE_DAMAGED (refused) when the state directory has something else there. */
export async function readDebts(directory: string): Promise<Debts> {
  const file = fileIn(directory);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return {};
  try {
    return debts.parse(JSON.parse(text));
  } catch (error) {
    throw new SlipwayError(`${file} is not what Slipway wrote there`, {
      code: 'STATE_DAMAGED',
      category: 'refused',
      where: { file },
      hint: 'Remove it: it only says which hosts did not answer to earlier runs.',
      cause: error,
    });
  }
}

/** After a run: hosts that it went on without are owed what it did, since the first such run; what others were owed they have now. */
export async function settleDebts(
  directory: string,
  { context, cluster, verb }: { context: Context; cluster: Cluster; verb: string },
): Promise<void> {
  const before = await readDebts(directory);
  const nameInFile = ({ name }: { name: string }): string =>
    cluster.hosts[context.cluster.hosts.findIndex((host) => host.name === name)]!.name;
  const paid = plannedHosts(context).map(nameInFile);
  const since = new Date(context.now).toISOString();
  const kept = Object.entries(before).filter(([name]) => !paid.includes(name) && cluster.hosts.some((host) => host.name === name));
  const added = (context.skipped ?? []).map(({ host, error }) => [nameInFile(host), { since, verb, reason: error.message }] as const);
  const after: Debts = { ...Object.fromEntries(added), ...Object.fromEntries(kept) };
  if (JSON.stringify(after) === JSON.stringify(before)) return;
  await makePrivateDirectory(directory);
  await writePrivateFile(fileIn(directory), `${JSON.stringify(after, null, 2)}\n`);
}

/** `since 2026-11-30 (slipway apply: connection refused)`. */
export const debtText = ({ since, verb, reason }: Debt): string => `since ${since.slice(0, 10)} (${verb}: ${reason})`;
