/** What of a unit's log is shown when the unit is broken, and what it points to. */

const KEEP = 8;

/** Characters of a line that are shown. */
const WIDTH = 300;

/** Milliseconds before the last line: what a daemon said an hour ago does not explain how it ended. */
const LATELY = 120_000;

/**
 * The lines that explain: fatal and error lines first, the last of each kind, said once however often they were written.
 * Takes the lines of `journalctl -o short-iso`.
 */
export function relevantLines(log: string, keep = KEEP): string[] {
  const seen = new Map<string, { at: number; line: string; rank: number; times: number }>();
  for (const [at, raw] of recent(log.split('\n')).entries()) {
    const line = withoutPrefix(raw);
    if (line === '' || /^-- /.test(line)) continue;
    const key = fingerprint(line);
    seen.set(key, { at, line, rank: rankOf(line), times: (seen.get(key)?.times ?? 0) + 1 });
  }
  const all = [...seen.values()];
  const best = Math.min(...all.map(({ rank }) => rank));
  // Where a program says what is wrong, its small talk does not help; systemd's own words stay, because they tell how it ended.
  const chosen = all
    .filter(({ rank }) => rank <= Math.max(best, 2))
    .sort((a, b) => a.rank - b.rank || b.at - a.at)
    .slice(0, keep)
    .sort((a, b) => a.at - b.at);
  return chosen.map(
    ({ line, times }) => `${line.length > WIDTH ? `${line.slice(0, WIDTH)}...` : line}${times > 1 ? ` (${times} times)` : ''}`,
  );
}

/**
 * Shortens what a failed wait printed (src/engine/actions/wait.ts): of every unit's log the lines that explain, and what they point to.
 * Text without logs stays as it is.
 */
export function explainUnits(evidence: string): { evidence: string; hint?: string } {
  const [head = '', ...sections] = evidence.split(/^(?=\S+\.service is .* its last words:$)/m);
  if (sections.length === 0) return { evidence };
  const units = sections.map((section) => {
    const [title = '', ...log] = section.trimEnd().split('\n');
    return { title, lines: relevantLines(log.join('\n')) };
  });
  const hint = hintFor(units.flatMap(({ lines }) => lines));
  return {
    evidence: [head.trimEnd(), ...units.flatMap(({ title, lines }) => [title, ...lines.map((line) => `  ${line}`)])].join('\n'),
    ...(hint === undefined ? {} : { hint }),
  };
}

/** What systemd said last of a unit that somebody stopped: its own log is then none of the reason. */
export function lastWords(log: string): string[] {
  const lines = log.split('\n').filter((line) => / systemd\[1\]: /.test(line));
  return lines.slice(-2).map((line) => line.replace(/^(\S+) \S+ systemd\[1\]: /, '$1 '));
}

function recent(lines: readonly string[]): string[] {
  const timeOf = (line: string): number => Date.parse(line.slice(0, line.indexOf(' ')).replace(/([+-]\d\d)(\d\d)$/, '$1:$2'));
  const last = Math.max(...lines.map(timeOf).filter((time) => !Number.isNaN(time)));
  // A line without a time goes on from the one before.
  let keep = true;
  return lines.filter((line) => {
    const time = timeOf(line);
    if (!Number.isNaN(time)) keep = time >= last - LATELY;
    return keep;
  });
}

