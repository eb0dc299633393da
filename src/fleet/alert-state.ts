// Alerts of homelab-deploy's own rules, as Prometheus has them.

export interface Alert {
  readonly name: string;
  readonly severity: string;
  /** `pending`: true, but not yet for as long as the rule demands. */
  readonly state: "firing" | "pending";
  /** RFC 3339. */
  readonly since: string;
  readonly summary: string;
}

/** Why nobody can tell, where Prometheus does not answer. */
export type AlertState = { readonly url: string } & (
  | { readonly alerts: readonly Alert[] }
  | { readonly reason: string }
);
