import { osModule, osRefusal, supportedSystems } from '../../facts/os/index.ts';
import { finding, perHost, type PreflightCheck } from './preflight.ts';

export const operatingSystem: PreflightCheck = {
  id: 'operating-system',
  title: 'The operating system is supported',
  run: (context) =>
    perHost(context, ({ name }, facts) => {
      const system = osModule(facts);
      if (system === undefined)
        return [
          finding('error', name, {
            what: `${facts.os.prettyName} is not supported: ${osRefusal(facts)!}`,
            hint: `Use one of: ${supportedSystems}.`,
          }),
        ];
      if (!facts.commands.includes(system.packageCommand))
        return [
          finding('error', name, {
            what: `${facts.os.prettyName} has no ${system.packageCommand}, with which packages are installed`,
            hint: 'Immutable editions are not supported: use the ordinary edition of this system.',
          }),
        ];
      if (!system.proven)
        return [
          finding('warning', name, {
            what: `${facts.os.prettyName} is known, but not part of the tests on real hosts`,
            hint: 'Try it with a host that you can spare first, and report what you see.',
          }),
        ];
      return [];
    }),
};
