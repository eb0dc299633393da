// What deploying needs on NATS, in parts that roles are put together from. Nothing is believed because of its subject: these
// lists keep a stolen key from spoiling what belongs to others, and signatures do the rest.
import type { HostName, RepoName } from "../../protocol/names.ts";
import {
  deployEventSubject,
  deployOutputSubject,
  hostStateKey,
  live,
  orderSubject,
  streams,
} from "../../protocol/subjects.ts";
import { directGet, directGetLast, type Permissions } from "./permission-lists.ts";

/** Everything that is about one host. */
export interface HostSubjects {
  readonly orders: string;
  readonly events: string;
  readonly output: string;
  readonly state: string;
}

export function subjectsOf(repo: RepoName, host: HostName): HostSubjects {
  const of = { repo, host };
  return {
    orders: orderSubject(of),
    events: deployEventSubject(of),
    output: deployOutputSubject(of),
    state: hostStateKey(of),
  };
}

export const anyHost: HostSubjects = {
  orders: "deploy-orders.*.*",
  events: "deploy-events.*.*",
  output: "deploy-output.*.*",
  state: "$KV.hosts.*.*",
};

const rollouts = "rollout-events.*";

/** For the listener of a host: it reads the newest messages of its own subjects, and publishes what is its own to say. */
export const listening = ({ orders, events, output, state }: HostSubjects): Permissions => ({
  publish: [
    events,
    output,
    state,
    directGetLast(streams.orders, orders),
    directGetLast(streams.deployEvents, events),
    directGetLast(streams.deployOutput, output),
  ],
  subscribe: [live(orders)],
});

export const readingDeployments: Permissions = {
  publish: [
    streams.orders,
    streams.deployEvents,
    streams.deployOutput,
    streams.rollouts,
    streams.hosts,
    streams.holds,
  ].flatMap(directGet),
  subscribe: [live(anyHost.orders), live(anyHost.events), live(anyHost.output), live(rollouts)],
};

/** For a builder, which keeps in its cache what hosts run and are ordered to run. */
export const readingHosts: Permissions = {
  publish: [
    directGetLast(streams.hosts, anyHost.state),
    directGetLast(streams.orders, anyHost.orders),
    directGetLast(streams.deployEvents, anyHost.events),
  ],
  subscribe: [],
};

/** Rollouts are in it as well: people pause, resume and abort them. */
export const ordering: Permissions = { publish: [anyHost.orders, rollouts], subscribe: [] };

export const holding: Permissions = { publish: ["$KV.holds.*.*"], subscribe: [] };

/** The deployer and those who ask it are in one account, so nothing of this crosses accounts. */
export const withinClients = ["deployer.*.start", "deploy-replies.>"] as const;

/** A request and its answer; the answer comes back on a subject of the asker. */
export const askingForRollouts = (label: string): Permissions => ({
  publish: [withinClients[0]],
  subscribe: [`deploy-replies.${label}.>`],
});

export const rollingOut: Permissions = { publish: [withinClients[1]], subscribe: [withinClients[0]] };
