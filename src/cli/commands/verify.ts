import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { SlipwayError } from '../../base/errors.ts';
import type { Handler } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { verifyNetwork } from '../network.ts';
import { networkText } from '../network-report.ts';
import { globalOptions } from '../options.ts';
import { formatted } from '../output.ts';
import { withSession } from '../session.ts';
import { painter } from '../style.ts';
import { runVerify } from '../verify.ts';
import { junit, reportOf, reportText } from '../verify-report.ts';

/** Checks that the cluster really works, or with --network that the hosts reach each other: exit code 1 when a check fails. */
export const verify: Handler = async ({ options: given }, io) => {
  const options = globalOptions(given);
  const file = given['report'] as string | undefined;
  const format = file === undefined ? undefined : formatOf(file);
  const network = given['network'] === true;
  if (network && (file !== undefined || given['deep'] === true)) {
    throw new SlipwayError('--network looks at the network between the hosts alone, without --report and --deep', {
      code: 'OPTION_INVALID',
      category: 'usage',
      hint: 'slipway verify --network -o json > network.json',
    });
  }
  const start = performance.now();
  return withSession('verify', { options, io, tolerant: true }, async (session) => {
    session.emit({ code: 'run.started', verb: 'verify', run: session.run, hosts: session.cluster.hosts.map(({ name }) => name) });
    session.emit({ code: 'stage', stage: 'gather' });
    const { context } = await session.gather();
    if (network) {
      const report = await verifyNetwork(context, { session, skip: options.skipCheck, start });
      session.emit({ code: 'run.finished', ok: report.ok, ms: Math.round(performance.now() - start), stats: session.stats });
      await session.settleDisplay();
      io.stdout.write(formatted(options.output, { text: () => networkText(report, painter(io.color.stdout)), data: report }));
      return report.ok ? exitCodes.ok : exitCodes.failed;
    }
    const answers = await runVerify(session, { context, current: true, deep: given['deep'] === true });
    const report = reportOf(answers, {
      cluster: context.cluster,
      versions: context.versions,
      time: new Date(context.now),
      ms: performance.now() - start,
    });
    session.emit({ code: 'run.finished', ok: report.ok, ms: Math.round(performance.now() - start), stats: session.stats });
    await session.settleDisplay();
    io.stdout.write(formatted(options.output, { text: () => reportText(report, painter(io.color.stdout)), data: report }));
    if (file !== undefined) await writeFile(file, format === 'xml' ? junit(report) : `${JSON.stringify(report, null, 2)}\n`);
    return report.ok ? exitCodes.ok : exitCodes.failed;
  });
};

function formatOf(file: string): 'json' | 'xml' {
  const extension = extname(file);
  if (extension === '.json' || extension === '.xml') return extension.slice(1) as 'json' | 'xml';
  throw new SlipwayError(`a report is .json or .xml, not ${file}`, {
    code: 'REPORT_FORMAT_UNKNOWN',
    category: 'usage',
    hint: 'slipway verify --report verify.xml',
  });
}
