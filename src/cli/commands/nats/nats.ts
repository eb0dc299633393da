// `homelab-deploy nats keygen|setup|config`
import { resolve } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { HomelabError } from "../../../base/errors.ts";
import { exitCodes } from "../../../protocol/exit-codes.ts";
import { examples } from "../../arguments/help-text.ts";
import { collect, parseCount, parseReplicas, parseScale } from "../../arguments/parse-options.ts";
import { answer, chosen, type Choose } from "../../command.ts";
import { connectCommand, loadCommandConfig } from "../../session/connect.ts";
import { untilInterrupted } from "../../session/signals.ts";

const gibibyte = 1024 ** 3;

export function addNats(nats: Command, choose: Choose): void {
  nats
    .command("keygen")
    .description("Create an NKey pair: write the seed to a new file, print the public key.")
    .argument("<file>", "file for the seed; it is never overwritten")
    .action(
      chosen(choose, async (context, file) => {
        const { writeNewKey } = await import("../../../bus/server/keys.ts");
        const publicKey = await writeNewKey(resolve(file));
        context.err.write(
          `The seed is in ${file}; keep it secret. The public key, for the server's configuration:\n`,
        );
        context.out.write(`${publicKey}\n`);
        return exitCodes.success;
      }),
    );

  nats
    .command("setup")
    .description("Create the streams, or check them. Needs the admin's key, or a server without users.")
    .option("--check", "only check, and change nothing")
    .option("--repair", "raise settings that are too weak")
    .option("--scale <factor>", "size of new streams, such as 0.1 for a small disk", parseScale, 1)
    .option(
      "--replicas <count>",
      "how many servers of a cluster keep each stream (default: 3 in a cluster, otherwise 1)",
      parseReplicas,
    )
    .option("--json", "print one JSON document")
    .action(
      chosen(choose, async (context, { check, repair, scale, replicas: wanted }) => {
        const [
          { checkLimits, checkStreams, describeDifference, requireSound, setUpStreams },
          { requireLimits },
          { inspectAccounts, sharedAccountError },
          { isClustered },
        ] = await Promise.all([
          import("../../../bus/server/setup.ts"),
          import("../../../bus/server/server-limits.ts"),
          import("../../../bus/server/inspect-accounts.ts"),
          import("../../../bus/connect/describe-missing.ts"),
        ]);
        const signal = untilInterrupted(context.signals);
        await using connection = await connectCommand(context, await loadCommandConfig(context), signal);
        const replicas = wanted ?? (isClustered(connection) ? 3 : 1);
        const findings =
          check === true
            ? await checkStreams(connection, replicas, signal)
            : await setUpStreams(connection, { repair: repair === true, scale, replicas, signal });
        const accounts = await inspectAccounts(connection);
        const lines = findings.flatMap(({ object, state, differences }) => [
          `${object}: ${state}`,
          ...differences.map((difference) => `    ${describeDifference(difference)}`),
        ]);
        answer(context, {
          json: () => ({ accounts, findings }),
          text: () => `${[`accounts: ${accounts}`, ...lines].join("\n")}\n`,
        });
        if (check === true) {
          const { limits, needs } = await checkLimits(connection, { scale, replicas, signal });
          requireLimits(limits, needs);
        }
        requireSound(findings, wanted);
        if (accounts === "shared") throw sharedAccountError();
        return exitCodes.success;
      }),
    );

  nats
    .command("config")
    .description("Print a complete nats-server configuration with a user of least privilege for each role.")
    .addHelpText(
      "after",
      examples("nats keygen admin.seed", "nats config --admin UA… --builder cache01=UB… > nats.conf"),
    )
    .option("--admin <key>", "public key of the admin, who sets up streams")
    .option("--operator <key>", "public key of an operator, may be repeated", collect)
    .option("--ci <key>", "public key of CI, may be repeated", collect)
    .option(
      "--updater <key>",
      "public key of what runs `update`: a timer or a CI job, may be repeated",
      collect,
    )
    .option("--builder <name=key>", "a builder and its public key, may be repeated", collect)
    .option(
      "--listener <repo/host=key>",
      "a host that is deployed to, and its public key, may be repeated",
      collect,
    )
    .option("--dashboard <key>", "public key of the dashboard, may be repeated", collect)
    .option("--deployer <key>", "public key of the service that runs rollouts, may be repeated", collect)
    .option("--system <key>", "public key for the system account")
    .option("--listen <address>", "address and port", "127.0.0.1:4222")
    .option("--store <directory>", "where JetStream keeps its streams", "/var/lib/nats/jetstream")
    .option("--max-store <GiB>", "how much of that disk JetStream may use", parseCount, 10)
    .option("--monitoring <address>", "address of the monitoring pages")
    .option("--server-tls-cert <file>", "the server's certificate; with it TLS is required")
    .option("--server-tls-key <file>", "the key of --server-tls-cert")
    .option("--server-tls-ca <file>", "certificate authority of the clients' certificates")
    .option("--server-version <version>", "version of the nats-server", "2.10.0")
    .option("--domain <name>", "JetStream domain of the server, for clients and builders on its leaf nodes")
    .option("--cluster <name>", "print one node of a cluster of this name; with --node and --route")
    .option("--node <name>", "name of the node that this is for, another one on each")
    .option("--cluster-listen <address>", "where the other nodes connect (default: 127.0.0.1:6222)")
    .option("--route <address>", "address of another node, may be repeated", collect)
    .option(
      "--advertise <host>",
      "name that its certificate is for, by which the nodes and clients that learn of this node reach it",
    )
    .option("--fragment", "print only the two accounts, to include in a server that has others")
    .action(
      chosen(choose, async (context, options) => {
        const [{ accountsFragment, serverConfig }, { parseUsers }] = await Promise.all([
          import("../../../bus/server/server-config.ts"),
          import("../../arguments/nats-users.ts"),
        ]);
        const users = parseUsers(options);
        if (users.length === 0) {
          throw new HomelabError("usage", "no user is named", {
            code: "BAD_ARGUMENTS",
            hint: "make keys with `homelab-deploy nats keygen FILE`, then give their public keys, at least --admin, --operator and --builder NAME=KEY",
          });
        }
        if (options.fragment === true) {
          context.out.write(accountsFragment(users, options.domain));
          return exitCodes.success;
        }
        const { serverTlsCert, serverTlsKey, serverTlsCa, monitoring, system } = options;
        if ((serverTlsCert === undefined) !== (serverTlsKey === undefined)) {
          throw new HomelabError("usage", "--server-tls-cert and --server-tls-key go together", {
            code: "BAD_ARGUMENTS",
          });
        }
        const { cluster: name, node, clusterListen, route, advertise } = options;
        if (
          (name === undefined) !== (node === undefined) ||
          (name === undefined && [clusterListen, route, advertise].some((given) => given !== undefined))
        ) {
          throw new HomelabError(
            "usage",
            "--cluster and --node go together; the options of a node need both",
            { code: "BAD_ARGUMENTS" },
          );
        }
        const cluster =
          name === undefined || node === undefined
            ? undefined
            : {
                cluster: name,
                node,
                listen: clusterListen ?? "127.0.0.1:6222",
                routes: route ?? [],
                advertise,
              };
        context.out.write(
          serverConfig({
            listen: options.listen,
            storeDirectory: options.store,
            maxFileStore: options.maxStore * gibibyte,
            serverVersion: options.serverVersion,
            users,
            domain: options.domain,
            cluster,
            monitoring,
            systemKey: system,
            tls:
              serverTlsCert === undefined || serverTlsKey === undefined
                ? undefined
                : { certFile: serverTlsCert, keyFile: serverTlsKey, caFile: serverTlsCa },
          }),
        );
        return exitCodes.success;
      }),
    );
}
