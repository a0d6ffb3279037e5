import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sha256Of } from '../../../src/artifacts/digest.ts';

export interface SeenRequest {
  path: string;
  range?: string | undefined;
  authorization?: string | undefined;
}

/** A server that has files under the paths of a mirror, with ranges and entity tags like the real ones. */
export interface ReleaseServer {
  url: string;
  /** Path without the leading slash to content. */
  files: Map<string, Buffer>;
  seen: SeenRequest[];
  /** Paths whose next answer is cut off in the middle, as soon as the promise is kept. */
  cut: Map<string, () => Promise<void>>;
  /** Answers before the files are looked at; true when it did. */
  intercept?: (request: IncomingMessage, response: ServerResponse) => boolean;
  close(): Promise<void>;
}

export async function releaseServer(files: Record<string, Buffer | string>): Promise<ReleaseServer> {
  const server = createServer((request, response) => answer(request, response));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const self: ReleaseServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    files: new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content)])),
    seen: [],
    cut: new Map(),
    close: () => closeServer(server),
  };
  return self;

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent(new URL(request.url!, self.url).pathname.slice(1));
    self.seen.push({ path, range: request.headers.range, authorization: request.headers.authorization });
    if (self.intercept?.(request, response)) return;
    const content = self.files.get(path);
    if (!content) return void response.writeHead(404).end();
    const etag = `"${sha256Of(content).slice(0, 16)}"`;
    const from = request.headers['if-range'] === etag ? Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0;
    const rest = content.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, { etag, 'content-length': rest.length });
    const cut = self.cut.get(path);
    if (!cut) return void response.end(rest);
    self.cut.delete(path);
    response.write(rest.subarray(0, rest.length / 2));
    void cut().finally(() => response.destroy());
  }
}

export async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
}
