/**
 * A client of the Kubernetes API as text for Python 3: writes and reads a ConfigMap ten times a second through the node's own endpoint, with a
 * timeout of one second, until a file appears; makes that file with the name behind it when it is under way. Arguments: `new` (a connection for each request) or `kept` (one, as long as it lasts), the name of
 * the ConfigMap, and the file. Prints one JSON object: requests, failed (when each was sent, in seconds since 1970, its method, and why), gap
 * (longest time without an answer, in seconds).
 */
export const API_CLIENT = `
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
