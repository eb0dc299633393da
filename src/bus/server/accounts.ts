// Two NATS accounts. The streams, the builders and the admin are in one; everybody else is a client in the other,
// which has no JetStream and imports, subject by subject, what clients may use.
//
// Why: the server answers a request to the subject that the request names, also to one that the asker may not
// publish to. Within one account a key that may only read could so have the server publish stored bytes, or its own
// words, among the events of a build. An answer that crosses accounts arrives in the asker's account, where there
// is no stream and no builder.
import {
  inboxPrefixOf,
  permissionsMarker,
  permissionsOf,
  userLabel,
  type Identity,
  type Role,
} from "./permissions.ts";

export type AccountName = "HOMELAB" | "CLIENTS";

export const accountOf = (role: Role): AccountName =>
  role === "admin" || role === "builder" ? "HOMELAB" : "CLIENTS";

/** What HOMELAB offers to CLIENTS, and CLIENTS takes from it. */
export interface SharedSubjects {
  /** A client publishes, and may get an answer. */
  readonly services: readonly string[];
  /** A client listens. */
  readonly streams: readonly string[];
}

/** What they may do together is what crosses the accounts. A listener has only its inbox. */
const clients: readonly Identity[] = [
  { role: "operator" },
  { role: "ci" },
  { role: "updater" },
  { role: "dashboard" },
];

/** Derived from what clients may publish and subscribe to: what no client may use is not shared. */
export function sharedSubjects(domain?: string): SharedSubjects {
  const services = new Set<string>();
  const streams = new Set<string>(["build-replies.>"]);
  for (const user of clients) {
    const { publish, subscribe } = permissionsOf(user, domain);
    const own = [`${inboxPrefixOf(user)}.>`, `build-replies.${userLabel(user)}.>`, permissionsMarker];
    for (const subject of publish) if (!own.includes(subject)) services.add(subject);
    for (const subject of subscribe) if (!own.includes(subject)) streams.add(subject);
  }
  return { services: [...services], streams: [...streams] };
}
