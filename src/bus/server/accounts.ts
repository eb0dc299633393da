// Two NATS accounts. The streams, the builders and the admin are in one; everybody else is a client in the other,
// which has no JetStream and imports, subject by subject, what clients may use.
//
// Why: the server answers a request to the subject that the request names, also to one that the asker may not
// publish to. Within one account a key that may only read could so have the server publish stored bytes, or its own
// words, among the events of a build. An answer that crosses accounts arrives in the asker's account, which has
// neither streams nor builders.
import { anyHost, listening, withinClients } from "./deploy-permissions.ts";
import {
  inboxPrefixOf,
  inDomain,
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

/** What they may do together is what crosses the accounts. */
const clients: readonly Identity[] = [
  { role: "operator" },
  { role: "ci" },
  { role: "updater" },
  { role: "dashboard" },
  { role: "deployer" },
];

/**
 * Derived from what clients may publish and subscribe to: what no client may use is not shared. It is shared for all hosts
 * at once; which of them a listener may use is said by its own permissions, also within the account.
 */
export function sharedSubjects(domain?: string): SharedSubjects {
  const services = new Set<string>();
  const streams = new Set<string>(["build-replies.>"]);
  for (const user of clients) {
    const { publish, subscribe } = permissionsOf(user, domain);
    const own = [`${inboxPrefixOf(user)}.>`, `build-replies.${userLabel(user)}.>`, permissionsMarker];
    const isOwn = (subject: string): boolean =>
      own.includes(subject) || withinClients.some((within) => covers(within, subject));
    for (const subject of publish) if (!isOwn(subject)) services.add(subject);
    for (const subject of subscribe) if (!isOwn(subject)) streams.add(subject);
  }
  const listeners = inDomain(listening(anyHost), domain);
  for (const subject of listeners.publish) services.add(subject);
  for (const subject of listeners.subscribe) streams.add(subject);
  return { services: withoutCovered(services), streams: withoutCovered(streams) };
}

/** The server would carry a message across once for each import that matches it, and store it as often. */
const withoutCovered = (subjects: ReadonlySet<string>): readonly string[] =>
  [...subjects].filter(
    (subject) => ![...subjects].some((other) => other !== subject && covers(other, subject)),
  );

/** Whether every subject that the second one stands for matches the first. */
export function covers(wide: string, narrow: string): boolean {
  const tokens = narrow.split(".");
  const wanted = wide.split(".");
  for (const [index, token] of wanted.entries()) {
    if (token === ">") return tokens.length > index;
    const other = tokens[index];
    if (other === undefined || other === ">") return false;
    if (token !== "*" && token !== other) return false;
  }
  return tokens.length === wanted.length;
}
