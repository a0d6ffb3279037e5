import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A TCP relay on loopback whose line can be made bad at will. */
export interface TcpProxy {
  port: number;
  /** How many connections were accepted so far. */
  accepted(): number;
  /** Ends every connection with a reset, at once. */
  reset(): void;
  /** From now on nothing passes in either direction, and nobody is told; new connections are accepted and left without an answer. */
  blackHole(): void;
  /** Everything is relayed again; what came meanwhile is lost. */
  heal(): void;
  /** The server's side is gone; the client's side stays open and silent. */
  halfOpen(): void;
  /** From now on nothing passes to this side, and nobody is told; the other direction goes on. */
  deafen(side: 'client' | 'server'): void;
  /** Every byte arrives this much later, in each direction. */
  delay(ms: number): void;
  /** At most so many bytes pass in each direction and second. */
  limit(bytesPerSecond: number): void;
  /** Resets every connection once so many bytes have gone from client to server, counted from now; once. */
  resetAfter(bytes: number): void;
  close(): Promise<void>;
}

export async function startTcpProxy(targetPort: number, targetHost = '127.0.0.1', address = '127.0.0.1'): Promise<TcpProxy> {
  const pairs = new Set<{ client: Socket; server: Socket }>();
  let accepted = 0;
  const hole = { client: false, server: false };
  let delayMs = 0;
  let rate = Infinity;
  let budget = Infinity;

  const resetAll = (): void => {
    for (const { client, server } of pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  };

  const relay = (from: Socket, to: Socket, side: 'client' | 'server'): void => {
    const later = inOrder();
    let free = 0;
    from.on('data', (chunk: Buffer) => {
      if (hole[side]) return;
      if (side === 'server' && (budget -= chunk.length) <= 0) {
        budget = Infinity;
        return resetAll();
      }
      const now = performance.now();
      free = Math.max(free, now) + (chunk.length / rate) * 1000;
      if (free + delayMs <= now) {
        if (!to.write(chunk)) {
          from.pause();
          to.once('drain', () => from.resume());
        }
        return;
      }
      later(free + delayMs, () => {
        if (!hole[side] && to.writable) to.write(chunk);
      });
      // The line is taken while the bytes go in; others may follow while these are on their way.
      if (rate === Infinity) return;
      from.pause();
      setTimeout(() => from.resume(), free - now);
    });
    from.on('end', () => void (hole[side] || later(performance.now() + delayMs, () => to.end())));
    from.on('error', () => {});
    from.on('close', () => void (hole[side] || later(performance.now() + delayMs, () => to.destroy())));
  };

  const listener = createServer((client) => {
    accepted++;
    client.setNoDelay(true);
    const server = connect({ port: targetPort, host: targetHost, noDelay: true });
    const pair = { client, server };
    pairs.add(pair);
    // A black hole hides the end of one side from the other: both must be closed in the end.
    const forget = (): void => void (client.closed && server.closed && pairs.delete(pair));
    client.once('close', forget);
    server.once('close', forget);
    relay(client, server, 'server');
    relay(server, client, 'client');
  });
  listener.listen(0, address);
  await once(listener, 'listening');

  return {
    port: (listener.address() as { port: number }).port,
    accepted: () => accepted,
    reset: resetAll,
    blackHole: () => (hole.client = hole.server = true),
    heal: () => (hole.client = hole.server = false),
    deafen: (side) => (hole[side] = true),
    halfOpen() {
      hole.client = hole.server = true;
      for (const { server } of pairs) server.destroy();
    },
    delay: (ms) => (delayMs = ms),
    limit: (bytesPerSecond) => (rate = bytesPerSecond),
    resetAfter: (bytes) => (budget = bytes),
    async close() {
      for (const { client, server } of pairs) {
        client.destroy();
        server.destroy();
      }
      listener.close();
      await once(listener, 'close');
    },
  };
}

/** Does one thing after the other, each not before its time: two timers that are due in the same millisecond may change places. */
function inOrder(): (time: number, act: () => void) => void {
  const waiting: { time: number; act: () => void }[] = [];
  const next = (): void => {
    while (waiting[0] !== undefined && waiting[0].time <= performance.now()) waiting.shift()!.act();
    if (waiting[0] !== undefined) setTimeout(next, Math.ceil(waiting[0].time - performance.now()));
  };
  return (time, act) => {
    waiting.push({ time, act });
    if (waiting.length === 1) setTimeout(next, Math.ceil(time - performance.now()));
  };
}
