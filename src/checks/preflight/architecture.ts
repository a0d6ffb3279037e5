import { finding, perHost, type PreflightCheck } from './preflight.ts';

export const architecture: PreflightCheck = {
  id: 'architecture',
  title: 'The processor is amd64 or arm64',
  run: (context) =>
    perHost(context, ({ name }, { arch }) =>
      arch === 'amd64' || arch === 'arm64'
        ? []
        : [
            finding('error', name, {
              what: `the processor architecture is ${arch}`,
              hint: 'There are binaries for amd64 and arm64 only; on a 64-bit processor install a 64-bit system.',
            }),
          ],
    ),
};
