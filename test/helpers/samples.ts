import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import type { TestLab } from './lab.ts';

/** All command lines that were seen on the hosts and on this machine, by where. */
export interface Samples {
  stop(): Promise<Record<string, string>>;
}

const FILE = '/run/ps-samples';

/** Looks at all processes every 200 ms, on every host of the lab and here. */
export async function sampleProcesses(lab: TestLab): Promise<Samples> {
  const loop = `touch ${FILE}; while [ -e ${FILE} ]; do ps axww -o args=; sleep 0.2; done | awk '!seen[$0]++ { print; fflush() }' >${FILE}.out`;
  await lab.everywhere(`systemd-run --quiet --unit=ps-samples sh -c '${loop.replaceAll("'", `'\\''`)}'`);
  const here = new Set<string>();
  let on = true;
  const watching = (async () => {
    while (on) {
      const { stdout } = await execa('ps', ['axww', '-o', 'args=']);
      for (const line of stdout.split('\n')) here.add(line);
      await delay(200);
    }
  })();
  return {
    async stop() {
      on = false;
      await watching;
      const seen = await lab.everywhere(
        `rm ${FILE}; while systemctl is-active -q ps-samples; do sleep 0.1; done; cat ${FILE}.out; rm ${FILE}.out`,
      );
      return { ...seen, operator: [...here].join('\n') };
    },
  };
}
