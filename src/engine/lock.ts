import { SlipwayError } from '../base/errors.ts';
import { sh } from '../base/quote.ts';
import type { Runner, Session } from '../remote/runner.ts';
import { RUN, VAR } from './state.ts';

/** Seconds without a heartbeat after which a host gives its lock up. */
const GIVE_UP = 60;
const HEARTBEAT_MS = 15_000;
/** Seconds without a heartbeat after which a holder is probably gone, and worth waiting for. */
const SILENT = 25;

export interface LockInfo {
  /** Identifies the run; scripts of another run refuse to start. */
  run: string;
  /** `user@machine`, for the words that a second operator reads. */
  operator: string;
  verb: string;
  /** ISO 8601. */
  since: string;
}

export interface HostLock {
  /** Changes whenever a run did something on the host: an unchanged stamp means that what was gathered still holds. */
  stamp: string;
  /** Why the lock is not held any more: the connection that held it is gone. */
  lost(): unknown;
  /** The run's scripts begin no further step there. Travels with the heartbeats: the host may allow no session for more (MaxSessions of sshd). */
  stop(): void;
  release(): Promise<void>;
}

/** Shell text that prints the stamp which `takeLock` compares. */
export const stampScript = `cat ${VAR}/journal.ndjson 2>/dev/null | cksum`;

/**
 * Takes the host's lock and keeps it until `release`, until this program ends, or until 60 s after its last heartbeat. A holder that has missed
 * a heartbeat is waited for: most likely it is our own run of a moment ago, whose connection broke without the host's knowing.
 * What a lost run may have left running is ended first; package managers are waited for.
 *
 * @throws SlipwayError LOCKED (category locked) naming the holder.
 */
export async function takeLock(runner: Runner, info: LockInfo): Promise<HostLock> {
  let session: Session | undefined;
  const answer = await new Promise<string>((resolve, reject) => {
    session = runner.open(lockScript(info), { onLine: resolve });
    session.done.then((result) => resolve(`ended ${result.code} ${result.stderr}`), reject);
  });
  const held = session!;
  if (answer.startsWith('held ')) {
    throw new SlipwayError(`somebody else is at work on ${runner.host}: ${answer.slice(5)}`, {
      code: 'LOCKED',
      category: 'locked',
      where: { host: runner.host },
      hint: 'wait until that run has finished; a run whose program is gone gives its lock up after a minute',
    });
  }
  if (!answer.startsWith('locked ')) {
    throw new SlipwayError(`the lock on ${runner.host} could not be taken: ${answer.replace(/^\w+ /, '').trim()}`, {
      code: 'LOCK_FAILED',
      category: 'failed',
      where: { host: runner.host },
      hint: `look at ${RUN} on the host: it must be writable by root, and flock must be installed`,
    });
  }
  const beat = setInterval(() => held.writeLine('beat'), HEARTBEAT_MS);
  beat.unref();
  let lost: unknown;
  held.done.catch((error: unknown) => (lost = error));
  return {
    stamp: answer.slice(7).trim(),
    lost: () => lost,
    stop: () => held.writeLine('stop'),
    release: async () => {
      clearInterval(beat);
      held.end();
      await held.done.catch(() => undefined);
    },
  };
}

function lockScript(info: LockInfo): string {
  const holder = `${info.operator} runs "${info.verb}" since ${info.since}`;
  return (
    sh`
umask 077
mkdir -p ${RUN}/running ${VAR}/before || exit 1
exec 9>>${RUN}/lock || exit 1
if ! flock -n 9; then
  now=$(date +%s)
  heard=$(stat -c %Y ${RUN}/beat 2>/dev/null || echo "$now")
  [ $((now - heard)) -ge ${SILENT} ] && flock -w ${GIVE_UP} 9 || { printf 'held %s\n' "$(cat ${RUN}/holder)"; exit 0; }
fi
: >${RUN}/beat
printf '%s\n' ${holder} >${RUN}/holder
printf '%s\n' ${info.run} >${RUN}/token
# A script that has only just begun may not have written its group yet; dash's kill takes no --.
end_all() {
  for f in ${RUN}/running/*; do
    [ -e "$f" ] || continue
    read -r group what started <"$f"
    case $group in '' | *[!0-9]* | 0 | 1) continue ;; esac
    # The number of a group that has ended may be somebody else's by now; while it has members it is not given away.
    case $(cut -d ' ' -f 22 /proc/"$group"/stat 2>/dev/null) in '' | "$started") ;; *) continue ;; esac
    [ "$what" = wait ] || kill -"$1" -"$group" 2>/dev/null
  done
}
end_all TERM
exec 8>>${RUN}/steps
flock -w 5 8 || {
  end_all KILL
  flock -w 600 8 || { echo 'a command of an earlier run does not end'; exit 1; }
}
exec 8>&-
rm -f ${RUN}/running/* ${RUN}/input.* ${RUN}/stop
` +
    `
printf 'locked %s\\n' "$(${stampScript})"
while word=$(timeout ${GIVE_UP} sh -c 'read -r word && echo "$word"'); do
  [ "$word" != stop ] || : >${RUN}/stop
  : >${RUN}/beat
done
rm -f ${RUN}/holder ${RUN}/token
# Nothing of ours is on the host: it was reset, or never touched.
[ -e ${VAR}/owned ] || { rmdir ${VAR}/before ${VAR}; [ -e ${VAR} ] || rm -rf ${RUN}; } 2>/dev/null
`
  );
}
