// The commands about the NATS server.
import type { Command } from "@commander-js/extra-typings";
import { examples } from "../../arguments/help-text.ts";
import { collect, parseCount, parseScale } from "../../arguments/parse-options.ts";
import type { Choose } from "../../choose.ts";

export function addNatsCommands(program: Command, choose: Choose): void {
  const nats = program.command("nats").description("The NATS server: keys, its configuration, streams.");
  nats
    .command("keygen")
    .description("Make an NKey pair: the seed into a new file, the public key to standard output.")
    .argument("<file>", "the seed's file; never overwritten")
    .action((file) => choose(async (context) => (await import("./nats.ts")).runKeygen(context, file), false));
  nats
    .command("setup")
    .description("Create the streams, or check them. Needs the admin's key, or a server without users.")
    .option("--check", "only look")
    .option("--repair", "bring weaker settings up to what is required")
    .option("--scale <factor>", "size of new streams, such as 0.1 for a small disk", parseScale, 1)
    .option("--json", "as one JSON document")
    .action((options) =>
      choose(
        async (context) => (await import("./nats.ts")).runSetup(context, options),
        options.json === true,
      ),
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
    .option("--listener <host=key>", "a host and its public key, may be repeated", collect)
    .option("--dashboard <key>", "public key of the dashboard, may be repeated", collect)
    .option("--system <key>", "public key for the system account")
    .option("--listen <address>", "address and port", "127.0.0.1:4222")
    .option("--store <directory>", "where JetStream keeps its streams", "/var/lib/nats/jetstream")
    .option("--max-store <GiB>", "what JetStream may use of that disk", parseCount, 10)
    .option("--monitoring <address>", "address of the monitoring pages")
    .option("--server-tls-cert <file>", "the server's certificate; with it TLS is required")
    .option("--server-tls-key <file>", "the key of --server-tls-cert")
    .option("--server-tls-ca <file>", "authority of the clients' certificates")
    .option("--server-version <version>", "the nats-server that reads it", "2.10.0")
    .option("--fragment", "only the two accounts, to be included into a server that has others")
    .action((options) =>
      choose(async (context) => (await import("./nats.ts")).runServerConfig(context, options), false),
    );
}
