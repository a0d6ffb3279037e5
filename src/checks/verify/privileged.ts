import { imageReference } from '../../artifacts/catalogue.ts';
import { KUBECTL } from '../../components/topology.ts';
import { POD_START } from './trial.ts';
import { unlabelledNamespace } from './trial-script.ts';
import { failing, notTried, verdict, type Finding, type VerifyCheck, type VerifyContext } from './verify.ts';

/** What an API server says that takes no privileged container at all (kubernetes, pkg/apis/core/validation). */
const NEVER = /disallowed by cluster policy/;
const REFUSED = /violates PodSecurity/;

/** CSI drivers, network plugins and agents of nodes are privileged, and everybody else must not be: both halves, each in a namespace of its own. */
export const privileged: VerifyCheck = {
  id: 'privileged',
  title: 'A privileged pod starts where its namespace allows it, and nowhere else',
  trial: true,
  applies: ({ cluster }) => (argsOf(cluster)['allow-privileged'] ?? 'true') === 'true',
  work({ namespace }, { patience, render, versions }) {
    const seconds = Math.max(patience, POD_START);
    const manifest = render('verify/privileged.yaml.hbs', { image: imageReference('image-agnhost', versions.kubernetes) });
    return `
s_first=$(printf '%s\\n' "$s_pods" | head -n 1)
[ -n "$s_first" ] || exit 0
s_node=$(${KUBECTL} -n ${namespace} get pod "$s_first" --request-timeout=10s -o go-template='{{.spec.nodeName}}')
sed "s/@node@/$s_node/" >"$s_d/privileged.yaml" <<'SLIPWAY_POD'
${manifest}
SLIPWAY_POD
s_create() { s_said=$(${KUBECTL} create --validate=false -f "$s_d/privileged.yaml" --request-timeout=20s "$@" 2>&1); s_code=$?; printf '%s %s\\n' "$s_code" "$(printf '%s' "$s_said" | tr '\\n' ' ')"; }
printf 'elsewhere '; s_create -n ${unlabelledNamespace(namespace)} --dry-run=server
printf 'here '; s_create -n ${namespace}
[ "$s_code" = 0 ] || exit 0
timeout ${seconds + 5} ${KUBECTL} -n ${namespace} wait --for=condition=Ready pod/privileged --timeout=${seconds}s >/dev/null 2>&1 && s_ready=ready
${KUBECTL} -n ${namespace} get pod privileged --request-timeout=10s -o go-template='pod {{.spec.nodeName}} '"\${s_ready:-unready}"' {{.status.phase}}{{range .status.containerStatuses}}{{with .state.waiting}} {{.reason}} {{.message}}{{end}}{{with .state.terminated}} {{.reason}} {{.message}}{{end}}{{end}}'`;
  },
  run({ trial, cluster }) {
    if (trial.observer === undefined) return notTried(trial.problem ?? 'there is no trial');
    const said = trial.work['privileged'] ?? '';
    const here = answerOf(said, 'here');
    if (here === undefined) return notTried(trial.problem ?? 'no pod runs');
    const [, node, ready, why] = /^pod (\S+) (\S+) ?(.*)/m.exec(said) ?? [];
    const started =
      ready === 'ready'
        ? []
        : [
            here.ok
              ? failing(node ?? [], `a privileged pod does not start: ${why || 'nothing is known of it'}`, atKubelet)
              : notMade(here.text),
          ];
    const elsewhere = enforces(cluster) ? answerOf(said, 'elsewhere') : undefined;
    const findings = [...started, ...(elsewhere === undefined ? [] : notRefused(elsewhere))];
    return verdict(findings, {
      message: `started on ${node ?? 'a node'}${elsewhere === undefined ? '' : ', refused by a namespace without labels'}`,
    });
  },
};

const atKubelet = { hint: 'the kubelet says why: journalctl -u kubelet on the node' };

function notMade(text: string): Finding {
  if (NEVER.test(text))
    return failing([], 'the API server takes no privileged pod, in no namespace', {
      hint: 'kube-apiserver needs --allow-privileged=true: slipway apply puts it back',
      evidence: text,
    });
  return failing([], 'a privileged pod cannot be made in a namespace that allows it', {
    hint: REFUSED.test(text)
      ? 'PodSecurity does not heed the label pod-security.kubernetes.io/enforce: look at --admission-control-config-file of kube-apiserver'
      : 'look at what the API server says, and at webhooks that admit pods',
    evidence: text,
  });
}

function notRefused({ ok, text }: Answer): Finding[] {
  // Where nothing privileged is taken at all, PodSecurity is not asked.
  if (REFUSED.test(text) || NEVER.test(text)) return [];
  if (ok)
    return [
      failing([], 'a namespace without labels takes a privileged pod: Pod Security is not enforced', {
        hint: 'kube-apiserver needs --admission-control-config-file with the defaults of PodSecurity: slipway apply puts both back',
      }),
    ];
  return [
    failing([], 'a namespace without labels refuses a privileged pod for another reason than Pod Security', {
      hint: 'look at what the API server says, and at webhooks that admit pods',
      evidence: text,
    }),
  ];
}

interface Answer {
  ok: boolean;
  text: string;
}

/** What `kubectl create` ended with and said. */
function answerOf(said: string, where: 'here' | 'elsewhere'): Answer | undefined {
  const [, code, text] = new RegExp(`^${where} (\\d+) ?(.*)`, 'm').exec(said) ?? [];
  return code === undefined ? undefined : { ok: code === '0', text: text! };
}

const argsOf = ({ components }: VerifyContext['cluster']): Readonly<Record<string, string>> => components['kube-apiserver']?.args ?? {};

/** Unless the cluster file has Pod Security its own way. */
function enforces(cluster: VerifyContext['cluster']): boolean {
  const { 'admission-control-config-file': file, 'disable-admission-plugins': without = '' } = argsOf(cluster);
  return file === undefined && !without.split(',').includes('PodSecurity');
}
