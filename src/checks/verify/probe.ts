import { messageOf } from '../../base/errors.ts';
import { HTTP_GET } from '../../base/http-get.ts';
import { quote } from '../../base/quote.ts';
import type { Host } from '../../config/cluster.ts';
import { RUN } from '../../engine/state.ts';
import type { VerifyCheck, VerifyContext } from './verify.ts';

/** Seconds that a probe may take beyond what it waits for on purpose. */
const PROBE = 25;

/** What all probes printed: by host, by check. */
export interface Seen {
  output: Readonly<Record<string, Readonly<Record<string, string>>>>;
  unreachable: Readonly<Record<string, string>>;
}

/**
 * One script for all probes of a host: they run side by side, each for `seconds` at most (an API server without etcd keeps its callers
 * waiting), and each prints a section.
 */
export function probeScript(probes: Readonly<Record<string, string>>, seconds: number): string {
  const file = (id: string): string => `"$s_d"/${quote(id)}`;
  return [
    `mkdir -p -m 0700 ${RUN}`,
    `s_d=$(mktemp -d ${RUN}/verify.XXXXXX) || exit 1`,
    `trap 'rm -rf "$s_d"' EXIT; trap 'exit 143' HUP INT TERM PIPE`,
    ...Object.entries(probes).flatMap(([id, text]) => [
      `printf '%s\\n' ${quote(`${HTTP_GET}${text}`)} >${file(id)}.sh`,
      `timeout -k 2 ${seconds} sh ${file(id)}.sh >${file(id)} 2>&1 </dev/null &`,
    ]),
    'wait',
    ...Object.keys(probes).map((id) => `printf '\\n@probe %s\\n' ${quote(id)}; cat ${file(id)}`),
    `printf '\\n@probe end\\n'`,
  ].join('\n');
}

/** The inverse of probeScript; undefined when the output is not whole. */
export function parseProbes(output: string): Record<string, string> | undefined {
  const { end, ...probes } = Object.fromEntries(
    output
      .split(/(?:^|\n)@probe /)
      .slice(1)
      .map((section) => {
        const end = section.indexOf('\n');
        return end === -1 ? [section, ''] : [section.slice(0, end), section.slice(end + 1).trimEnd()];
      }),
  );
  return end === undefined ? undefined : probes;
}

/** Looks at all hosts at once, each in one round trip. A host that does not answer is a finding, not the end. */
export async function probeHosts(context: VerifyContext, checks: readonly VerifyCheck[]): Promise<Seen> {
  const output: Record<string, Record<string, string>> = {};
  const unreachable: Record<string, string> = {};
  await Promise.all(
    context.cluster.hosts.map(async (host) => {
      try {
        output[host.name] = await probeHost(context, { checks, host });
      } catch (error) {
        unreachable[host.name] = messageOf(error);
      }
    }),
  );
  return { output, unreachable };
}

async function probeHost(
  context: VerifyContext,
  { checks, host }: { checks: readonly VerifyCheck[]; host: Host },
): Promise<Record<string, string>> {
  const probes = Object.fromEntries(
    checks.flatMap((check) => {
      const text = check.probe?.(host, context);
      return text === undefined ? [] : [[check.id, text]];
    }),
  );
  const script = probeScript(probes, context.patience + PROBE);
  for (let attempt = 1; ; attempt++) {
    const runner = await context.runner(host.name);
    const result = await runner.run(script, { timeoutMs: (context.patience + 2 * PROBE) * 1000, signal: context.stop });
    const seen = parseProbes(result.stdout);
    if (seen) return seen;
    // It only looks, so it can be done again: somebody may have ended it.
    if (attempt === 2)
      throw new Error(
        `looking at ${host.name} ended early (exit code ${result.code})${result.stderr === '' ? '' : `: ${result.stderr.trim().slice(-300)}`}`,
      );
  }
}
