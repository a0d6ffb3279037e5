"""A client that writes down what it misses: ten rounds a second with a timeout of one second each, until a file appears.

Arguments: what it asks, a name, the file that ends it, and for `service` the address.

new      writes and reads a ConfigMap of that name through the node's own endpoint of the Kubernetes API, with a connection for each request
kept     the same with one connection, as long as it lasts
service  asks http://ADDRESS/hostname, with a connection for each request

Makes FILE.NAME when it is under way. At the end prints one JSON object: requests; failed (when each was sent, in seconds since 1970, its method, and
why); gap (the longest time without an answer, in seconds).
"""

import http.client
import json
import os
import ssl
import sys
import time

mode, name, end = sys.argv[1:4]
connection = None

if mode == 'service':
    def connect():
        return http.client.HTTPConnection(sys.argv[4], timeout=1)
else:
    context = ssl.create_default_context(cafile='/root/client/ca.crt')
    context.load_cert_chain('/root/client/client.crt', '/root/client/client.key')

    def connect():
        return http.client.HTTPSConnection('127.0.0.1', 6444, timeout=1, context=context)


def request(method, target, body=None):
    global connection
    if connection is None or mode != 'kept':
        connection = connect()
    try:
        connection.request(method, target, json.dumps(body) if body else None, {'Content-Type': 'application/json'})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise OSError(f'{answer.status} {text[:200]}')
        return text
    except Exception:
        connection.close()
        connection = None
        raise


path = '/api/v1/namespaces/default/configmaps'
made = {'metadata': {'name': name}, 'data': {'n': '0'}}
written = 0


def write(n):
    global written
    answer = json.loads(request('PUT', f'{path}/{name}', {**made, 'data': {'n': str(n)}}))
    written = int(answer['data']['n'])


def read(_):
    if int(json.loads(request('GET', f'{path}/{name}'))['data']['n']) < written:
        raise OSError('read an older value than was written')


def ask(_):
    request('GET', '/hostname')


while True:
    try:
        if mode == 'service':
            ask(0)
        else:
            request('POST', path, made)
        break
    except OSError as error:
        if '409' in str(error):
            break
        time.sleep(0.1)

open(f'{end}.{name}', 'w').close()
requests, failed, gap, last, n = 0, [], 0.0, time.time(), 0
while not os.path.exists(end):
    begun = time.time()
    n += 1
    for work in [ask] if mode == 'service' else [write, read]:
        requests += 1
        asked = time.time()
        try:
            work(n)
            gap, last = max(gap, time.time() - last), time.time()
        except Exception as error:
            failed.append([asked, work.__name__, str(error)[:120]])
    time.sleep(max(0, 0.1 - (time.time() - begun)))
print(json.dumps({'requests': requests, 'failed': failed, 'gap': gap}))
