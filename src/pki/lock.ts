import { randomBytes } from 'node:crypto';
import { open, readFile, readdir, readlink, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SlipwayError } from '../base/errors.ts';
import { makePrivateDirectory } from './private-files.ts';

/** Who holds or wants the lock; its parts stand in the file's name, so that a claim is never seen half written. */
interface Claim {
  pid: number;
  /** Clock ticks from boot to the start of the process; empty where there is no /proc. */
  started: string;
  boot: string;
  /** The PID name space: a container's numbers mean nothing outside. */
  space: string;
  machine: string;
}

/**
 * A lock that outlives no process, without a daemon or a native module: everybody puts a claim of a unique name into the directory
 * and holds the lock when no other living claim is there. A dead claim has a name that nobody else will ever use, so anybody may
 * remove it; of two that arrive together at least one sees the other, and both try again.
 *
 * Returns the function that releases it. Throws STATE_LOCKED naming the holder.
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  await makePrivateDirectory(directory);
  const mine = await claimName();
  const path = join(directory, mine);
  for (let attempt = 1; ; attempt++) {
    await (await open(path, 'wx', 0o600)).close();
    const holder = await livingClaim(directory, mine).catch(async (error: unknown) => {
      await rm(path, { force: true });
      throw error;
    });
    if (holder === undefined) return () => rm(path, { force: true });
    await rm(path, { force: true });
    if (attempt === 5) throw locked(directory, holder);
    await delay(20 * attempt + Math.random() * 50);
  }
}

async function livingClaim(directory: string, mine: string): Promise<string | undefined> {
  for (const name of await readdir(directory)) {
    if (name === mine) continue;
    if (await isDead(parse(name))) await rm(join(directory, name), { force: true });
    else return name;
  }
  return undefined;
}

async function isDead(claim: Claim | undefined): Promise<boolean> {
  if (claim === undefined || claim.machine !== safe(hostname())) return false;
  if (claim.boot !== (await bootId())) return true;
  if (claim.space !== (await pidSpace())) return false;
  return !exists(claim.pid) || (claim.started !== '' && claim.started !== (await startTime(claim.pid)));
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function claimName(): Promise<string> {
  const nonce = randomBytes(6).toString('hex');
  return [process.pid, await startTime(process.pid), await bootId(), await pidSpace(), safe(hostname()), nonce].join('@');
}

function parse(name: string): Claim | undefined {
  const [pid, started, boot, space, machine] = name.split('@');
  if (!/^\d+$/.test(pid ?? '') || started === undefined || boot === undefined || space === undefined || machine === undefined)
    return undefined;
  return { pid: Number(pid), started, boot, space, machine };
}

function safe(text: string): string {
  return text.replace(/[^\w.-]/g, '_');
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)); the command before it may contain spaces and brackets. */
async function startTime(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

async function bootId(): Promise<string> {
  return safe((await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim());
}

async function pidSpace(): Promise<string> {
  return safe(await readlink('/proc/self/ns/pid').catch(() => ''));
}

function locked(directory: string, holder: string): SlipwayError {
  const claim = parse(holder);
  const who = claim === undefined ? holder : `process ${claim.pid} on ${claim.machine}`;
  return new SlipwayError(`The state directory is in use by ${who}`, {
    code: 'STATE_LOCKED',
    category: 'locked',
    where: { file: join(directory, holder) },
    hint: `Wait until it has finished. If you are sure that nothing runs there any more, remove ${join(directory, holder)}`,
  });
}
