import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { readFileSync } from 'node:fs';

/** What figures depend on; `load` is what others did here when it began. */
export function machine() {
  const system = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  return {
    cores: availableParallelism(),
    processor: cpus()[0].model,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system,
    load: rounded(loadavg()[0], 1),
  };
}

export function today() {
  return new Date().toISOString().slice(0, 10);
}

export function median(numbers) {
  const sorted = [...numbers].sort((x, y) => x - y);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

export function rounded(number, digits = 2) {
  return Number(number.toFixed(digits));
}

export function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0)} MB`;
}
