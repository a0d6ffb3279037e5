import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { HTTP_GET } from '../../../src/base/http-get.ts';
import { execa } from 'execa';
import { parseProbes, probeScript } from '../../../src/checks/verify/probe.ts';

const open: (Server | Socket)[] = [];
afterEach(() => {
  for (const one of open.splice(0)) {
    if ('destroy' in one) one.destroy();
    else one.close();
  }
});

/** Listens on a free port and does this with every connection. */
async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    open.push(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function get(port: number, path = '/healthz', seconds = 3): Promise<{ exitCode: number | undefined; stdout: string }> {
  const { exitCode, stdout } = await execa('sh', { input: `${HTTP_GET}\ns_get 127.0.0.1 ${port} '${path}' ${seconds}\n`, reject: false });
  return { exitCode, stdout };
}

describe('the HTTP client of a bare host', () => {
  test('prints the status and the body, and asks as it was told', async () => {
    let asked = '';
    const port = await listen((socket) =>
      socket.on('data', (data) => {
        asked += String(data);
        if (asked.endsWith('\r\n\r\n')) socket.end('HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nall is\r\nwell');
      }),
    );
    expect(await get(port, '/dial?host=a&port=1')).toEqual({ exitCode: 0, stdout: 'HTTP 200\nall is\nwell' });
    expect(asked).toMatch(/^GET \/dial\?host=a&port=1 HTTP\/1\.0\r\nHost: 127\.0\.0\.1\r\n\r\n$/);
  });

  test('prints the status of a refusal, too', async () => {
    const port = await listen((socket) => socket.end('HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n'));
    expect((await get(port)).stdout).toBe('HTTP 400\nClient sent an HTTP request to an HTTPS server.');
  });

  test('says why there is no answer', async () => {
    const closed = await listen(() => {});
    (open[0] as Server).close();
    expect(await get(closed)).toEqual({ exitCode: 1, stdout: 'Connection refused' });
    const rude = await listen((socket) => socket.end());
    expect(await get(rude)).toEqual({ exitCode: 1, stdout: 'closed the connection without an answer' });
    const silent = await listen(() => {});
    expect(await get(silent, '/', 1)).toEqual({ exitCode: 1, stdout: 'no answer within 1 s' });
  });
});

describe('the probes of a host', () => {
  test('come back by name', () => {
    expect(parseProbes('\n@probe units\na\n\nb\n\n@probe empty\n\n@probe end\n')).toEqual({ units: 'a\n\nb', empty: '' });
  });

  test('are known to be cut off', () => {
    expect(parseProbes('\n@probe units\na')).toBeUndefined();
    expect(parseProbes('')).toBeUndefined();
  });

  test('are one script that a POSIX shell takes, whatever they contain', async () => {
    const script = probeScript({ one: `echo 'it'"'"'s'\ncat <<'EOF'\n$x\nEOF`, 'two-2': 'exit 3' }, 10);
    expect((await execa('sh', ['-n'], { input: script })).exitCode).toBe(0);
  });
});
