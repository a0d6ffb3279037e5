import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { SlipwayError, isSlipwayError, messageOf } from '../../base/errors.ts';
import { isAbort, isDiskError } from '../files.ts';
import { proxyFor } from './proxy.ts';

export interface RequestOptions {
  headers?: Readonly<Record<string, string>> | undefined;
  signal?: AbortSignal | undefined;
  /** Where the proxy variables are looked up. Default: process.env. */
  environment?: NodeJS.ProcessEnv | undefined;
  /** Milliseconds without a byte after which the request is given up. Default 30_000. */
  idleMs?: number | undefined;
  /** Milliseconds to wait before each further attempt, where attempts are repeated. Default: 0.5, 2 and 5 s, which bridge a short outage. */
  pausesMs?: readonly number[] | undefined;
}

export interface Reply {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: http.IncomingMessage;
}

const REDIRECTS = 10;

/**
 * GET, following redirects, through a proxy where the environment names one. Resolves whatever the status is. Throws
 * ARTIFACT_SOURCE_UNREACHABLE (unreachable) or ABORTED (aborted).
 */
export async function get(address: string, options: RequestOptions = {}): Promise<Reply> {
  let url = new URL(address);
  let headers: Record<string, string> = { 'user-agent': 'slipway', ...options.headers };
  for (let hop = 0; hop <= REDIRECTS; hop++) {
    const reply = await send(url, { ...options, headers });
    const { location } = reply.headers;
    if (![301, 302, 303, 307, 308].includes(reply.status) || !location) return reply;
    reply.body.resume();
    const next = new URL(location, url);
    if (url.protocol === 'https:' && next.protocol !== 'https:')
      throw unreachable(url, `it redirects to ${next.protocol}//${next.host}, which is not encrypted`);
    // A token is meant for the server that asked for it, not for the store it sends us to.
    if (next.host !== url.host) headers = Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'authorization'));
    url = next;
  }
  throw unreachable(url, 'it redirects too often');
}

/** The body as text; `limit` bytes at most, because what is read this way is small. Throws as `get`, and ARTIFACT_NOT_FOUND (failed) for another status than 200. */
export async function getText(address: string, options: RequestOptions = {}, limit = 4 << 20): Promise<string> {
  const reply = await get(address, options);
  if (reply.status !== 200) throw statusError(address, reply);
  return readText(new URL(address), reply, limit);
}

export async function readText(url: URL, { body }: Reply, limit = 4 << 20): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk as Buffer);
      if ((size += (chunk as Buffer).length) > limit) throw unreachable(url, `it sent more than ${limit} bytes`);
    }
  } catch (error) {
    throw wrap(url, error);
  }
  return Buffer.concat(chunks).toString();
}

/** 5xx and 429 may pass by themselves, other statuses are an answer. */
export function statusError(address: string, { status, body }: Reply): SlipwayError {
  body.resume();
  if (status >= 500 || status === 429) return unreachable(new URL(address), `it answered ${status}`);
  return new SlipwayError(`${address} answered ${status}`, {
    code: 'ARTIFACT_NOT_FOUND',
    category: 'failed',
    hint: 'Check that the version exists there; on a mirror, that it has the layout HOST/PATH of the upstream sites.',
  });
}

/** What the network does to us, as one error; our own errors and those of our disk stay what they are. */
export function wrap(url: URL, error: unknown): unknown {
  if (isAbort(error)) return new SlipwayError('The download was interrupted', { code: 'ABORTED', category: 'aborted' });
  return isSlipwayError(error) || isDiskError(error) ? error : unreachable(url, messageOf(error), error);
}

function unreachable(url: URL, why: string, cause?: unknown): SlipwayError {
  return new SlipwayError(`${url.host} cannot be used: ${why}`, {
    code: 'ARTIFACT_SOURCE_UNREACHABLE',
    category: 'unreachable',
    hint: 'Check the network and HTTPS_PROXY; or set spec.artifacts.source to a mirror, a bundle, or go. Run the same command again: what was received is kept.',
    evidence: url.href,
    cause,
  });
}

async function send(url: URL, { headers, signal, environment = process.env, idleMs = 30_000 }: RequestOptions): Promise<Reply> {
  const proxy = proxyFor(url, environment);
  const tunnelled = proxy && url.protocol === 'https:';
  try {
    const connection = tunnelled ? { createConnection: await tunnel(url, proxy, { signal, idleMs }) } : {};
    return await new Promise<Reply>((resolve, reject) => {
      const common = { headers, ...(signal ? { signal } : {}) };
      const request =
        proxy && !tunnelled
          ? http.get({ ...address(proxy), path: url.href, ...common, headers: { ...headers, host: url.host, ...authorization(proxy) } })
          : (url.protocol === 'https:' ? https : http).get(url, { ...common, ...connection });
      request.setTimeout(idleMs, () => request.destroy(new Error(`no byte for ${idleMs / 1000} s`)));
      request.on('error', reject);
      request.on('response', (body) => resolve({ status: body.statusCode ?? 0, headers: body.headers, body }));
    });
  } catch (error) {
    throw wrap(proxy && !tunnelled ? proxy : url, error);
  }
}

/** A TLS connection through the proxy (RFC 9110, 9.3.6). */
async function tunnel(
  url: URL,
  proxy: URL,
  { signal, idleMs }: { signal: AbortSignal | undefined; idleMs: number },
): Promise<() => Socket> {
  const authority = `${url.hostname}:${url.port || '443'}`;
  const connected = new Promise<Socket>((resolve, reject) => {
    const request = (proxy.protocol === 'https:' ? https : http).request({
      ...address(proxy),
      method: 'CONNECT',
      path: authority,
      headers: { host: authority, ...authorization(proxy) },
      ...(signal ? { signal } : {}),
    });
    request.on('connect', ({ statusCode }, socket) => {
      if (statusCode === 200) resolve(socket);
      else reject(new Error(`the proxy answered ${statusCode} to CONNECT ${authority}`));
    });
    request.setTimeout(idleMs, () => request.destroy(new Error(`no byte for ${idleMs / 1000} s`)));
    request.on('error', reject);
    request.end();
  });
  const socket = await connected.catch((error: unknown) => {
    throw wrap(proxy, error);
  });
  const { ca } = https.globalAgent.options;
  return () => connectTls({ socket, servername: url.hostname, ALPNProtocols: ['http/1.1'], ...(ca ? { ca } : {}) });
}

function address(proxy: URL): { host: string; port: number } {
  return { host: proxy.hostname.replace(/^\[|\]$/g, ''), port: Number(proxy.port || (proxy.protocol === 'https:' ? 443 : 80)) };
}

function authorization({ username, password }: URL): Record<string, string> {
  if (!username) return {};
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  return { 'proxy-authorization': `Basic ${credentials}` };
}
