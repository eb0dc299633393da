// What to say when JetStream, one of our streams, or a leader of a cluster is not there: it depends on the server that we asked.

/** Whom we asked: of a connection. */
export interface AskedServer {
  /** The client forgets it while it connects again. */
  readonly nats: {
    readonly info?: {
      readonly server_name?: string;
      readonly jetstream?: boolean;
      readonly domain?: string;
      readonly max_payload?: number;
    };
  };
  readonly jetstreamDomain: string | undefined;
  /** The name of the cluster that the server is one of. */
  readonly cluster?: string | undefined;
}

/** Whether the server is one of several. */
export const isClustered = <Asked extends Pick<AskedServer, "cluster">>(
  asked: Asked | undefined,
): asked is Asked & { readonly cluster: string } => (asked?.cluster ?? "") !== "";

/** The name of its cluster, as a server says it. A leaf node without one says its own name (nats-server, `leafNoCluster`). */
export const clusterNameOf = (
  info: { readonly cluster?: string | undefined; readonly server_name?: string } | undefined,
): string | undefined => (info?.cluster === info?.server_name ? undefined : info?.cluster);

/**
 * Whether our streams may be with other servers than the one that we are connected to: in a cluster, or behind a leaf
 * connection. Those may be away or elect a leader while ours answers, and one of them may not have the newest yet.
 */
export const isServedByOthers = (asked: Pick<AskedServer, "cluster" | "jetstreamDomain">): boolean =>
  isClustered(asked) || asked.jetstreamDomain !== undefined;

/** The server says that it has none. A leaf node of 2.9 does not answer at all. */
export const lacksJetStream = (asked: AskedServer | undefined): boolean =>
  asked?.nats.info !== undefined && asked.nats.info.jetstream !== true && asked.jetstreamDomain === undefined;

/**
 * - `account`: the server has JetStream, and our account has not
 * - `object`: the server says that the stream or consumer does not exist
 * - `unknown`: nobody answered
 */
export type Missing = "account" | "object" | "unknown";

interface Description {
  readonly what: string;
  readonly hint: string;
}

const thenSetUp = "then run once: homelab-deploy nats setup";

export function describeMissing(missing: Missing, asked: AskedServer | undefined): Description {
  if (missing === "account") {
    return {
      what: "our account on the NATS server has no JetStream",
      hint: `set in the server's configuration: accounts { OUR_ACCOUNT { jetstream: enabled } } (accounts that are JWTs: nsc edit account --js-disk-storage 8G), ${thenSetUp}; the account of clients imports instead what \`homelab-deploy nats config\` prints`,
    };
  }
  const isFound = missing === "object";
  const name = asked?.nats.info?.server_name ?? "that we are connected to";
  if (!isFound && lacksJetStream(asked)) {
    return {
      what: `the NATS server ${name} has no JetStream`,
      hint: `enable JetStream in its configuration, ${thenSetUp}. If it is a leaf node: set nats.jetstreamDomain to the domain of the hub's JetStream, or nats.servers to the hub`,
    };
  }
  const domain = asked?.jetstreamDomain;
  if (!isFound && domain !== undefined) {
    return {
      what: `the JetStream domain ${domain} does not answer through the NATS server ${name}`,
      hint: "compare nats.jetstreamDomain with the `domain` in the hub's `jetstream` block, and see in the leaf node's log whether it is connected to the hub, with our account",
    };
  }
  const own = asked?.nats.info?.domain;
  const elsewhere =
    domain === undefined && own !== undefined
      ? `. The server has the JetStream domain ${own}: if the streams are in another one, set nats.jetstreamDomain`
      : "";
  return {
    what: isFound
      ? "one of our streams is missing on the NATS server"
      : "JetStream or one of our streams is missing on this server",
    hint: isFound
      ? `run once with the admin's key: homelab-deploy nats setup${elsewhere}`
      : `enable JetStream in the server's configuration, ${thenSetUp}${elsewhere}`,
  };
}

/** To a client a stream that does not exist looks the same as one that nobody leads. */
export const describeNoLeader = (asked: AskedServer | undefined): Description => ({
  what: `the NATS cluster ${clusterOf(asked)} has no leader for it`,
  hint: "most servers of the cluster must run and reach each other: homelab-deploy doctor. If they do, one of our streams is missing: homelab-deploy nats setup --check",
});

const clusterOf = (asked: AskedServer | undefined): string =>
  asked?.jetstreamDomain === undefined
    ? (asked?.cluster ?? "that answers")
    : `of the JetStream domain ${asked.jetstreamDomain}`;
