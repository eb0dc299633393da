// The NATS server, with a user of least privilege for each part that signs in.
import type { NatsUser } from "../../../bus/server/permissions.ts";
import { serverConfig } from "../../../bus/server/server-config.ts";
import { placeOf, type Plan } from "../decide-installation.ts";
import type { Part } from "../part.ts";
import { natsSection } from "../units/sandbox.ts";
import { moduleName, requireKey } from "./config-file.ts";

const name = "nats";
const stateName = "homelab-deploy-nats";
const configName = "nats-server.conf";
const maxStoreGiB = 10;
const gibibyte = 1024 ** 3;

/** @param others all parts that sign in */
export function natsServerPart(plan: Plan, others: readonly Part[]): Part {
  const { nats, form } = plan;
  const conf = `${placeOf(plan, name)}/${configName}`;
  const tls = nats.tls && (form === "in-place" ? nats.tls : credentialFiles(form));
  return {
    name,
    goesTo: "the machine of NATS",
    holds: "the server's configuration; its keys are public ones",
    files: ({ nats: keys }) => {
      const users = others.flatMap(({ name: part, identity }): NatsUser[] =>
        identity === undefined ? [] : [{ ...identity, publicKey: requireKey(keys, part) }],
      );
      const text = serverConfig({
        listen: listenAddress(nats),
        storeDirectory: storeDirectory(plan),
        maxFileStore: maxStoreGiB * gibibyte,
        serverVersion: nats.version,
        users,
        tls,
      });
      const files = [{ name: configName, text }];
      return form === "nixos" ? [...files, { name: moduleName, text: moduleText(plan) }] : files;
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
  form === "in-place"
    ? `${installed}/state/nats`
    : form === "nixos"
      ? "/var/lib/nats/jetstream"
      : `/var/lib/${stateName}/jetstream`;

const credentialFiles = (form: Plan["form"]): { readonly certFile: string; readonly keyFile: string } => {
  const directory = `/run/credentials/${form === "nixos" ? "nats" : stateName}.service`;
  return { certFile: `${directory}/cert.pem`, keyFile: `${directory}/key.pem` };
};

const moduleText = ({
  nats,
}: Plan): string => `# Import this into the configuration of the host that runs NATS.
{ lib, pkgs, ... }:
{
  services.nats = {
    enable = true;
    jetstream = true;
  };
  # The module's own file comes from its \`settings\`, which cannot say all of this.
  systemd.services.nats.serviceConfig = {
    ExecStart = lib.mkForce "\${pkgs.nats-server}/bin/nats-server -c \${./${configName}}";
    LoadCredential = [${nats.tls === undefined ? " " : `\n      "cert.pem:${nats.tls.certFile}"\n      "key.pem:${nats.tls.keyFile}"\n    `}];
  };
  networking.firewall.allowedTCPPorts = [${nats.isLoopback ? " " : ` ${nats.port} `}];
}
`;
