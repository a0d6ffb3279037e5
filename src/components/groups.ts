/**
 * The group of Slipway's operators. It is a subject of the built-in ClusterRoleBinding `cluster-admin`, which API servers extend at
 * start and never cut (kubernetes, rbac/bootstrap-roles): so no other binding names that role (CIS 5.1.1), and unlike
 * `system:masters`, which no rule can take away, the group's rights can be withdrawn.
 */
export const clusterAdmins = 'slipway:cluster-admins';

/** The group that passes every authorization; only for the break-glass credential. */
export const superAdmins = 'system:masters';
