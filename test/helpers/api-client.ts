import { parse } from 'yaml';
import type { TestLab } from './lab.ts';

/**
 * A client of the Kubernetes API as text for Python 3: writes and reads a ConfigMap ten times a second through the node's own endpoint, with a
 * timeout of one second, until a file appears; makes that file with the name behind it when it is under way. Arguments: `new` (a connection for each request) or `kept` (one, as long as it lasts), the name of
 * the ConfigMap, and the file. Prints one JSON object: requests, failed (when each was sent, in seconds since 1970, its method, and why), gap
 * (longest time without an answer, in seconds).
 */
const API_CLIENT = `
import http.client, json, os, ssl, sys, time
mode, name, end = sys.argv[1:4]
context = ssl.create_default_context(cafile='/root/client/ca.crt')
context.load_cert_chain('/root/client/client.crt', '/root/client/client.key')
path = '/api/v1/namespaces/default/configmaps'
connection = None
def request(method, target, body=None):
    global connection
    if connection is None or mode == 'new':
        connection = http.client.HTTPSConnection('127.0.0.1', 6444, timeout=1, context=context)
    try:
        connection.request(method, target, json.dumps(body) if body else None, {'Content-Type': 'application/json'})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise OSError(f'{answer.status} {text[:200]}')
        return json.loads(text)
    except Exception:
        connection.close()
        connection = None
        raise
made = {'metadata': {'name': name}, 'data': {'n': '0'}}
while True:
    try:
        request('POST', path, made)
        break
    except OSError as error:
        if '409' in str(error):
            break
open(f'{end}.{name}', 'w').close()
requests, failed, gap, last, n = 0, [], 0.0, time.time(), 0
while not os.path.exists(end):
    begun = time.time()
    n += 1
    for method in ('PUT', 'GET'):
        requests += 1
        asked = time.time()
        try:
            answer = request(method, f'{path}/{name}', {**made, 'data': {'n': str(n)}} if method == 'PUT' else None)
            if method == 'PUT':
                written = answer['data']['n']
            elif int(answer['data']['n']) < int(written):
                raise OSError('read an older value than was written')
            gap, last = max(gap, time.time() - last), time.time()
        except Exception as error:
            failed.append([asked, method, str(error)[:120]])
    time.sleep(max(0, 0.1 - (time.time() - begun)))
print(json.dumps({'requests': requests, 'failed': failed, 'gap': gap}))
`;

export interface Outcome {
  requests: number;
  failed: [number, string, string][];
  gap: number;
}

export const MODES = ['new', 'kept'] as const;

/** Puts the client on a host, with an administrator's certificate. */
export async function installClient(lab: TestLab, host: string): Promise<void> {
  const { stdout } = await lab.ok('kubeconfig');
  const { clusters, users } = parse(stdout) as {
    clusters: { cluster: Record<string, string> }[];
    users: { user: Record<string, string> }[];
  };
  const files = {
    'ca.crt': clusters[0]!.cluster['certificate-authority-data']!,
    'client.crt': users[0]!.user['client-certificate-data']!,
    'client.key': users[0]!.user['client-key-data']!,
    'client.py': Buffer.from(API_CLIENT).toString('base64'),
  };
  const written = Object.entries(files).map(([name, bytes]) => `echo ${bytes} | base64 -d >${name}`);
  await lab.on(
    host,
    `DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends python3-minimal libpython3-stdlib >/dev/null; mkdir -m 0700 /root/client; cd /root/client; ${written.join('; ')}`,
  );
}

/** Starts a client of each mode, and resolves when they are under way; `end` ends them and tells what they saw, in the order of MODES. */
export async function startClients(lab: TestLab, host: string): Promise<{ end(): Promise<Outcome[]> }> {
  await lab.on(host, 'rm -f /root/client/end*');
  const clients = MODES.map((mode) => lab.on(host, `python3 /root/client/client.py ${mode} ha-${mode} /root/client/end`));
  await lab.on(host, MODES.map((mode) => `until [ -e /root/client/end.ha-${mode} ]; do sleep 0.1; done`).join('; '));
  return {
    end: async () => {
      await lab.on(host, 'touch /root/client/end');
      return (await Promise.all(clients)).map((text) => JSON.parse(text) as Outcome);
    },
  };
}
