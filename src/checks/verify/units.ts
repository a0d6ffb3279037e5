import type { Host } from '../../config/cluster.ts';
import { quote } from '../../base/quote.ts';
import { hintFor, lastWords, relevantLines } from './unit-log.ts';
import {
  count,
  declared,
  failing,
  verdict,
  warning,
  type CheckContext,
  type CheckResult,
  type Finding,
  type VerifyCheck,
  type VerifyContext,
} from './verify.ts';

const unitsOf = (context: VerifyContext, host: Host): string[] =>
  declared(context, host).flatMap(({ declaration: { unit } }) => (unit ? [unit.name] : []));

export const units: VerifyCheck = {
  id: 'units',
  title: 'Every unit is active and stays so',
  covers: () => true,
  probe: (host, context) => probe(unitsOf(context, host), context.patience),
  run(context) {
    const hosts = context.cluster.hosts.filter((host) => context.seen(host) !== undefined);
    const findings = hosts.flatMap((host) => judge(host, unitsOf(context, host), context));
    const restarts = hosts.flatMap((host) =>
      parseUnits(context.seen(host)!).after.flatMap(({ id, restarts: n }) => (n > 0 ? [{ host: host.name, unit: id, restarts: n }] : [])),
    );
    const total = hosts.reduce((sum, host) => sum + unitsOf(context, host).length, 0);
    return verdict(findings, { message: `${count(total, 'unit')} on ${count(hosts.length, 'host')}`, data: { units: total, restarts } });
  },
  quick: (context) => fromStates(context),
};

interface Unit {
  id: string;
  loaded: boolean;
  active: string;
  sub: string;
  result: string;
  restarts: number;
}

/**
 * Prints the units' properties, waits for what is still starting, and looks twice where something was restarted a moment ago: a unit in a
 * crash loop is active most of the time. Then the logs of what is not well.
 */
function probe(names: readonly string[], patience: number): string {
  const units = names.map(quote).join(' ');
  return `
s_units='${units}'
s_show() { systemctl show -p Id,LoadState,ActiveState,SubState,Result,NRestarts,ActiveEnterTimestampMonotonic $s_units; }
s_end=$(($(date +%s) + ${patience}))
while s_now=$(s_show); do
  case $s_now in *ActiveState=activating*|*ActiveState=deactivating*|*ActiveState=reloading*) [ "$(date +%s)" -ge "$s_end" ] || { sleep 0.2; continue; } ;; esac
  break
done
echo '@before'; printf '%s\\n' "$s_now"
read -r s_up s_x </proc/uptime
s_young=$(printf '%s\\n' "$s_now" | awk -F= -v up="$s_up" '
  function ends() { if (restarts > 0 && since > up - 10) young = 1; restarts = since = 0 }
  $1 == "NRestarts" { restarts = $2 } $1 == "ActiveEnterTimestampMonotonic" { since = $2 / 1000000 } $0 == "" { ends() } END { ends(); print young + 0 }')
[ "$s_young" = 0 ] || sleep 2
echo '@after'; s_then=$(s_show); printf '%s\\n' "$s_then"
for s_u in $(printf '%s\\n\\n%s\\n' "$s_now" "$s_then" | awk -F= '
  function ends() { if (id != "" && (state != "active" || (id in seen && seen[id] != restarts))) bad[id] = 1; seen[id] = restarts; id = "" }
  $1 == "Id" { id = $2 } $1 == "ActiveState" { state = $2 } $1 == "NRestarts" { restarts = $2 } $0 == "" { ends() } END { ends(); for (id in bad) print id }')
do echo "@log $s_u"; journalctl -q -u "$s_u" -n 200 -o short-iso --no-pager; done
`;
}

/** The inverse of the probe. */
export function parseUnits(output: string): { before: Unit[]; after: Unit[]; logs: Record<string, string> } {
  const [, before = '', rest = ''] = /^@before\n([\s\S]*?)\n@after\n([\s\S]*)$/.exec(output.trim()) ?? [];
  const [after = '', ...logs] = rest.split(/\n@log /);
  return {
    before: properties(before),
    after: properties(after),
    logs: Object.fromEntries(logs.map((text) => [text.slice(0, text.search(/\n|$/)), text.slice(text.search(/\n|$/) + 1)])),
  };
}

function properties(text: string): Unit[] {
  // Which property comes first is systemd's choice, so a block ends at an empty line.
  return text.split(/\n\n+/).flatMap((block) => {
    const value = Object.fromEntries(
      block.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    if (!value['Id']) return [];
    return [
      {
        id: value['Id'],
        loaded: value['LoadState'] === 'loaded',
        active: value['ActiveState'] ?? 'unknown',
        sub: value['SubState'] ?? '',
        result: value['Result'] ?? '',
        restarts: Number(value['NRestarts'] ?? 0),
      },
    ];
  });
}

function judge(host: Host, names: readonly string[], context: CheckContext): Finding[] {
  const { before, after, logs } = parseUnits(context.seen(host)!);
  return names.flatMap((name) => {
    const unit = after.find(({ id }) => id === name);
    if (!unit?.loaded) return [failing(host.name, `${name} is not installed`, { hint: 'slipway apply installs it' })];
    const more = unit.restarts - (before.find(({ id }) => id === name)?.restarts ?? unit.restarts);
    const what = state(unit, more);
    if (what === undefined) return [];
    const stopped = unit.active === 'inactive' && unit.result === 'success';
    const log = logs[name] ?? '';
    const lines = stopped ? lastWords(log) : relevantLines(log);
    const evidence = lines.length > 0 ? [`${host.name} ${name}:`, ...lines.map((line) => `  ${line}`)].join('\n') : undefined;
    const hint = stopped
      ? `somebody stopped it: slipway apply starts it again, as does systemctl start ${name}`
      : (hintFor(lines) ?? `journalctl -u ${name} on the host tells more`);
    return [failing(host.name, `${name} ${what}`, { hint, evidence })];
  });
}

/** What is wrong with a unit, in words after its name; undefined: nothing. `more`: restarts between two looks. */
function state({ active, sub, result, restarts }: Unit, more: number): string | undefined {
  if (active === 'active' && more === 0) return undefined;
  if (active === 'active' || sub === 'auto-restart' || (active === 'activating' && more > 0))
    return `ends again and again (${count(restarts, 'restart')})`;
  if (active === 'activating') return restarts > 0 ? `does not get ready (${count(restarts, 'restart')})` : 'does not get ready';
  return `is ${active}${result && result !== 'success' ? ` (${result})` : ''}`;
}

function fromStates(context: VerifyContext): CheckResult {
  const findings = context.cluster.hosts.flatMap((host) =>
    unitsOf(context, host).flatMap((name) => {
      const unit = context.states[host.name]?.units[name];
      if (!unit?.loaded) return [failing(host.name, `${name} is not installed`, { hint: 'slipway apply installs it' })];
      if (unit.active === 'active') return [];
      if (unit.active === 'activating')
        return [
          warning(host.name, `${name} is still starting`, { hint: 'slipway verify waits for it, and tells why if it does not come' }),
        ];
      return [failing(host.name, `${name} is ${unit.active}`, { hint: 'slipway verify shows its log' })];
    }),
  );
  return verdict(findings, { message: `active on ${count(context.cluster.hosts.length, 'host')}` });
}
