import { quote } from '../base/quote.ts';
import { KUBECTL } from '../components/topology.ts';

export interface DrainOptions {
  node: string;
  /** Pods without a controller are deleted too, and disruption budgets are not asked. */
  force: boolean;
  /** How long pods may take to leave, in seconds. */
  timeout: number;
  /** Whether anybody on the host says that a pod has ended. */
  kubelet: boolean;
}

/**
 * Shell text that cordons a node and evicts its pods. What holds pods back is said as soon as it does, and when it failed also what else is
 * left there. kubectl's own words about a budget do not name it.
 */
export function drainScript({ node, force, timeout, kubelet }: DrainOptions): string {
  const flags = [
    '--ignore-daemonsets',
    '--delete-emptydir-data',
    `--timeout=${timeout}s`,
    ...(force ? ['--force', '--disable-eviction'] : []),
    // Such pods are deleted with their node.
    ...(kubelet ? [] : ['--skip-wait-for-delete-timeout=1']),
  ];
  const onNode = `--field-selector=${quote(`spec.nodeName=${node}`)}`;
  return `s_get() { ${KUBECTL} --request-timeout=10s get "$@" </dev/null; }
s_budgets() {
  s_get poddisruptionbudgets -A -o go-template='${BUDGETS}' |
  while read -r s_namespace s_name s_allowed s_healthy s_wanted s_expected s_selector; do
    [ "$s_allowed" = 0 ] && [ "$s_expected" != 0 ] || continue
    s_get pods -n "$s_namespace" -l "\${s_selector%,}" ${onNode} -o go-template='{{range .items}}{{.metadata.name}}{{"\\n"}}{{end}}' |
    while read -r s_pod; do
      echo "$s_namespace/$s_pod ${HELD} $s_name wants $s_wanted healthy pods, and there are $s_healthy"
    done
  done
}
s_rest() {
  s_get pods -A ${onNode} -o go-template='${PODS}' |
  while read -r s_pod s_phase s_owner s_until; do
    case $s_phase in Succeeded | Failed) continue ;; esac
    case $s_owner in DaemonSet) continue ;; esac
    if [ -n "$s_until" ]; then echo "$s_pod ${ENDING} $s_until, and is still there"
    elif [ "$s_owner" = - ]; then echo "$s_pod ${ALONE}"; fi
  done
}
{ ${KUBECTL} drain ${quote(node)} ${flags.join(' ')} 2>&1 || echo @failed; } | {
  s_code=0 s_told=
  while IFS= read -r s_line; do
    case $s_line in
      @failed) s_code=1; continue ;;
      'evicting pod '*) continue ;;
      *'disruption budget'*) [ -n "$s_told" ] || { s_told=yes; s_budgets; } ;;
    esac
    printf '%s\\n' "$s_line"
  done
  exit $s_code
} || { echo ${quote(`${node}${FAILED}`)}; s_budgets; s_rest; exit 1; }`;
}

const HELD = 'may not be evicted: the disruption budget';
const ALONE = 'has no controller that would start it again elsewhere';
const ENDING = 'was told to end by';
const FAILED = ' was not drained, and stays cordoned:';

/** A line for each budget: its namespace and name, pods that it allows to go, that are healthy, should be and are counted; its selector. */
const BUDGETS =
  '{{range .items}}{{.metadata.namespace}} {{.metadata.name}} {{.status.disruptionsAllowed}} {{.status.currentHealthy}} {{.status.desiredHealthy}} {{.status.expectedPods}} ' +
  '{{range $k, $v := .spec.selector.matchLabels}}{{$k}}={{$v}},{{end}}' +
  '{{range .spec.selector.matchExpressions}}{{if eq .operator "In"}}{{.key}} in {{template "of" .values}},{{else if eq .operator "NotIn"}}{{.key}} notin {{template "of" .values}},{{else if eq .operator "Exists"}}{{.key}},{{else}}!{{.key}},{{end}}{{end}}{{"\\n"}}{{end}}' +
  '{{define "of"}}({{range $i, $v := .}}{{if $i}},{{end}}{{$v}}{{end}}){{end}}';

/** A line for each pod: its name, phase, the kind of its controller or -, and until when it should have ended. */
const PODS =
  '{{range .items}}{{.metadata.namespace}}/{{.metadata.name}} {{.status.phase}} {{$o := "-"}}{{range .metadata.ownerReferences}}{{if .controller}}{{$o = .kind}}{{end}}{{end}}{{$o}}{{with .metadata.deletionTimestamp}} {{.}}{{end}}{{"\\n"}}{{end}}';

/** What a drain that failed printed: the lines that name what is left, and what to do about it. Undefined: it is no drain's. */
export function explainDrain(evidence: string): { evidence: string; hint: string; code: string } | undefined {
  const [whole, node, left = ''] = new RegExp(`^(\\S+)${FAILED}$([^]*)`, 'm').exec(evidence) ?? [];
  if (whole === undefined) return undefined;
  const lines = [...new Set(left.trim().split('\n'))].filter((line) => line !== '');
  const some = (words: string): boolean => lines.some((line) => line.includes(words));
  const ways = [
    ...(some(HELD) ? ['let the budgets allow it (more replicas, or another budget)'] : []),
    ...(some(ALONE) ? ['delete the pods that have no controller'] : []),
    ...(some(ENDING) ? ['give them longer with --timeout'] : []),
  ];
  const force = some(HELD) || some(ALONE) ? ', or add --force, which deletes what has no controller and asks no budget' : '';
  return {
    evidence: lines.length > 0 ? lines.join('\n') : [...new Set(evidence.slice(0, evidence.indexOf(whole)).trim().split('\n'))].join('\n'),
    hint:
      `${node} stays cordoned, and nothing else was done to it: ${ways.join('; ') || 'mend what is named'}, then run the same command again` +
      `${force}; kubectl uncordon ${node} lets it take pods again instead`,
    code: 'DRAIN_FAILED',
  };
}
