export { labUp, labDown } from './up.ts';
export type { LabUpOptions } from './up.ts';
export { labPrerequisites, installPrerequisites } from './prerequisites.ts';
