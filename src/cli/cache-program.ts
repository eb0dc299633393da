// The commands about the binary cache and the store behind it.
import type { Command } from "@commander-js/extra-typings";
import type { Choose } from "./program.ts";
import { examples } from "./help-text.ts";
import { parsePositive } from "./parse-options.ts";

export function addCacheCommands(program: Command, choose: Choose): void {
  const cache = program.command("cache").description("The binary cache, and what its store keeps.");
  cache
    .command("retain")
    .description("On the builder: drop the GC roots that nothing needs any more.")
    .option("--plan", "only say what would stay and what would go")
    .option("--repo <name>", "only of this repo; of one that is not configured any more, everything")
    .option("--keep <commits>", "newest commits of each host (default: the configuration's)", parsePositive)
    .option("--absolute", "local times with their zone, instead of how long ago")
    .option("--json", "as one JSON document")
    .addHelpText("after", examples("cache retain --plan", "cache retain --keep 2 && nix-collect-garbage"))
    .action((options) =>
      choose(
        async (context) => (await import("./commands/cache-retain.ts")).runRetain(context, options),
        options.json === true,
      ),
    );
  cache
    .command("pin")
    .description("On the builder: keep a commit's systems until it is unpinned.")
    .argument("<commit>", "the first characters of its hash, at least 7")
    .requiredOption("--reason <text>", "why, for whoever finds it next year")
    .action((commit, { reason }) =>
      choose(
        async (context) => (await import("./commands/cache-pin.ts")).runPin(context, commit, reason),
        false,
      ),
    );
  cache
    .command("unpin")
    .description("On the builder: keep a commit no longer than others.")
    .argument("<commit>", "the first characters of its hash, at least 7")
    .action((commit) =>
      choose(
        async (context) => (await import("./commands/cache-pin.ts")).runPin(context, commit, undefined),
        false,
      ),
    );
  cache
    .command("report")
    .description("On the builder: how big the closures are, how they grow, and whether the disk is enough.")
    .option("--absolute", "local times with their zone, instead of how long ago")
    .option("--json", "as one JSON document")
    .action((options) =>
      choose(
        async (context) => (await import("./commands/cache-report.ts")).runCacheReport(context, options),
        options.json === true,
      ),
    );
}
