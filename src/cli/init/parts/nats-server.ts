// The NATS server, with a user of least privilege for each part that signs in.
import type { NamedRole, NatsUser } from "../../../bus/server/permissions.ts";
import { serverConfig } from "../../../bus/server/server-config.ts";
import { placeOf, type Plan } from "../decide-installation.ts";
import type { Part } from "../part.ts";
import { natsSection } from "../units/sandbox.ts";
import type { NixValue } from "../nix-text.ts";
import { moduleFile, requireKey } from "./config-file.ts";

const name = "nats";
const stateName = "homelab-deploy-nats";
const configName = "nats-server.conf";
const maxStoreGiB = 10;
const gibibyte = 1024 ** 3;

/** @param others all parts that sign in */
export function natsServerPart(plan: Plan, others: readonly Part[]): Part {
  const { nats, form } = plan;
  const conf = `${placeOf(plan, name)}/${configName}`;
  const tls = nats.tls && (form === "in-place" ? nats.tls : credentialFiles);
  return {
    name,
    goesTo: "the machine of NATS",
    holds:
      form === "nixos"
        ? "a module for its configuration; its keys are public ones"
        : "the server's configuration; its keys are public ones",
    files: ({ nats: keys }) => {
      const users = others.flatMap(({ name: part, identity }): NatsUser[] =>
        identity === undefined ? [] : [{ ...identity, publicKey: requireKey(keys, part) }],
      );
      if (form === "nixos") return [moduleFile(serverOptions(plan, users))];
      const text = serverConfig({
        listen: listenAddress(nats),
        storeDirectory: storeDirectory(plan),
        maxFileStore: maxStoreGiB * gibibyte,
        serverVersion: nats.version,
        users,
        tls,
      });
      return [{ name: configName, text }];
    },
    service: {
      units: [
        {
          name: `${stateName}.service`,
          sections: {
            Unit: { Description: "NATS server of homelab-deploy", After: "network.target" },
            Service: natsSection({
              execStart: `nats-server -c ${conf}`,
              loadCredential:
                nats.tls === undefined
                  ? []
                  : [`cert.pem:${nats.tls.certFile}`, `key.pem:${nats.tls.keyFile}`],
              stateDirectory: stateName,
            }),
            Install: { WantedBy: "multi-user.target" },
          },
        },
      ],
      start: [`${stateName}.service`],
      usesNix: false,
    },
    inPlace: `nats-server -c ${conf}`,
    proofs: [
      form === "in-place"
        ? { command: `nats-server -t -c ${conf}`, expects: "the configuration is valid" }
        : {
            command: `systemctl is-active ${form === "nixos" ? "nats" : stateName}.service`,
            expects: "it is `active`",
          },
    ],
  };
}

/** Whoever reaches it from other machines does so by any of its addresses. */
const listenAddress = ({ isLoopback, host, port }: Plan["nats"]): string =>
  `${isLoopback ? host.replace("localhost", "127.0.0.1") : "0.0.0.0"}:${port}`;

const storeDirectory = ({ form, installed }: Plan): string =>
  form === "in-place" ? `${installed}/state/nats` : `/var/lib/${stateName}/jetstream`;

const credentialFiles = {
  certFile: `/run/credentials/${stateName}.service/cert.pem`,
  keyFile: `/run/credentials/${stateName}.service/key.pem`,
};

/** The NixOS module has `nats config` print the same for these users, whenever they change. */
function serverOptions({ nats }: Plan, users: readonly NatsUser[]): NixValue {
  const natsServer = {
    enable: true,
    listen: listenAddress(nats),
    openFirewall: !nats.isLoopback,
    maxStoreGiB,
    users: userOptions(users),
    tls: nats.tls,
  };
  return { services: { "homelab-deploy": { natsServer } } };
}

/** Also those without users, to show where more of them go. */
function userOptions(users: readonly NatsUser[]): NixValue {
  const named = (role: NamedRole | "builder"): NixValue =>
    Object.fromEntries(
      users.flatMap((user) =>
        user.role === role && user.name !== undefined ? [[user.name, user.publicKey]] : [],
      ),
    );
  const listeners = Map.groupBy(
    users.filter((user) => user.role === "listener"),
    ({ repo }) => repo ?? "",
  );
  return {
    admin: users.find(({ role }) => role === "admin")?.publicKey,
    operators: named("operator"),
    ci: named("ci"),
    updaters: named("updater"),
    dashboards: named("dashboard"),
    deployers: named("deployer"),
    builders: named("builder"),
    listeners: Object.fromEntries(
      [...listeners].map(([repo, hosts]) => [
        repo,
        Object.fromEntries(hosts.map(({ host, publicKey }) => [host, publicKey])),
      ]),
    ),
  };
}
