// The commands about the binary cache and the store behind it.
import { Option, type Command } from "@commander-js/extra-typings";
import type { Choose } from "../../choose.ts";
import { examples } from "../../arguments/help-text.ts";
import { collect, parseDuration, parsePositive } from "../../arguments/parse-options.ts";

export function addCacheCommands(program: Command, choose: Choose): void {
  const cache = program.command("cache").description("The binary cache, and what its store keeps.");
  cache
    .command("verify")
    .description("Prove that the cache serves systems whole: present, as built, signed, and answering.")
    .argument("[host...]", "hosts, also as repo/host, or paths in the store")
    .option("--all", "the newest system of every host")
    .option("--repo <name>", "only of this repo")
    .option("--cache <url>", "the cache (default: cache.url of the configuration)")
    .option("--public-key <key>", "trusted key, as NAME:BASE64; may be repeated", collect)
    .option("--full", "ask for everything again, and download and hash every NAR")
    .option("--repair", "sign, restore or copy what can be, and prove it again")
    .option("--key-file <file>", "secret key for --repair (default: cache.secretKeyFile)")
    .option(
      "--without-store",
      "compare with nothing here: prove what the cache itself says that belongs to it",
    )
    .option("--json", "as one JSON document")
    .addHelpText(
      "after",
      examples(
        "cache verify --all",
        "cache verify web01 --full",
        "cache verify /run/current-system --cache http://cache01.lan:5000 --public-key cache.lan-1:AbC…",
      ),
    )
    .action((targets, options) =>
      choose(
        async (context) => (await import("./cache-verify.ts")).runCacheVerify(context, targets, options),
        options.json === true,
      ),
    );
  cache
    .command("warm")
    .description("Fill a cold cache: build everything, and prove that all of it is served.")
    .argument("[host...]", "hosts, also as repo/host")
    .option("--all", "every host of every repo, or of --repo")
    .option("--repo <name>", "only this repo")
    .option("--timeout <duration>", "stop waiting for the build after this; it goes on", parseDuration)
    .option("--cache <url>", "the cache (default: cache.url of the configuration)")
    .option("--public-key <key>", "trusted key, as NAME:BASE64; may be repeated", collect)
    .option("--without-store", "for machines whose store has not got the systems")
    .option("--json", "one JSON object for each event, and one for the proof")
    .addHelpText("after", examples("cache warm --all", "cache warm --all --repo nixos-servers"))
    .action((hosts, options) =>
      choose(
        async (context) => (await import("./cache-warm.ts")).runCacheWarm(context, hosts, options),
        options.json === true,
      ),
    );
  cache
    .command("status")
    .description("The cache from outside; on the builder also its disk, and what is rooted.")
    .option("--cache <url>", "the cache (default: cache.url of the configuration)")
    .option("--public-key <key>", "trusted key, as NAME:BASE64; may be repeated", collect)
    .option("--json", "as one JSON document")
    .action((options) =>
      choose(
        async (context) => (await import("./cache-status.ts")).runCacheStatus(context, options),
        options.json === true,
      ),
    );
  cache
    .command("wait")
    .description("Wait until every host of a commit is built, and the cache serves it.")
    .requiredOption("--rev <commit>", "the commit, as 40 hexadecimal digits")
    .addOption(
      new Option("--timeout <duration>", "give up after this, such as 30m")
        .argParser(parseDuration)
        .default(15 * 60_000, "15m"),
    )
    .option("--cache <url>", "the cache (default: cache.url of the configuration)")
    .option("--public-key <key>", "trusted key, as NAME:BASE64; may be repeated", collect)
    .option("--json", "as one JSON document")
    .action((options) =>
      choose(
        async (context) => (await import("./cache-wait.ts")).runCacheWait(context, options),
        options.json === true,
      ),
    );
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
        async (context) => (await import("./cache-retain.ts")).runRetain(context, options),
        options.json === true,
      ),
    );
  cache
    .command("pin")
    .description("On the builder: keep a commit's systems until it is unpinned.")
    .argument("<commit>", "the first characters of its hash, at least 7")
    .requiredOption("--reason <text>", "why, for whoever finds it next year")
    .action((commit, { reason }) =>
      choose(async (context) => (await import("./cache-pin.ts")).runPin(context, commit, reason), false),
    );
  cache
    .command("unpin")
    .description("On the builder: keep a commit no longer than others.")
    .argument("<commit>", "the first characters of its hash, at least 7")
    .action((commit) =>
      choose(async (context) => (await import("./cache-pin.ts")).runPin(context, commit, undefined), false),
    );
  cache
    .command("report")
    .description("On the builder: how big the closures are, how they grow, and whether the disk is enough.")
    .option("--absolute", "local times with their zone, instead of how long ago")
    .option("--json", "as one JSON document")
    .action((options) =>
      choose(
        async (context) => (await import("./cache-report.ts")).runCacheReport(context, options),
        options.json === true,
      ),
    );
}
