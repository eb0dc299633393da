// Several nats-servers as one: each node's part of the configuration. Whoever may connect to the port of the routes is a
// server of the cluster and sees everything, so that they need TLS with certificates on both sides.
import { HomelabError } from "../../base/errors.ts";

export interface ClusterNode {
  /** The same on all nodes. */
  readonly cluster: string;
  /** Its own; JetStream knows the copies of a stream by it. */
  readonly node: string;
  /** Where the other nodes connect: `10.0.0.1:6222`. */
  readonly listen: string;
  /** The other nodes' addresses: `nats2.lan:6222`. */
  readonly routes: readonly string[];
  /**
   * The name that its certificate is for: `nats1.lan`. The servers tell each other and all clients the addresses of every
   * node, and with it this name instead of each address of its network interfaces.
   */
  readonly advertise?: string;
}

/** With `caFile`, which signed the certificates of all nodes. */
export interface NodeTls {
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile?: string;
}

const nameForm = /^[A-Za-z0-9_-]{1,64}$/;
const hostForm = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)$/;
const addressForm = /^(?<host>.+):(?<port>\d{1,5})$/;
const loopback = /^(?:localhost|127\.[0-9.]+|\[::1\]):/;

/**
 * The `cluster` block. Its texts need no quoting: they are names and addresses.
 *
 * @throws HomelabError `usage` `BAD_ARGUMENTS`
 */
export function clusterBlock(
  { cluster, node, listen, routes, advertise }: ClusterNode,
  tls: NodeTls | undefined,
): readonly string[] {
  for (const name of [cluster, node]) {
    if (!nameForm.test(name))
      refuse(
        `${JSON.stringify(name.slice(0, 80))} cannot name a cluster or a node`,
        "use letters, digits, - and _",
      );
  }
  if (node === cluster)
    refuse(`the node and the cluster are both called ${node}`, "a leaf node looks like that to its clients");
  for (const address of [listen, ...routes]) {
    if (!isAddress(address))
      refuse(`${JSON.stringify(address.slice(0, 80))} is no HOST:PORT`, "such as nats2.lan:6222");
  }
  if (advertise !== undefined && !hostForm.test(advertise))
    refuse(
      `${JSON.stringify(advertise.slice(0, 80))} is not a host name`,
      "such as nats1.lan, without a port",
    );
  if (routes.length === 0)
    refuse("a node needs the others", "give --route HOST:PORT for each node, its own may be among them");
  const isOpen = ![listen, ...routes].every((address) => loopback.test(address));
  if (isOpen && loopback.test(listen))
    refuse(
      `the other nodes cannot reach this one at ${listen}`,
      "give --cluster-listen with the address of this machine in their network",
    );
  if (isOpen && tls?.caFile === undefined) {
    refuse(
      "routes between machines need TLS: whoever reaches their port is a server of the cluster",
      "give --server-tls-cert, --server-tls-key and --server-tls-ca; the certificate must be good for servers and clients",
    );
  }
  return [
    "# The other nodes; the certificate of each must be signed by the same authority.",
    "cluster {",
    `  name: ${cluster}`,
    `  listen: "${listen}"`,
    ...(advertise === undefined ? [] : [`  advertise: "${advertise}"`]),
    "  routes: [",
    ...routes.map((address) => `    "nats-route://${address}"`),
    "  ]",
    ...(tls?.caFile === undefined
      ? []
      : [
          "  tls {",
          `    cert_file: ${JSON.stringify(tls.certFile)}`,
          `    key_file: ${JSON.stringify(tls.keyFile)}`,
          `    ca_file: ${JSON.stringify(tls.caFile)}`,
          "    verify: true",
          "    timeout: 5",
          "  }",
        ]),
    "}",
  ];
}

function isAddress(address: string): boolean {
  const { host = "", port } = addressForm.exec(address)?.groups ?? {};
  return hostForm.test(host) && Number(port) > 0 && Number(port) <= 65_535;
}

function refuse(message: string, hint: string): never {
  throw new HomelabError("usage", message, { code: "BAD_ARGUMENTS", hint });
}