/** `2026-11-21T08:35:10+0000 cp-1 kubelet[123]: ` is the same for all. */
function withoutPrefix(line: string): string {
  return line
    .replace(/^\d{4}-\d\d-\d\dT[\d:.]+(?:[+-]\d\d:?\d\d|Z)? \S+ ([^\s:[]+)(?:\[\d+\])?: /, (_, program: string) =>
      program === 'systemd' ? 'systemd: ' : '',
    )
    .trim();
}

/** Equal but for times, numbers and addresses is equal. */
function fingerprint(line: string): string {
  return line
    .replace(/^[IWEF]\d{4} \S+ +\d+ /, '')
    .replace(/"(?:ts|time)":"?[^",]*"?/g, '')
    .replace(/0x[0-9a-f]+|[0-9a-f]{8,}|\d+/gi, '#');
}

/** 0: why it ended; 1: errors; 2: warnings and what systemd says; 3: everything else. */
function rankOf(line: string): number {
  if (/^F\d{4} |"level":"(?:fatal|panic)"|level=fatal|^panic:|^fatal error:|^Error: |^\[ALERT\]/.test(line)) return 0;
  if (/^E\d{4} .*"command failed"|"Failed to run/.test(line)) return 0;
  if (/^E\d{4} |"level":"error"|level=error|\berr(?:or)?="|^error\b/i.test(line)) return 1;
  if (/^systemd: .*(?:Failed|failed|exited|killed|Stopp)/.test(line)) return 2;
  if (/^W\d{4} |"level":"warn"|level=warn|^\[WARNING\]/.test(line)) return 2;
  return 3;
}

interface Sign {
  pattern: RegExp;
  hint: string;
}

/** Words in a log, and what they mean on a host of ours. The first that matches counts. */
const signs: readonly Sign[] = [
  { pattern: /no space left on device/i, hint: 'a file system is full: df -h, df -i' },
  { pattern: /read-only file system/i, hint: 'a file system has become read-only: dmesg tells why' },
  {
    pattern: /too many open files|inotify_init/i,
    hint: 'inotify instances or file handles have run out: sysctl fs.inotify.max_user_instances',
  },
  { pattern: /address already in use/i, hint: 'another process has the port: ss -tlnp' },
  {
    pattern: /certificate has expired or is not yet valid/i,
    hint: 'a certificate has ended, or the clock is wrong: timedatectl, then slipway apply',
  },
  {
    pattern: /x509|tls: (?:bad|unknown) certificate|certificate signed by unknown authority|private key does not match/i,
    hint: 'certificates do not fit together: slipway apply issues and delivers them anew',
  },
  {
    pattern:
      /unknown flag|unknown shorthand flag|failed to parse|failed validate|invalid (?:configuration|value|argument)|error unmarshall?ing|strict decoding error|couldn't (?:load|parse)/i,
    hint: 'its settings cannot be read: look at components.*.args in the cluster file, then slipway apply',
  },
  { pattern: /exec format error|status=203\/EXEC/i, hint: 'its binary cannot be run: slipway apply delivers it anew' },
  { pattern: /swap/i, hint: 'swap is on: swapoff -a, and take it out of /etc/fstab' },
  { pattern: /status=137|signal=?9|killed, status=9|oom/i, hint: 'it was killed, perhaps for want of memory: dmesg | grep -i oom' },
  {
    pattern: /127\.0\.0\.1:2379.*(?:refused|deadline)|(?:refused|deadline).*127\.0\.0\.1:2379/i,
    hint: 'etcd on this host does not answer: systemctl status etcd',
  },
  {
    pattern: /127\.0\.0\.1:6444.*(?:refused|EOF|deadline|timeout)/i,
    hint: 'the way to the API is broken: systemctl status api-endpoint here, kube-apiserver on the control planes',
  },
  {
    pattern: /127\.0\.0\.1:6443.*(?:refused|EOF|deadline|timeout)/i,
    hint: 'the API server on this host does not answer: systemctl status kube-apiserver',
  },
  { pattern: /containerd\.sock/i, hint: 'containerd does not answer: systemctl status containerd' },
  { pattern: /no such file or directory/i, hint: 'a file is missing: slipway apply puts back what belongs to the cluster' },
  { pattern: /permission denied/i, hint: 'it may not read a file: slipway apply mends modes and owners' },
  { pattern: /unauthorized|forbidden/i, hint: 'the API refuses its identity: slipway apply renews certificates and permissions' },
];

/** What the lines point to; undefined: nothing known. */
export function hintFor(lines: readonly string[]): string | undefined {
  return signs.find(({ pattern }) => lines.some((line) => pattern.test(line)))?.hint;
}
